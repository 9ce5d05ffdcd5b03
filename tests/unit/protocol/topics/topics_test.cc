#include <doctest/doctest.h>

#include <array>
#include <string>

#include "protocol/topics/topics.h"

using namespace observeai;
using topics::Channel;

namespace {

constexpr std::array kChannels{Channel::kHello, Channel::kLane0, Channel::kLane1,   Channel::kLane2,
                               Channel::kLane3, Channel::kAck,   Channel::kCommand, Channel::kMeta};

topics::AgentAddress address(std::uint32_t shard = 7) {
  return {TenantId::parse("acme").value(), shard, AgentId::parse("web-01").value()};
}

// The rules of MQTT 3.1.1 section 4.7 for '+', which is all our filters use.
bool matches(std::string_view filter, std::string_view topic) {
  for (;;) {
    const auto f = filter.substr(0, filter.find('/'));
    const auto t = topic.substr(0, topic.find('/'));
    if (f != "+" && f != t) return false;
    if (f.size() == filter.size() || t.size() == topic.size()) {
      return f.size() == filter.size() && t.size() == topic.size();
    }
    filter.remove_prefix(f.size() + 1);
    topic.remove_prefix(t.size() + 1);
  }
}

}  // namespace

TEST_CASE("topics are spelled as documented") {
  CHECK(topics::build(address(), Channel::kHello) == "observeai/v1/acme/7/web-01/up/hello");
  CHECK(topics::build(address(), Channel::kLane2) == "observeai/v1/acme/7/web-01/up/l2");
  CHECK(topics::build(address(63), Channel::kAck) == "observeai/v1/acme/63/web-01/down/ack");
  CHECK(topics::build(address(0), Channel::kCommand) == "observeai/v1/acme/0/web-01/down/cmd");
  CHECK(topics::build(address(), Channel::kMeta) == "observeai/v1/acme/7/web-01/down/meta");
}

TEST_CASE("every topic that is built parses back, for all shards and channels") {
  for (std::uint32_t shard = 0; shard < kShardCount; ++shard) {
    for (const auto channel : kChannels) {
      const auto parsed = topics::parse(topics::build(address(shard), channel));
      REQUIRE(parsed);
      CHECK(parsed->address == address(shard));
      CHECK(parsed->channel == channel);
    }
  }
}

TEST_CASE("each lane has its channel") {
  CHECK(topics::lane_channel(wire::Lane::kControl) == Channel::kLane0);
  CHECK(topics::lane_channel(wire::Lane::kMetrics) == Channel::kLane1);
  CHECK(topics::lane_channel(wire::Lane::kLogs) == Channel::kLane2);
  CHECK(topics::lane_channel(wire::Lane::kTraces) == Channel::kLane3);
}

TEST_CASE("what the grammar does not produce is refused") {
  const std::string agent65(65, 'a');
  for (const std::string bad : {"",
                                "/",
                                "observeai/v1/",
                                "observeai/v2/acme/7/web-01/up/hello",
                                "/observeai/v1/acme/7/web-01/up/hello",
                                "observeai/v1/acme/7/web-01/up/hello/",
                                "observeai/v1/acme/7/web-01/up",
                                "observeai/v1/acme/7/web-01/up/",
                                "observeai/v1/acme/7/web-01/up/l4",
                                "observeai/v1/acme/7/web-01/down/hello",
                                "observeai/v1/acme/7/web-01/up/ack",
                                "observeai/v1/acme/7/web-01/hello",
                                "observeai/v1/acme/7/web-01/up/x/hello",
                                "observeai/v1/acme/64/web-01/up/hello",
                                "observeai/v1/acme/07/web-01/up/hello",
                                "observeai/v1/acme/-1/web-01/up/hello",
                                "observeai/v1/acme/+7/web-01/up/hello",
                                "observeai/v1/acme//web-01/up/hello",
                                "observeai/v1/acme/18446744073709551623/web-01/up/hello",
                                "observeai/v1/Acme/7/web-01/up/hello",
                                "observeai/v1/+/7/web-01/up/hello",
                                "observeai/v1/acme/7/+/up/hello",
                                "observeai/v1/acme/7/#",
                                "observeai/v1/acme/7/web_01/up/hello",
                                "observeai/v1//7/web-01/up/hello",
                                "observeai/v1/acme/7//up/hello",
                                "observeai/v1/acme/7/web-01/up/hello "}) {
    CAPTURE(bad);
    const auto parsed = topics::parse(bad);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code() == Errc::kInvalid);
  }
  CHECK_FALSE(topics::parse("observeai/v1/acme/7/" + agent65 + "/up/hello"));
  CHECK(topics::parse("observeai/v1/acme/7/" + agent65.substr(1) + "/up/hello"));
  CHECK_FALSE(topics::parse(std::string("observeai/v1/acme/7/web\0-01/up/hello", 37)));
}

TEST_CASE("ingest hears what agents send, agents what is sent to them, and nothing else") {
  const auto all = topics::ingest_filter(std::nullopt);
  const auto shard7 = topics::ingest_filter(7);
  const auto own = topics::agent_filter(address());
  for (const auto channel : kChannels) {
    const auto topic = topics::build(address(), channel);
    const bool up = topic.find("/up/") != std::string::npos;
    CAPTURE(topic);
    CHECK(matches(all, topic) == up);
    CHECK(matches(shard7, topic) == up);
    CHECK_FALSE(matches(shard7, topics::build(address(8), channel)));
    CHECK(matches(own, topic) == !up);
    CHECK_FALSE(matches(own, topics::build(address(8), channel)));
  }
}
