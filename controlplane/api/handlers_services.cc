// Services: workloads that do one job, derived from containers and systemd units.
#include <set>

#include <boost/json.hpp>

#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/sight.h"
#include "controlplane/api/to_json.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

// Named in one row, those with trouble first; `total` counts all. A unit that runs on each of 1,000 hosts
// would be a thousand members, and the answer ten megabytes.
constexpr std::size_t kMaxMembers = 100;

struct Member {
  AgentId agent;
  std::string hostname;
  bool host_is_online = false;
  bool is_known = true;  // What runs now, not what ran when it was last seen
  wire::Target target;
  std::string name;
  std::string state;
  std::string health;
  std::uint32_t restarts = 0;
  bool runs = false;
  std::string trouble;  // "" = none
};
struct Service {
  std::vector<Member> members;
};
struct ServiceKey {
  std::string project;
  std::string name;
  std::string kind;
  auto operator<=>(const ServiceKey&) const = default;
};

struct Verdict {
  const char* health;
  std::string reason;
};

Verdict roll_up(const Service& service) {
  std::size_t running = 0;
  std::string trouble;
  bool any_online = false;
  bool any_known = false;
  for (const auto& member : service.members) {
    any_online = any_online || member.host_is_online;
    any_known = any_known || member.is_known;
    if (member.runs) ++running;
    if (!member.trouble.empty() && trouble.empty()) trouble = member.name + " " + member.trouble;
  }
  if (!any_online) return {"unknown", "its hosts are offline"};
  if (!any_known) return {"unknown", "Docker does not answer there"};
  if (running == 0) return {"down", trouble};
  return {trouble.empty() ? "healthy" : "degraded", trouble};
}

Member container_member(const wire::Container& c) {
  Member member;
  member.target = "container/" + c.id;
  member.name = c.name;
  member.state = c.state;
  member.health = c.health;
  member.restarts = c.restart_count;
  member.runs = c.state == "running";
  if (!member.runs) {
    member.trouble = "is " + c.state;
    if (c.state == "exited" && c.finished_ms > 0)
      member.trouble += " with code " + std::to_string(c.exit_code);
    if (c.oom_killed) member.trouble += " (out of memory)";
  } else if (c.health == "unhealthy" || c.health == "starting") {
    member.trouble = "is " + c.health;
  }
  return member;
}

Member unit_member(const wire::SystemdUnit& unit) {
  Member member;
  member.target = "unit/" + unit.name;
  member.name = unit.name;
  member.state = unit.active_state;
  member.restarts = unit.restarts;
  member.runs = unit.active_state == "active" || unit.active_state == "reloading";
  if (unit.active_state != "active") member.trouble = "is " + unit.active_state;
  return member;
}

json::object member_json(const Member& member) {
  return {{"agent_id", member.agent.value()},
          {"hostname", member.hostname},
          {"target", member.target},
          {"name", member.name},
          {"state", member.is_known ? member.state : "unknown"},
          {"health", member.is_known ? member.health : ""}};
}

json::object service_json(const ServiceKey& key, const Service& service) {
  json::array members;
  json::array hosts;
  std::set<std::string> hostnames;
  std::int64_t running = 0;
  std::int64_t restarts = 0;
  for (const auto& member : service.members) {
    running += member.runs ? 1 : 0;
    restarts += member.restarts;
    hostnames.insert(member.hostname);
  }
  for (const bool in_trouble : {true, false}) {
    for (const auto& member : service.members) {
      if (members.size() == kMaxMembers) break;
      if (member.trouble.empty() != in_trouble) members.push_back(member_json(member));
    }
  }
  for (const auto& hostname : hostnames) hosts.emplace_back(hostname);
  const auto verdict = roll_up(service);
  return {{"name", key.name},
          {"kind", key.kind},
          {"project", key.project},
          {"health", verdict.health},
          {"reason", verdict.reason},
          {"running", running},
          {"total", service.members.size()},
          {"restarts", restarts},
          {"hosts", std::move(hosts)},
          {"members", std::move(members)}};
}

// Containers that were run once and ended, outside of any project, are no service.
bool is_leftover(const ServiceKey& key, const Service& service) {
  return key.kind == "container" && key.project.empty() &&
         std::none_of(service.members.begin(), service.members.end(), [](const auto& member) {
           return member.runs || member.state == "restarting";
         });
}

void collect(std::map<ServiceKey, Service>& services, const model::HostInventory& inventory,
             const model::AgentRecord& host, std::int64_t now_ms) {
  const bool online = is_online(host, now_ms);
  const bool sees_containers = sight_of(host, inventory.host, now_ms).is_known;
  const auto add = [&](const ServiceKey& key, Member member) {
    member.agent = host.id;
    member.hostname = host.hostname;
    member.host_is_online = online;
    member.is_known = key.kind == "container" ? sees_containers : online;
    services[key].members.push_back(std::move(member));
  };
  for (const auto& container : inventory.containers) {
    const std::string& name = container.service.empty() ? container.name : container.service;
    add({container.project, name, "container"}, container_member(container));
  }
  for (const auto& unit : inventory.units) {
    // A unit that is stopped on purpose is not a service of this host now.
    if (unit.active_state != "inactive") add({"", unit.name, "unit"}, unit_member(unit));
  }
}

}  // namespace

Answer<Reply> get_services(Call& call) {
  TRY(const auto hosts, call.directory.hosts(call.params.text("host")));
  TRY(const auto* agents, call.directory.agents());
  std::map<ServiceKey, Service> services;
  for (const auto& id : hosts) {
    const auto& agent = agents->at(id);
    if (agent.state == model::AgentState::kRevoked) continue;
    TRY(const auto inventory, call.directory.read_inventory(id));
    if (inventory) collect(services, *inventory, agent, call.now_ms);
  }
  TRY(auto page, Listing::create(call.params));
  std::map<std::string, const std::pair<const ServiceKey, Service>*> by_name;
  for (const auto& entry : services) {
    const auto& [project, name, kind] = entry.first;
    by_name[project + '\0' + name + '\0' + kind] = &entry;
  }
  for (const auto& [key, entry] : by_name) {
    if (!is_leftover(entry->first, entry->second) && page.wants(key))
      page.add(service_json(entry->first, entry->second));
  }
  return page.reply({{"now_ms", call.now_ms}}, "services");
}

}  // namespace observeai::controlplane::api
