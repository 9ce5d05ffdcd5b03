// runbook: an executable of the site, listed in its policy with its sha256 and the form of its parameters.
//
// It is started as `<path> --name=value ...`, names ascending, no shell in between; it sees what
// process_runner.h says, runs as root, and has done well when it ends with 0. What runs are the bytes that
// were hashed, from memory: a script finds itself as "/dev/fd/4", not under its path. Nothing that it leaves
// in the background goes on.
#pragma once

#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// "--name=value", names ascending. kInvalid: unknown, missing, of another kind, out of range, none of the
// choices. Pure.
Result<std::vector<std::string>> runbook_arguments(const SiteLists::Runbook& runbook,
                                                   const wire::Parameters& parameters);

// `host` outlives the actions.
void add_runbook_actions(const Host& host, Actions& actions);

}  // namespace observeai::agent::executor
