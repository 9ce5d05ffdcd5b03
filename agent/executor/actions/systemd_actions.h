// systemd.restart and systemd.reset_failed. Refused: ObserveAI's own units and every unit whose restart would
// restart one of them, masked and transient units, aliases (the unit's own name is meant), stopped units, and
// units whose file changed since systemd read it: what was approved is not what would start.
//
// A restart is told with the running units that systemd restarts along (Requires=, BindsTo=, PartOf= on it).
// Not told: stopped units that this one wants, which systemd starts with it.
#pragma once

#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/actions/systemd_units.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// kDenied, kUnavailable (not now). `along`: all that a restart would restart too. Pure.
Result<void> check_may_touch(const Unit& unit, const std::string& asked_for,
                             const std::vector<Unit>& along);

// `host` outlives the actions.
void add_systemd_actions(const Host& host, Actions& actions);

}  // namespace observeai::agent::executor
