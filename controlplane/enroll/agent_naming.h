// How the control plane names a new agent and where it puts it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/id.h"

namespace observeai::controlplane {

// "<host name, made to fit the id grammar, at most 40>-<8 random base32 characters>". Never starts
// with "cp-", which names the control plane's own clients.
AgentId make_agent_id(std::string_view hostname);
inline constexpr std::string_view kReservedIdPrefix = "cp-";

// Fixed for the life of the id and equal on every machine: 0..63.
std::uint32_t shard_of(const AgentId& id);

}  // namespace observeai::controlplane
