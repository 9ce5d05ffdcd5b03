// The plan that takes a change back which verification found wrong: the host undoes only what its own check,
// right after it, finds wrong. A person decides and another approves it. Pure.
#pragma once

#include <optional>

#include "controlplane/model/plan_desk.h"

namespace observeai::controlplane::plan {

// nullopt: nothing was done to this host, it is as intended or was put back, or the action has no opposite.
std::optional<model::WayBack> way_back(const model::PlanRecord& plan,
                                       const model::TargetView& target);

}  // namespace observeai::controlplane::plan
