// Who feels it: how much goes down, for how long, and what depends on it.
#include <algorithm>

#include "controlplane/plan/questions.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::plan::questions {
namespace {

// Units that hold every container of their host.
bool is_runtime(const std::string& target) {
  return target == "unit/docker.service" || target == "unit/containerd.service" ||
         target == "unit/docker.socket";
}

// "1 of 3 replicas of shop (33 %)": what of the service is away meanwhile.
std::string share_of(const HostFacts& host, bool goes_down) {
  const auto replicas = number(host, facts::kReplicas);
  if (!goes_down) return "1 workload, which goes on";
  if (!replicas || *replicas < 1) return "1 workload";
  const auto count = static_cast<std::int64_t>(*replicas);
  const auto service = host.facts.find(facts::kService);
  return "1 of " + std::to_string(count) + (count == 1 ? " replica" : " replicas") +
         (service == host.facts.end() ? "" : " of " + service->second) + " (" +
         std::to_string(100 / count) + " %)";
}

std::string extent(const PlanFacts& facts) {
  if (facts.hosts.size() != 1) return std::to_string(facts.hosts.size()) + " hosts";
  const auto& host = facts.hosts.front();
  if (host.target.starts_with("unit/") && host.changes > 1)
    return std::to_string(host.changes) + " units, restarted along";
  if (!is_about_workload(facts)) return "1 host";
  return share_of(host, host.downtime_ms > 0);
}

// "db is unhealthy, queue is restarting"
std::string troubles(const std::vector<HostFacts::Neighbour>& neighbours) {
  std::string out;
  for (const auto& one : neighbours) {
    if (!one.trouble.empty()) out += (out.empty() ? "" : ", ") + one.name + " is " + one.trouble;
  }
  return out;
}

CheckFinding not_known(std::string sentence) {
  return finding("dependencies", Verdict::kWarn, "unknown", std::move(sentence));
}

// What is around the target of one host; nullopt: nothing to say.
std::optional<CheckFinding> around(const PlanFacts& facts, const HostFacts& host) {
  constexpr const char* kName = "dependencies";
  if (!host.neighbours || host.neighbours->empty()) {
    return not_known("who depends on " + host.target +
                     " is not known: it has no neighbours in a compose project");
  }
  const auto wrong = troubles(*host.neighbours);
  if (wrong.empty()) return std::nullopt;
  // A store that is taken from those who are in trouble already.
  if (!is_true(host, facts::kHasVolumes))
    return finding(kName, Verdict::kWarn, wrong, "in the same project, " + host.project);
  if (facts.plan.accept_blast_radius) {
    return finding(kName, Verdict::kWarn, wrong,
                   "they may depend on its data; the requester accepted that");
  }
  return finding(kName, Verdict::kFail, wrong,
                 "they may depend on its data and are in trouble already; look there first, or "
                 "make the plan with --accept-blast-radius");
}

}  // namespace

CheckFinding blast_radius(const PlanFacts& facts) {
  constexpr const char* kName = "blast_radius";
  if (only_reads(facts)) return finding(kName, Verdict::kPass, "reads only", "nothing is changed");
  const std::string value = extent(facts);
  std::string too_much;
  if (facts.hosts.size() > 1) too_much = "more than one host";
  for (const auto& host : facts.hosts) {
    const auto replicas = number(host, facts::kReplicas);
    // One of one is the downtime check's question; one of a few is what a restart always is.
    if (is_about_workload(facts) && replicas && *replicas > 1 &&
        1.0 / *replicas > kMaxShareOfService && too_much.empty() && facts.plan.tier > 1)
      too_much = "more than 20 % of the service's replicas";
    if (is_runtime(host.target)) too_much = "every container of the host";
  }
  if (too_much.empty()) return finding(kName, Verdict::kPass, value, "one workload on one host");
  if (facts.plan.accept_blast_radius)
    return finding(kName, Verdict::kWarn, value, too_much + "; the requester accepted that");
  return finding(kName, Verdict::kFail, value,
                 too_much + "; make the plan with --accept-blast-radius if that is meant");
}

CheckFinding downtime(const PlanFacts& facts) {
  constexpr const char* kName = "downtime";
  std::uint32_t longest = 0;
  bool single = false;
  for (const auto& host : facts.hosts) {
    longest = std::max(longest, host.downtime_ms);
    if (host.downtime_ms > 0 && number(host, facts::kReplicas).value_or(1) <= 1) single = true;
  }
  if (longest == 0) return finding(kName, Verdict::kPass, "none", "no interruption is expected");
  const std::string value = "about " + text::format_duration_ms(longest);
  if (!single) return finding(kName, Verdict::kPass, value, "other replicas serve meanwhile");
  if (facts.plan.accept_downtime)
    return finding(kName, Verdict::kWarn, value, "no other replica; the requester accepted that");
  return finding(kName, Verdict::kFail, value,
                 "no other replica serves meanwhile; make the plan with --accept-downtime");
}

CheckFinding dependencies(const PlanFacts& facts) {
  constexpr const char* kName = "dependencies";
  if (only_reads(facts)) return finding(kName, Verdict::kPass, "reads only", "nothing goes down");
  for (const auto& host : facts.hosts) {
    if (!is_own_infrastructure(host)) continue;
    return finding(kName, Verdict::kFail, host.target,
                   "a part of ObserveAI itself: nobody would be left to verify or undo this");
  }
  if (facts.plan.action.starts_with("disk.") || facts.plan.action == "docker.prune")
    return finding(kName, Verdict::kNotApplicable, "", "no service goes down");
  if (!is_about_workload(facts)) {
    return not_known("who depends on " + (facts.hosts.empty() ? "it" : facts.hosts[0].target) +
                     " is not known");
  }
  std::optional<CheckFinding> worst;
  std::size_t count = 0;
  for (const auto& host : facts.hosts) {
    auto found = around(facts, host);
    if (host.neighbours) count += host.neighbours->size();
    if (found && (!worst || found->verdict == Verdict::kFail)) worst = std::move(found);
  }
  if (worst) return *worst;
  return finding(kName, Verdict::kPass, std::to_string(count) + " neighbours well",
                 "the others of its compose project; calls between services are not watched yet");
}

}  // namespace observeai::controlplane::plan::questions
