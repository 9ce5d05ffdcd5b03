#include <algorithm>

#include "controlplane/plan/questions.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::plan::questions {
namespace {

// "web-1, web-2 and 5 more"
template <class Wanted>
std::string names(const PlanFacts& facts, Wanted wanted, std::size_t& count) {
  constexpr std::size_t kShown = 3;
  std::string out;
  count = 0;
  for (const auto& host : facts.hosts) {
    if (!wanted(host)) continue;
    if (++count > kShown) continue;
    out += (out.empty() ? "" : ", ") + name_of(host);
  }
  if (count > kShown) out += " and " + std::to_string(count - kShown) + " more";
  return out;
}

std::optional<std::int64_t> integer_parameter(const PlanFacts& facts, const char* name) {
  const auto found = facts.plan.parameters.find(name);
  if (found == facts.plan.parameters.end()) return std::nullopt;
  const auto* value = std::get_if<std::int64_t>(&found->second);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

}  // namespace

std::optional<double> number(const HostFacts& host, const char* name) {
  const auto found = host.facts.find(name);
  return found == host.facts.end() ? std::nullopt : text::parse_double(found->second);
}

bool is_true(const HostFacts& host, const char* name) {
  const auto found = host.facts.find(name);
  return found != host.facts.end() && found->second == "true";
}

CheckFinding finding(const char* name, Verdict verdict, std::string value, std::string sentence) {
  return {name, verdict, std::move(value), std::move(sentence)};
}

std::string name_of(const HostFacts& host) {
  return host.hostname.empty() ? host.agent.value() : host.hostname;
}

bool is_about_workload(const PlanFacts& facts) {
  return facts.manifest != nullptr && (facts.manifest->target.starts_with("container/") ||
                                       facts.manifest->target.starts_with("unit/") ||
                                       facts.manifest->target.starts_with("process/"));
}

bool only_reads(const PlanFacts& facts) {
  return facts.plan.tier == 0;
}

CheckFinding identity(const PlanFacts& facts) {
  constexpr const char* kName = "identity";
  std::size_t count = 0;
  const auto revoked = names(
      facts, [](const HostFacts& h) { return !h.is_active; }, count);
  if (count > 0)
    return finding(kName, Verdict::kFail, revoked, "not an active agent; nothing is signed for it");
  return finding(kName, Verdict::kPass, std::to_string(facts.hosts.size()) + " known",
                 "every host is an active agent with a result key");
}

CheckFinding action_known(const PlanFacts& facts) {
  constexpr const char* kName = "action";
  if (facts.manifest == nullptr || facts.manifest->version != facts.plan.action_version ||
      actions::manifest_hash(*facts.manifest) != facts.plan.manifest) {
    return finding(kName, Verdict::kFail, facts.plan.action,
                   "not in the catalogue in this form; make a new plan");
  }
  if (const auto checked = actions::check_parameters(*facts.manifest, facts.plan.parameters);
      !checked) {
    return finding(kName, Verdict::kFail, facts.plan.action, checked.error().message());
  }
  return finding(kName, Verdict::kPass,
                 facts.plan.action + " v" + std::to_string(facts.manifest->version),
                 "in the catalogue, parameters fit its schema");
}

CheckFinding target_exists(const PlanFacts& facts) {
  constexpr const char* kName = "target";
  for (const auto& host : facts.hosts) {
    if (!host.is_simulated)
      return finding(kName, Verdict::kFail, name_of(host), "this host did not answer the dry run");
    if (!host.refusal.empty()) {
      return finding(
          kName, Verdict::kFail, name_of(host) + ": " + host.refusal,
          host.refusal_message.empty() ? "the host would not do it" : host.refusal_message);
    }
  }
  return finding(kName, Verdict::kPass, std::to_string(facts.hosts.size()) + " found",
                 "the dry run found it on every host; a change of its state voids the approval");
}

CheckFinding kill_switch(const PlanFacts& facts) {
  constexpr const char* kName = "kill_switch";
  for (const auto& host : facts.hosts) {
    // Of its last hello; since then it has answered the dry run, for which it must know the time.
    if (host.executor == "ready" || (host.executor == "time unknown" && host.is_simulated))
      continue;
    if (host.executor.empty()) {
      return finding(kName, Verdict::kFail, name_of(host),
                     "it has no executor: install and start observeai-executor there");
    }
    return finding(kName, Verdict::kFail, name_of(host) + ": " + host.executor,
                   "its executor takes no commands to execute now");
  }
  return finding(kName, Verdict::kPass, "off", "every executor says that it is ready");
}

CheckFinding policy(const PlanFacts& facts) {
  constexpr const char* kName = "policy";
  std::size_t count = 0;
  const auto changed = names(
      facts,
      [](const HostFacts& h) {
        return h.policy && h.simulated_policy && *h.policy != *h.simulated_policy;
      },
      count);
  if (count > 0) {
    return finding(kName, Verdict::kFail, changed,
                   "the host's policy changed since the dry run; simulate again");
  }
  return finding(kName, Verdict::kPass, "unchanged",
                 "each host's own policy let the dry run pass, and decides again before it acts");
}

CheckFinding freshness(const PlanFacts& facts) {
  constexpr const char* kName = "data_freshness";
  std::int64_t oldest = 0;
  for (const auto& host : facts.hosts) {
    if (!host.seen_ago_ms)
      return finding(kName, Verdict::kFail, name_of(host), "it was never seen");
    if (*host.seen_ago_ms >= kFreshMs) {
      return finding(kName, Verdict::kFail,
                     name_of(host) + ": " + text::format_duration_ms(*host.seen_ago_ms),
                     "not seen for 2 minutes: what is known of it is too old");
    }
    oldest = std::max(oldest, *host.seen_ago_ms);
  }
  return finding(kName, Verdict::kPass, text::format_duration_ms(oldest), "oldest sign of life");
}

CheckFinding capacity(const PlanFacts& facts) {
  constexpr const char* kName = "capacity";
  const auto wanted = integer_parameter(facts, "memory_bytes");
  if (!wanted) return finding(kName, Verdict::kNotApplicable, "", "it asks for no more memory");
  for (const auto& host : facts.hosts) {
    const auto free = number(host, facts::kMemoryFree);
    if (!free) return finding(kName, Verdict::kWarn, name_of(host), "its free memory is not known");
    // The whole limit: what of it is used already is part of what is not free.
    const double needed = static_cast<double>(*wanted) * kMemoryMargin;
    if (*free < needed) {
      return finding(kName, Verdict::kFail, text::format_bytes(*free) + " free",
                     "too little memory on " + name_of(host) + " for this limit");
    }
    if (*free < static_cast<double>(*wanted)) {
      return finding(kName, Verdict::kWarn, text::format_bytes(*free) + " free",
                     "the limit is more than what is free on " + name_of(host));
    }
  }
  return finding(kName, Verdict::kPass, text::format_bytes(static_cast<double>(*wanted)),
                 "fits into the free memory");
}

CheckFinding stateful(const PlanFacts& facts) {
  constexpr const char* kName = "stateful";
  if (!is_about_workload(facts) || only_reads(facts))
    return finding(kName, Verdict::kNotApplicable, "", "not about a workload");
  std::size_t count = 0;
  const auto holders = names(
      facts, [](const HostFacts& h) { return is_true(h, facts::kHasVolumes); }, count);
  if (count == 0)
    return finding(kName, Verdict::kPass, "no volumes", "it holds no data of its own");
  return finding(kName,
                 facts.plan.tier > 1 && !facts.plan.roll_back ? Verdict::kFail : Verdict::kWarn,
                 holders,
                 facts.plan.tier > 1 && !facts.plan.roll_back
                     ? "it has volumes; make the plan with --roll-back"
                     : "it has volumes: its data stays, what it is doing is cut short");
}

CheckFinding undo(const PlanFacts& facts) {
  constexpr const char* kName = "rollback";
  if (only_reads(facts))
    return finding(kName, Verdict::kNotApplicable, "", "there is nothing to undo");
  if (facts.manifest == nullptr || !facts.manifest->undo) {
    return finding(kName, facts.plan.tier > 1 ? Verdict::kWarn : Verdict::kPass, "none",
                   facts.plan.tier > 1 ? "this cannot be undone" : "a restart needs none");
  }
  for (const auto& host : facts.hosts) {
    if (host.facts.contains(facts::kImageLocal) && !is_true(host, facts::kImageLocal)) {
      return finding(kName, Verdict::kFail, name_of(host),
                     "the image to go to is not on this host");
    }
  }
  return finding(kName, Verdict::kPass, facts.plan.roll_back ? "by itself" : "by hand",
                 facts.plan.roll_back
                     ? "the host puts it back when its own check right after it fails"
                     : "possible; --roll-back lets the host do it when its own check fails");
}

CheckFinding disk_safety(const PlanFacts& facts) {
  constexpr const char* kName = "disk_safety";
  if (!facts.plan.action.starts_with("disk."))
    return finding(kName, Verdict::kNotApplicable, "", "no files are removed");
  for (const auto& host : facts.hosts) {
    if (const auto open = number(host, facts::kOpenFiles); open && *open > 0) {
      return finding(kName, Verdict::kWarn, host.facts.at(facts::kOpenFiles) + " open",
                     "old enough and held by a process on " + name_of(host) + ": these stay");
    }
  }
  return finding(kName, Verdict::kPass, "none in use",
                 "only directories that the host's policy lists; no link is followed");
}

CheckFinding degraded(const PlanFacts& facts) {
  constexpr const char* kName = "agent_health";
  std::size_t count = 0;
  const auto weak = names(
      facts, [](const HostFacts& h) { return h.is_degraded; }, count);
  if (count == 0) return finding(kName, Verdict::kPass, "well", "no agent sheds load");
  return finding(kName, only_reads(facts) ? Verdict::kWarn : Verdict::kFail, weak,
                 "the agent sheds load: what it would say afterwards is incomplete");
}

CheckFinding captured(const PlanFacts& facts) {
  constexpr const char* kName = "state_captured";
  if (only_reads(facts)) return finding(kName, Verdict::kNotApplicable, "", "nothing changes");
  std::size_t count = 0;
  const auto without = names(
      facts, [](const HostFacts& h) { return !h.has_state; }, count);
  if (count == 0)
    return finding(kName, Verdict::kPass, "yes", "the state from before is known and signed");
  return finding(kName, Verdict::kFail, without, "its state from before is not known");
}

}  // namespace observeai::controlplane::plan::questions
