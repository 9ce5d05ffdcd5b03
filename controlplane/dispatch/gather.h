// What checks and verification want to know, out of the store. Internal to controlplane/dispatch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controlplane/dispatch/ports.h"
#include "controlplane/plan/checks.h"
#include "controlplane/plan/verification.h"

namespace observeai::controlplane::dispatch {

// Of the hosts in `targets`, whose dry runs are read from the store.
Result<plan::PlanFacts> gather_facts(World& world, const model::PlanRecord& plan,
                                     const std::vector<model::PlanTargetRecord>& targets);

// A container (by name or id) or unit of a host as the inventory has it; nullopt: the target is neither,
// or nothing is known of the host.
Result<std::optional<plan::TargetSignals>> signals_of(World& world, const AgentId& agent,
                                                      const std::string& target);
model::Baseline baseline_of(const std::optional<plan::TargetSignals>& signals);

Result<plan::VerificationInput> gather_signals(World& world, const model::PlanRecord& plan,
                                               const model::PlanTargetRecord& target);

}  // namespace observeai::controlplane::dispatch
