// collect.diagnostics: what a person would look at first, as the result's output; changes nothing. Lines of
// a container's log are not in it, as nothing here could take secrets out of them: the agent sends them
// redacted.
#pragma once

#include "agent/executor/action.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// `host` outlives the actions.
void add_diagnostics_actions(const Host& host, Actions& actions);

}  // namespace observeai::agent::executor
