#include "controlplane/api/directory.h"

#include "controlplane/api/name_book.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

constexpr std::size_t kShortestPrefix = 4;
constexpr std::size_t kShortestPart = 3;  // Of a name
constexpr std::size_t kMaxCandidates = 20;
constexpr std::size_t kContainerIdLength = 64;
// Rows of more hosts than this get their names from one pass over the index of names.
constexpr std::size_t kFewInventories = 8;

bool is_container_id(std::string_view text) {
  return text.size() == kContainerIdLength &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_prefix(const std::string& text, const std::string& whole) {
  return text.size() >= kShortestPrefix && whole.starts_with(text);
}

// "unit/ssh.service" -> "unit", "ssh.service"
std::pair<std::string, std::string> parts_of(const wire::Target& target) {
  const auto slash = target.find('/');
  if (slash == wire::Target::npos) return {"", target};
  return {target.substr(0, slash), target.substr(slash + 1)};
}

std::string did_you_mean(const std::string& text, const std::vector<std::string>& names,
                         const std::string& otherwise) {
  const auto near = text::nearest(text, names);
  return near ? "did you mean " + *near + "?" : otherwise;
}

}  // namespace

Answer<const std::map<AgentId, model::AgentRecord>*> Directory::agents() {
  if (!agents_) {
    TRY(auto list, registry_.list(tenant_));
    agents_.emplace();
    for (auto& agent : list) agents_->emplace(agent.id, std::move(agent));
  }
  return &*agents_;
}

Candidate Directory::candidate(const AgentId& agent, const wire::Target& target,
                               const std::string& name) {
  return {agent.value(), hostname(agent), target, name};
}

Answer<model::AgentRecord> Directory::host(const std::string& text) {
  TRY(const auto* known, agents());
  std::vector<const model::AgentRecord*> exact;
  std::vector<const model::AgentRecord*> begun;
  std::vector<std::string> names;
  for (const auto& [id, agent] : *known) {
    if (id.value() == text) return agent;
    if (agent.hostname == text) exact.push_back(&agent);
    if (is_prefix(text, id.value())) begun.push_back(&agent);
    names.push_back(agent.hostname);
  }
  // A host that was enrolled again has revoked namesakes; the living one is meant.
  const auto living = std::count_if(exact.begin(), exact.end(), [](const auto* agent) {
    return agent->state != model::AgentState::kRevoked;
  });
  if (living == 1)
    std::erase_if(exact,
                  [](const auto* agent) { return agent->state == model::AgentState::kRevoked; });
  const auto& found = exact.empty() ? begun : exact;
  if (found.size() == 1) return *found.front();
  if (found.empty()) {
    Problem problem(404, Errc::kNotFound, "no host \"" + log::printable(text, 80) + "\"",
                    did_you_mean(text, names, "`observeai hosts` lists them"));
    problem.parameter = "host";
    return problem;
  }
  Problem problem(
      409, Errc::kInvalid,
      "\"" + log::printable(text, 80) + "\" names " + std::to_string(found.size()) + " hosts",
      "use the agent id of one of the candidates");
  problem.parameter = "host";
  for (const auto* agent : found) {
    if (problem.candidates.size() < kMaxCandidates)
      problem.candidates.push_back(candidate(agent->id, "", agent->hostname));
  }
  return problem;
}

Answer<model::AgentRecord> Directory::exact_agent(const std::string& id) {
  TRY(const auto* known, agents());
  const auto parsed = AgentId::parse(id);
  const auto found = parsed ? known->find(*parsed) : known->end();
  if (found != known->end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known_id, agent] : *known) names.push_back(known_id.value());
  return Problem(
      404, Errc::kNotFound, "no agent \"" + log::printable(id, 80) + "\"",
      did_you_mean(id, names, "give the whole agent id; `observeai agent list` lists them"));
}

Answer<const model::HostInventory*> Directory::inventory(const AgentId& agent) {
  auto found = inventories_.find(agent);
  if (found == inventories_.end()) {
    TRY(auto read, read_inventory(agent));
    found = inventories_.emplace(agent, std::move(read)).first;
  }
  return found->second ? &*found->second : static_cast<const model::HostInventory*>(nullptr);
}

Answer<std::optional<model::HostInventory>> Directory::read_inventory(const AgentId& agent) {
  if (!is_mine(agent)) return std::optional<model::HostInventory>();
  TRY(auto read, telemetry_.inventory(agent));
  return read;
}

Answer<std::vector<AgentId>> Directory::hosts(const std::string& host_text) {
  std::vector<AgentId> out;
  if (!host_text.empty()) {
    TRY(const auto agent, host(host_text));
    out.push_back(agent.id);
    return out;
  }
  TRY(const auto* known, agents());
  for (const auto& [id, agent] : *known) out.push_back(id);
  return out;
}

Answer<std::vector<model::InventoryCounts>> Directory::counts() {
  TRY(auto counts, telemetry_.inventory_counts(tenant_));
  std::erase_if(counts, [this](const auto& one) { return !is_mine(one.agent); });
  return counts;
}

Answer<std::vector<model::TargetName>> Directory::target_names(const AgentId& only,
                                                               const std::string& text) {
  TRY(auto names, telemetry_.target_names(tenant_, text));
  std::erase_if(names, [&](const auto& one) {
    return only.empty() ? !is_mine(one.agent) : one.agent != only;
  });
  return names;
}

