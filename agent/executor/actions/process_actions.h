// process.terminate: ends one process, told by its id and its start, so never the one that got the id later.
#pragma once

#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/actions/process_stat.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

struct ProcessFacts {
  ProcessStat stat;
  std::string program;  // Target of /proc/PID/exe; empty for kernel threads
  std::string cgroup;   // /proc/PID/cgroup
  std::int64_t user = -1;
  bool ours = false;         // Its program is one of ObserveAI's
  bool parent_ours = false;  // That of the process that started it
};

// kDenied: pid 1, a kernel thread, `own` (the executor and its ancestors), a program of ObserveAI, what it
// started (the broker) or anything in one of the system's units for it. What a process says of itself (its
// comm) counts for nothing: any user could keep their process from being ended. Pure.
Result<void> check_may_end(const ProcessFacts& process, const std::vector<std::int64_t>& own);

// `host` outlives the actions.
void add_process_actions(const Host& host, Actions& actions);

}  // namespace observeai::agent::executor
