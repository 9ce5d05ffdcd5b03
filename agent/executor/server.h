// executor.sock: who may connect, what a connection may cost, and who does the work.
//
// One thread reads, checks and answers; a second one runs one command at a time, so that status, time
// and results are told meanwhile. A connection has one request at a time; one that sends half a frame,
// or does not fetch its answer, for kFrameDeadline is closed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/executor/executor.h"
#include "agent/executor/unique_fd.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

inline constexpr std::size_t kMaxConnections = 16;  // One agent, and people who look
inline constexpr std::size_t kMaxWaiting = 8;       // Commands that wait for their turn
inline constexpr std::chrono::seconds kFrameDeadline{10};
inline constexpr std::chrono::seconds kRestAfter{2};

// A socket of our own, replacing one that is left over. Its folder is made with mode 0755 when missing.
// `uid` may connect beside the owner of this process.
Result<UniqueFd> listen_at(const std::string& path, uid_t uid);

struct ServerOptions {
  std::vector<uid_t> allowed;              // Beside root: who may ask
  std::chrono::milliseconds idle_exit{0};  // End when nobody asked for so long; 0: never
  std::function<void()> rest;              // When nobody asked for kRestAfter; or empty
};

// Serves until `stop_fd` can be read, or idle. A running command is waited for. kInternal: poll fails.
Result<void> serve(Executor& executor, int listener, int stop_fd, const Clock& clock,
                   const ServerOptions& options);

}  // namespace observeai::agent::executor
