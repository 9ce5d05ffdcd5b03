// The MQTT topic grammar (docs/protocol.md): build and parse, nothing else.
//   observeai/v1/<tenant>/<shard>/<agent>/up/{hello,l0,l1,l2,l3}
//   observeai/v1/<tenant>/<shard>/<agent>/down/{ack,cmd,meta}
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::topics {

struct AgentAddress {
  TenantId tenant;
  std::uint32_t shard = 0;
  AgentId agent;
  bool operator==(const AgentAddress&) const = default;
};
enum class Channel { kHello, kLane0, kLane1, kLane2, kLane3, kAck, kCommand, kMeta };

std::string build(const AgentAddress& address, Channel channel);
Channel lane_channel(wire::Lane lane);

struct Parsed {
  AgentAddress address;
  Channel channel;
};
// kInvalid for anything the grammar does not produce.
Result<Parsed> parse(std::string_view topic);

// Filters: what ingest subscribes to (all agents, or one shard), and what an agent does.
std::string ingest_filter(std::optional<std::uint32_t> shard);
std::string agent_filter(const AgentAddress& address);

}  // namespace observeai::topics
