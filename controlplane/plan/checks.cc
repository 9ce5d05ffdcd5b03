#include "controlplane/plan/checks.h"

#include <algorithm>
#include <array>

#include "controlplane/plan/questions.h"
#include "protocol/actions/own_parts.h"

namespace observeai::controlplane::plan {
namespace {

using model::CheckFinding;
using model::Verdict;

template <int Which>
CheckFinding kubernetes(const PlanFacts&) {
  constexpr std::array kNames{"disruption_budget", "gitops", "quorum"};
  return questions::finding(kNames[Which], Verdict::kNotApplicable, "", "for Kubernetes only");
}

// In the order of the catalogue of checks.
constexpr SafetyCheck kChecks[] = {
    {"identity", questions::identity},
    {"action", questions::action_known},
    {"target", questions::target_exists},
    {"kill_switch", questions::kill_switch},
    {"policy", questions::policy},
    {"maintenance_freeze", questions::maintenance},
    {"blast_radius", questions::blast_radius},
    {"downtime", questions::downtime},
    {"disruption_budget", kubernetes<0>},
    {"dependencies", questions::dependencies},
    {"cool_down", questions::cooldown},
    {"attempts", questions::attempts},
    {"circuit_breaker", questions::circuit_breaker},
    {"rate_limit", questions::rate_limit},
    {"in_flight", questions::in_flight},
    {"flapping", questions::flapping},
    {"duplicate", questions::duplicate},
    {"root_cause", questions::confidence},
    {"data_freshness", questions::freshness},
    {"capacity", questions::capacity},
    {"stateful", questions::stateful},
    {"rollout", questions::rollout},
    {"gitops", kubernetes<1>},
    {"rollback", questions::undo},
    {"disk_safety", questions::disk_safety},
    {"time_budget", questions::time_budget},
    {"quorum", kubernetes<2>},
    {"agent_health", questions::degraded},
    {"state_captured", questions::captured},
};

}  // namespace

std::span<const SafetyCheck> safety_checks() {
  return kChecks;
}

std::vector<CheckFinding> run_checks(const PlanFacts& facts) {
  std::vector<CheckFinding> findings;
  findings.reserve(std::size(kChecks));
  for (const auto& check : kChecks) findings.push_back(check.ask(facts));
  return findings;
}

bool may_go_on(const std::vector<CheckFinding>& findings) {
  return std::none_of(findings.begin(), findings.end(),
                      [](const CheckFinding& one) { return one.verdict == Verdict::kFail; });
}

std::string why_not(const std::vector<CheckFinding>& findings) {
  std::string out;
  for (const auto& one : findings) {
    if (one.verdict != Verdict::kFail) continue;
    out += (out.empty() ? "" : "; ") + one.name + " (" + one.value + "): " + one.sentence;
  }
  return out;
}

std::vector<std::string> why_approval(const model::PlanRecord& plan) {
  switch (plan.tier) {
    case 0:
      return {"catalogue/tier-0: it only reads; nobody has to approve"};
    case 1:
      return {"catalogue/tier-1: reversible, on one workload; one approver, not the requester"};
    default:
      return {"catalogue/tier-2: wider or irreversible; two approvers, none the requester"};
  }
}

std::int64_t breaker_open_until(const std::vector<std::int64_t>& failures_ms, std::int64_t now_ms) {
  for (std::size_t i = 0; i + kBreakerFailures <= failures_ms.size(); ++i) {
    const auto newest = failures_ms[i];
    if (newest - failures_ms[i + kBreakerFailures - 1] > kBreakerWindowMs) continue;
    const auto until = newest + kBreakerOpenMs;
    return until > now_ms ? until : 0;
  }
  return 0;
}

std::int64_t cooldown_ms(std::uint32_t failures_in_a_row) {
  constexpr std::uint32_t kMostDoublings = 10;
  return std::min(kMaxCooldownMs, kCooldownMs << std::min(failures_in_a_row, kMostDoublings));
}

bool is_own_infrastructure(const HostFacts& host) {
  const bool is_workload =
      host.target.starts_with("container/") || host.target.starts_with("unit/");
  return (is_workload && actions::is_own_part(host.target)) ||
         std::any_of(host.also_called.begin(), host.also_called.end(),
                     [](const std::string& one) { return actions::is_own_part(one); });
}

}  // namespace observeai::controlplane::plan
