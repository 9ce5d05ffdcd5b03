// docker-gateway.sock: the Docker engine for the agent, who may not talk to it (that would make it root):
// GETs of an allow-list (gateway_request.h), one for each connection, everything else is refused with a
// text that says why. A process of its own, single-threaded; it parses no signed bytes and holds no keys.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "agent/executor/unique_fd.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

inline constexpr std::size_t kMaxGatewayConnections = 32;  // Discovery needs about eight
// Of one container's inspection, which is held to be reduced; discovery's own are about 10 KiB.
inline constexpr std::size_t kMaxHeldAnswer = 1U << 20;
inline constexpr std::size_t kMaxHeldTogether = 4U << 20;

struct GatewayOptions {
  std::string docker_socket = "/var/run/docker.sock";
  std::vector<uid_t> allowed;                      // Beside root: who may ask
  std::chrono::milliseconds head_deadline{5'000};  // For the whole request
  // For the whole answer; a stream has none, but its reader must read on within this time.
  std::chrono::milliseconds answer_deadline{60'000};
};

// A socket of our own, mode 0660 for `group`, replacing one that is left over. Its folder is made with
// mode 0755 when missing.
Result<UniqueFd> listen_for_group(const std::string& path, gid_t group);

// Serves until `stop_fd` can be read. `listener` and `stop_fd` do not block. kUnavailable: poll fails.
Result<void> run_gateway(int listener, int stop_fd, const Clock& clock,
                         const GatewayOptions& options);

}  // namespace observeai::agent::executor
