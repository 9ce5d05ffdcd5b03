#include <algorithm>

#include "controlplane/plan/questions.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::plan::questions {

CheckFinding maintenance(const PlanFacts& facts) {
  constexpr const char* kName = "maintenance_freeze";
  const auto& freeze = facts.freeze;
  if (!freeze.active || (freeze.until_ms != 0 && freeze.until_ms <= facts.now_ms))
    return finding(kName, Verdict::kPass, "none", "no maintenance freeze is in force");
  if (only_reads(facts))
    return finding(kName, Verdict::kWarn, freeze.by, "a freeze is in force; this only reads");
  return finding(kName, Verdict::kFail, "set by " + freeze.by,
                 "a maintenance freeze is in force: " + freeze.reason);
}

CheckFinding cooldown(const PlanFacts& facts) {
  constexpr const char* kName = "cool_down";
  if (only_reads(facts)) return finding(kName, Verdict::kPass, "reads only", "nothing to cool");
  for (const auto& host : facts.hosts) {
    if (!host.last_attempt_ago_ms) continue;
    const auto wait = cooldown_ms(host.failures_in_a_row) - *host.last_attempt_ago_ms;
    if (wait <= 0) continue;
    return finding(kName, Verdict::kFail, text::format_duration_ms(wait) + " left",
                   "the same was done to " + host.target + " on " + name_of(host) + " " +
                       text::format_duration_ms(*host.last_attempt_ago_ms) + " ago");
  }
  return finding(kName, Verdict::kPass, "over", "not done to this target lately");
}

CheckFinding attempts(const PlanFacts& facts) {
  constexpr const char* kName = "attempts";
  for (const auto& host : facts.hosts) {
    if (only_reads(facts) || host.attempts_24h < kMaxAttempts) continue;
    return finding(kName, Verdict::kFail, std::to_string(host.attempts_24h) + " in 24 h",
                   "this did not help on " + name_of(host) + "; look for another cause");
  }
  return finding(kName, Verdict::kPass, "fewer than " + std::to_string(kMaxAttempts), "in 24 h");
}

CheckFinding circuit_breaker(const PlanFacts& facts) {
  constexpr const char* kName = "circuit_breaker";
  const auto until = breaker_open_until(facts.failures_ms, facts.now_ms);
  if (until == 0) return finding(kName, Verdict::kPass, "closed", "actions do not fail in a row");
  return finding(kName, Verdict::kFail,
                 "open for " + text::format_duration_ms(until - facts.now_ms),
                 "5 actions failed within 5 minutes: a person should look first");
}

CheckFinding rate_limit(const PlanFacts& facts) {
  constexpr const char* kName = "rate_limit";
  const auto value = std::to_string(facts.actions_last_hour) + " of " +
                     std::to_string(kMaxActionsPerHour) + " this hour";
  if (only_reads(facts) || facts.actions_last_hour < kMaxActionsPerHour)
    return finding(kName, Verdict::kPass, value, "plans with actions of this tenant");
  return finding(kName, Verdict::kFail, value, "wait, or find out why so many are needed");
}

CheckFinding in_flight(const PlanFacts& facts) {
  constexpr const char* kName = "in_flight";
  for (const auto& host : facts.hosts) {
    if (host.is_busy)
      return finding(kName, Verdict::kFail, host.target,
                     "another plan acts on it now, on " + name_of(host));
  }
  return finding(kName, Verdict::kPass, "none", "nothing else acts on these targets");
}

CheckFinding flapping(const PlanFacts& facts) {
  constexpr const char* kName = "flapping";
  if (!is_about_workload(facts) || only_reads(facts))
    return finding(kName, Verdict::kNotApplicable, "", "asked for workloads that change");
  std::uint32_t most = 0;
  std::string unknown;
  for (const auto& host : facts.hosts) {
    if (!host.restarts_30min) unknown = name_of(host);
    const auto restarts = host.restarts_30min.value_or(0);
    most = std::max(most, restarts);
    if (restarts < kFlapping) continue;
    const auto value = std::to_string(restarts) + " in 30 min";
    // A process that is ended is started again by what holds it: one more turn of the same wheel.
    if (facts.plan.action == "docker.restart" || facts.plan.action == "systemd.restart" ||
        facts.plan.action == "process.terminate") {
      return finding(kName, Verdict::kFail, value,
                     host.target + " restarts again and again; one more does not help");
    }
    return finding(kName, Verdict::kWarn, value, host.target + " restarts again and again");
  }
  if (!unknown.empty()) {
    return finding(kName, Verdict::kWarn, "unknown",
                   "nothing that is watched on " + unknown +
                       " holds it: how often it was started "
                       "is not known");
  }
  return finding(kName, Verdict::kPass, std::to_string(most) + " in 30 min",
                 "starts; 3 would be a loop");
}

CheckFinding duplicate(const PlanFacts& facts) {
  constexpr const char* kName = "duplicate";
  if (facts.same_plans.empty())
    return finding(kName, Verdict::kPass, "none", "no other open plan does the same");
  return finding(kName, Verdict::kFail, facts.same_plans.front(),
                 "does the same to one of these targets; cancel one of the two");
}

CheckFinding confidence(const PlanFacts&) {
  return finding("root_cause", Verdict::kNotApplicable, "not asked",
                 "no diagnosis stands behind this plan; a person chose the action");
}

CheckFinding rollout(const PlanFacts& facts) {
  constexpr const char* kName = "rollout";
  if (facts.hosts.size() <= 1)
    return finding(kName, Verdict::kPass, "one host", "no waves are needed");
  if (facts.plan.all_at_once)
    return finding(kName, Verdict::kWarn, "all at once", "no wave is tried before the others");
  return finding(kName, Verdict::kPass, "1, 5 %, 25 %, 100 %",
                 "each wave is verified before the next one begins");
}

CheckFinding time_budget(const PlanFacts& facts) {
  constexpr const char* kName = "time_budget";
  const auto value = text::format_duration_ms(facts.plan.timeout_ms);
  if (facts.plan.timeout_ms <= kMaxStepMs)
    return finding(kName, Verdict::kPass, value, "the host ends it after this time");
  return finding(kName, Verdict::kFail, value, "more than 5 minutes for one host");
}

}  // namespace observeai::controlplane::plan::questions