Answer<ResolvedTarget> Directory::target(const std::string& text, const std::string& host_text) {
  ResolvedTarget resolved;
  if (!host_text.empty()) {
    TRY(const auto agent, host(host_text));
    resolved.agent = agent.id;
  }
  resolved.target = text;
  if (text.empty() || text == wire::kHostTarget) return resolved;

  const auto slash = text.find('/');
  const std::string kind = slash == std::string::npos ? "" : text.substr(0, slash);
  const std::string rest = slash == std::string::npos ? text : text.substr(slash + 1);
  if (kind == "file" || kind == "pod") return resolved;  // In no inventory: whole or not at all
  TRY(const auto names, target_names(resolved.agent, rest));
  std::vector<model::TargetName> exact;
  std::vector<model::TargetName> begun;
  std::vector<model::TargetName>
      loose;  // By service or by a part of the name, if nothing else fits
  std::vector<model::TargetName> loose_running;
  for (const auto& one : names) {
    const auto [its_kind, id] = parts_of(one.target);
    if (its_kind == "container" && (kind.empty() || kind == its_kind)) {
      if (id == rest || one.name == rest) {
        exact.push_back(one);
      } else if (is_prefix(rest, id)) {
        begun.push_back(one);
      } else if (rest.size() >= kShortestPart &&
                 (one.service == rest || one.name.find(rest) != std::string::npos)) {
        (one.is_running ? loose_running : loose).push_back(one);
      }
    } else if (its_kind == "unit" && (kind.empty() || kind == its_kind)) {
      // A container's own name is meant before a unit's without its ".service".
      if (id == rest) exact.push_back(one);
      if (kind.empty() && id == rest + ".service") begun.push_back(one);
    } else if (its_kind == "process" && kind == its_kind && id == rest) {
      exact.push_back(one);
    }
  }
  for (const auto* matches : {&exact, &begun, &loose_running, &loose}) {
    if (!matches->empty()) return one_of(*matches, text);
  }
  // A container that is gone from the inventory still has its logs.
  if ((kind.empty() || kind == "container") && is_container_id(rest)) {
    resolved.target = "container/" + rest;
    return resolved;
  }
  if (kind.empty() || kind == "unit") {
    TRY(const auto logged, units_with_logs(resolved.agent, rest));
    if (!logged.empty()) return one_of(logged, text);
  }
  return unknown_target(text, resolved.agent);
}

// Units that no inventory lists: gone ones, and "sshd@.service" for the many of which none has a name
// of its own.
Answer<std::vector<model::TargetName>> Directory::units_with_logs(const AgentId& only,
                                                                  const std::string& unit) {
  const wire::Target target = "unit/" + (unit.ends_with(".service") ? unit : unit + ".service");
  TRY(const auto rows, telemetry_.ledger(only));
  std::vector<model::TargetName> found;
  for (const auto& row : rows) {
    if (row.entry.source != "log/" + target || !is_mine(row.agent)) continue;
    model::TargetName name;
    name.agent = row.agent;
    name.target = target;
    name.name = target.substr(target.find('/') + 1);
    found.push_back(std::move(name));
  }
  return found;
}

Answer<ResolvedTarget> Directory::one_of(const std::vector<model::TargetName>& matches,
                                         const std::string& text) {
  if (matches.size() == 1) return ResolvedTarget{matches.front().agent, matches.front().target};
  Problem problem(
      409, Errc::kInvalid,
      "\"" + log::printable(text, 80) + "\" names " + std::to_string(matches.size()) + " targets",
      "name the host, or use the target of one of the candidates");
  problem.parameter = "target";
  for (const auto& match : matches) {
    if (problem.candidates.size() < kMaxCandidates)
      problem.candidates.push_back(candidate(match.agent, match.target, match.name));
  }
  return problem;
}

Answer<ResolvedTarget> Directory::unknown_target(const std::string& text, const AgentId& only) {
  std::vector<std::string> names = {wire::kHostTarget};
  TRY(const auto known, target_names(only, ""));
  for (const auto& one : known) {
    const auto [kind, id] = parts_of(one.target);
    if (kind == "process") continue;
    names.push_back(one.name);
    if (kind == "unit") names.push_back(one.target);
  }
  Problem problem(
      404, Errc::kNotFound, "no target \"" + log::printable(text, 100) + "\"",
      did_you_mean(text, names,
                   "`observeai containers --all` and `observeai services` list what there is"));
  problem.parameter = "target";
  return problem;
}

bool Directory::is_mine(const AgentId& agent) {
  const auto known = agents();
  return known && (*known)->contains(agent);
}

std::string Directory::hostname(const AgentId& agent) {
  const auto known = agents();
  if (!known) return "";
  const auto found = (*known)->find(agent);
  return found == (*known)->end() ? "" : found->second.hostname;
}

std::string Directory::name(const AgentId& agent, const wire::Target& target) {
  if (target == wire::kHostTarget || target.starts_with("unit/")) return name_in(nullptr, target);
  if (!names_ && (inventories_.contains(agent) || inventories_.size() < kFewInventories)) {
    const auto known = inventory(agent);
    return name_in(known ? *known : nullptr, target);
  }
  if (!names_) {
    names_.emplace();
    auto read = target_names(AgentId(), "");
    if (read) {
      for (auto& one : *read)
        names_->emplace(std::pair(one.agent, one.target), std::move(one.name));
    }
  }
  const auto found = names_->find(std::pair(agent, target));
  return found == names_->end() ? target : found->second;
}

}  // namespace observeai::controlplane::api
