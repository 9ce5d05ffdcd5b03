// One question to the executor's socket: for the command line and for tests. Blocking.
#pragma once

#include <chrono>
#include <string>

#include "agent/executor/frames.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

// kNotFound, kDenied: no such socket, or not for this user; kUnavailable: closed without an answer, as
// for whom may not ask; kTimeout.
Result<Frame> ask(const std::string& socket_path, const Frame& request,
                  std::chrono::milliseconds timeout);

}  // namespace observeai::agent::executor
