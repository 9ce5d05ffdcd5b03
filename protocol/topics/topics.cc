#include "protocol/topics/topics.h"

#include <algorithm>
#include <array>

#include "protocol/base/text.h"

namespace observeai::topics {
namespace {

constexpr std::string_view kRoot = "observeai/v1/";

struct ChannelName {
  Channel channel;
  std::string_view tail;
};
constexpr std::array<ChannelName, 8> kChannels{{
    {Channel::kHello, "up/hello"},
    {Channel::kLane0, "up/l0"},
    {Channel::kLane1, "up/l1"},
    {Channel::kLane2, "up/l2"},
    {Channel::kLane3, "up/l3"},
    {Channel::kAck, "down/ack"},
    {Channel::kCommand, "down/cmd"},
    {Channel::kMeta, "down/meta"},
}};

std::string prefix(const AgentAddress& address) {
  std::string out(kRoot);
  out.append(address.tenant.value()).append("/").append(std::to_string(address.shard)).append("/");
  return out.append(address.agent.value()).append("/");
}

Error invalid(std::string_view topic, std::string_view why) {
  return Error(Errc::kInvalid,
               "topic \"" + text::escape_unprintable(topic, 200) + "\": " + std::string(why));
}

}  // namespace

std::string build(const AgentAddress& address, Channel channel) {
  const auto* name = std::find_if(kChannels.begin(), kChannels.end(),
                                  [&](const ChannelName& c) { return c.channel == channel; });
  return prefix(address).append(name->tail);
}

Channel lane_channel(wire::Lane lane) {
  switch (lane) {
    case wire::Lane::kControl:
      return Channel::kLane0;
    case wire::Lane::kMetrics:
      return Channel::kLane1;
    case wire::Lane::kLogs:
      return Channel::kLane2;
    case wire::Lane::kTraces:
      return Channel::kLane3;
  }
  return Channel::kLane0;
}

Result<Parsed> parse(std::string_view topic) {
  if (!topic.starts_with(kRoot)) return invalid(topic, "does not start with observeai/v1/");
  const auto parts = text::split(topic.substr(kRoot.size()), '/');
  if (parts.size() != 5) return invalid(topic, "does not have seven levels");
  const auto tenant = TenantId::parse(parts[0]);
  if (!tenant) return invalid(topic, "bad tenant");
  const auto shard = text::parse_u64(parts[1]);
  if (!shard || *shard >= kShardCount || parts[1] != std::to_string(*shard)) {
    return invalid(topic, "the shard is not a number from 0 to 63");
  }
  const auto agent = AgentId::parse(parts[2]);
  if (!agent) return invalid(topic, "bad agent");
  for (const auto& [channel, tail] : kChannels) {
    if (parts[3].size() + 1 + parts[4].size() == tail.size() && topic.ends_with(tail)) {
      return Parsed{{*tenant, static_cast<std::uint32_t>(*shard), *agent}, channel};
    }
  }
  return invalid(topic, "no such channel");
}

std::string ingest_filter(std::optional<std::uint32_t> shard) {
  return std::string(kRoot)
      .append("+/")
      .append(shard ? std::to_string(*shard) : "+")
      .append("/+/up/+");
}

std::string agent_filter(const AgentAddress& address) {
  return prefix(address).append("down/+");
}

}  // namespace observeai::topics
