// Whether a plan is the way back of an earlier one: what was done there and found wrong is taken back.
// That is not the same again, so the cool-down of the action does not hold it.
#pragma once

#include "controlplane/dispatch/ports.h"
#include "controlplane/model/plans.h"

namespace observeai::controlplane::dispatch {

// `earlier`: an attempt on a target of `plan`.
Result<bool> takes_back(World& world, const model::PlanRecord& plan, const model::Attempt& earlier);

}  // namespace observeai::controlplane::dispatch
