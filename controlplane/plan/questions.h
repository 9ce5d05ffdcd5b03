// The questions of the safety list (checks.h), one function each. Internal to controlplane/plan.
#pragma once

#include <optional>
#include <string>

#include "controlplane/plan/checks.h"

namespace observeai::controlplane::plan::questions {

using model::CheckFinding;
using model::Verdict;

CheckFinding finding(const char* name, Verdict verdict, std::string value, std::string sentence);
std::string name_of(const HostFacts& host);
bool is_about_workload(const PlanFacts& facts);
bool only_reads(const PlanFacts& facts);
// A fact of the dry run; nullopt or false when the host did not say.
std::optional<double> number(const HostFacts& host, const char* name);
bool is_true(const HostFacts& host, const char* name);

// questions_hosts.cc: the hosts as they are, and what the action would do to them
CheckFinding identity(const PlanFacts& facts);
CheckFinding action_known(const PlanFacts& facts);
CheckFinding target_exists(const PlanFacts& facts);
CheckFinding kill_switch(const PlanFacts& facts);
CheckFinding policy(const PlanFacts& facts);
CheckFinding freshness(const PlanFacts& facts);
CheckFinding capacity(const PlanFacts& facts);
CheckFinding stateful(const PlanFacts& facts);
CheckFinding undo(const PlanFacts& facts);
CheckFinding disk_safety(const PlanFacts& facts);
CheckFinding degraded(const PlanFacts& facts);
CheckFinding captured(const PlanFacts& facts);
// questions_impact.cc: who feels it
CheckFinding blast_radius(const PlanFacts& facts);
CheckFinding downtime(const PlanFacts& facts);
CheckFinding dependencies(const PlanFacts& facts);
// questions_past.cc: what happened before, and what people have said
CheckFinding maintenance(const PlanFacts& facts);
CheckFinding cooldown(const PlanFacts& facts);
CheckFinding attempts(const PlanFacts& facts);
CheckFinding circuit_breaker(const PlanFacts& facts);
CheckFinding rate_limit(const PlanFacts& facts);
CheckFinding in_flight(const PlanFacts& facts);
CheckFinding flapping(const PlanFacts& facts);
CheckFinding duplicate(const PlanFacts& facts);
CheckFinding confidence(const PlanFacts& facts);
CheckFinding rollout(const PlanFacts& facts);
CheckFinding time_budget(const PlanFacts& facts);

}  // namespace observeai::controlplane::plan::questions
