// The actions of this host, by the catalogue's names: the one table from a name in a command to code.
#pragma once

#include "agent/executor/action.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// `host` outlives the actions. Every action of the catalogue that this host's program can do; a name
// that is missing here is refused as unknown_action.
Actions make_actions(const Host& host);

}  // namespace observeai::agent::executor
