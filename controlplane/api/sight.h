// Whether what the control plane knows of a host's containers is the present or the past. Pure.
#pragma once

#include <string_view>

#include "controlplane/api/api.h"

namespace observeai::controlplane::api {

struct Sight {
  bool is_known = true;
  std::int64_t until_ms = 0;  // Now, or when the host was last seen
};

inline bool is_online(const model::AgentRecord& agent, std::int64_t now_ms) {
  // Seen in the future: the clock was ahead. Who lives is seen again within seconds.
  const std::int64_t age_ms = now_ms - agent.last_seen_ms;
  return age_ms < kOnlineMs && age_ms > -kOnlineMs;
}

// HostFacts::docker of an engine that is there and says nothing. "starting" and a version are no fault.
inline bool docker_is_silent(std::string_view docker) {
  return docker == "missing" || docker == "stopped" || docker == "hanging" ||
         docker.starts_with("error: ");
}

inline Sight sight_of(const model::AgentRecord& agent, const wire::HostFacts& host,
                      std::int64_t now_ms) {
  if (is_online(agent, now_ms) && !docker_is_silent(host.docker)) return {true, now_ms};
  return {false, std::min(agent.last_seen_ms, now_ms)};
}

}  // namespace observeai::controlplane::api
