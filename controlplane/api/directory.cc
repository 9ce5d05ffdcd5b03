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

bool is_container_id(std::string_view text) {
  return text.size() == kContainerIdLength &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_prefix(const std::string& text, const std::string& whole) {
  return text.size() >= kShortestPrefix && whole.starts_with(text);
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
  if (!is_mine(agent)) return static_cast<const model::HostInventory*>(nullptr);
  auto found = inventories_.find(agent);
  if (found == inventories_.end()) {
    if (all_inventories_) return static_cast<const model::HostInventory*>(nullptr);
    TRY(auto read, telemetry_.inventory(agent));
    found = inventories_.emplace(agent, std::move(read)).first;
  }
  return found->second ? &*found->second : static_cast<const model::HostInventory*>(nullptr);
}

Answer<std::vector<const model::HostInventory*>> Directory::inventories(
    const std::string& host_text) {
  std::vector<const model::HostInventory*> out;
  if (!host_text.empty()) {
    TRY(const auto agent, host(host_text));
    TRY(const auto* one, inventory(agent.id));
    if (one != nullptr) out.push_back(one);
    return out;
  }
  if (!all_inventories_) {
    TRY(auto all, telemetry_.inventories(tenant_));
    inventories_.clear();
    for (auto& one : all) {
      const AgentId agent = one.agent;
      if (is_mine(agent)) inventories_.emplace(agent, std::move(one));
    }
    all_inventories_ = true;
  }
  for (const auto& [agent, one] : inventories_) {
    if (one) out.push_back(&*one);
  }
  return out;
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
  TRY(const auto where, inventories(host_text));
  std::vector<Match> exact;
  std::vector<Match> begun;
  std::vector<Match> loose;  // By service or by a part of the name, where the others find nothing
  std::vector<Match> loose_running;
  for (const auto* inventory : where) {
    for (const auto& container : inventory->containers) {
      if (kind != "" && kind != "container") break;
      const Match match{inventory, "container/" + container.id, container.name};
      if (container.id == rest || container.name == rest) {
        exact.push_back(match);
      } else if (is_prefix(rest, container.id)) {
        begun.push_back(match);
      } else if (rest.size() >= kShortestPart &&
                 (container.service == rest || container.name.find(rest) != std::string::npos)) {
        (container.state == "running" ? loose_running : loose).push_back(match);
      }
    }
    for (const auto& unit : inventory->units) {
      if (kind == "unit" ? unit.name == rest
                         : kind.empty() && (unit.name == rest || unit.name == rest + ".service")) {
        // A container's own name is meant before a unit's without its ".service".
        (kind.empty() && unit.name != rest ? begun : exact)
            .push_back({inventory, "unit/" + unit.name, unit.name});
      }
    }
    for (const auto& process : inventory->processes) {
      if (kind == "process" && process.key == rest)
        exact.push_back({inventory, text, process.name});
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
  return unknown_target(text, where);
}

Answer<ResolvedTarget> Directory::one_of(const std::vector<Match>& matches,
                                         const std::string& text) {
  if (matches.size() == 1)
    return ResolvedTarget{matches.front().inventory->agent, matches.front().target};
  Problem problem(
      409, Errc::kInvalid,
      "\"" + log::printable(text, 80) + "\" names " + std::to_string(matches.size()) + " targets",
      "name the host, or use the target of one of the candidates");
  problem.parameter = "target";
  for (const auto& match : matches) {
    if (problem.candidates.size() < kMaxCandidates) {
      problem.candidates.push_back(candidate(match.inventory->agent, match.target, match.name));
    }
  }
  return problem;
}

Problem Directory::unknown_target(const std::string& text,
                                  const std::vector<const model::HostInventory*>& where) {
  std::vector<std::string> names = {wire::kHostTarget};
  for (const auto* inventory : where) {
    for (const auto& container : inventory->containers) names.push_back(container.name);
    for (const auto& unit : inventory->units) {
      names.push_back(unit.name);
      names.push_back("unit/" + unit.name);
    }
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
  const bool plain = target == wire::kHostTarget || target.starts_with("unit/");
  const auto known = plain ? Answer<const model::HostInventory*>(nullptr) : inventory(agent);
  return name_in(known ? *known : nullptr, target);
}

}  // namespace observeai::controlplane::api
