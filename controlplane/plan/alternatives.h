// What else could be done to the same target, and why it is not what this plan does: for the approval
// card. Less invasive actions of the catalogue only; a person chose, this only says what was passed over.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "controlplane/model/plan_desk.h"
#include "controlplane/model/plans.h"

namespace observeai::controlplane::plan {

// `attempts`: of the last day. What was tried on one of these targets says so.
std::vector<model::Alternative> alternatives(const model::PlanRecord& plan,
                                             const std::vector<model::PlanTargetRecord>& targets,
                                             const std::vector<model::Attempt>& attempts);

// What the undo of this action does; "" when it has none.
std::string undo_of(const std::string& action);

}  // namespace observeai::controlplane::plan
