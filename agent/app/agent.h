// The agent: builds every module, owns the loops, and decides what happens between them.
#pragma once

#include <memory>

#include "agent/config/agent_config.h"
#include "agent/enroll/identity.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// One for each process; runs on the calling thread.
class Agent {
 public:
  virtual ~Agent() = default;
  // Opens the spool and restores what was being read. Errors say what to do.
  static Result<std::unique_ptr<Agent>> create(const AgentConfig& config, IdentityStore store,
                                               Identity identity);
  // Until SIGTERM or SIGINT; kInternal when a bug was noticed (start again).
  virtual Result<void> run() = 0;
};

}  // namespace observeai::agent
