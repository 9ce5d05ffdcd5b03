// A wish as people write it -> a plan that the catalogue allows. Pure. Internal to controlplane/dispatch.
#pragma once

#include "controlplane/model/plan_desk.h"

namespace observeai::controlplane::dispatch {

// kInvalid names the parameter and says what it should be.
Result<model::PlanRecord> make_plan(const model::NewPlan& wanted, const TenantId& tenant,
                                    const std::string& person, std::int64_t now_ms);
std::vector<model::PlanTargetRecord> make_targets(const model::PlanRecord& plan,
                                                  std::vector<AgentId> agents);

}  // namespace observeai::controlplane::dispatch
