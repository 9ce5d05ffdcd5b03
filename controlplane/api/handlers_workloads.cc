// What runs on the hosts: containers, process groups, ports, and what uses most.
#include <boost/json.hpp>

#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/sight.h"
#include "controlplane/api/to_json.h"
#include "controlplane/api/usage.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDetailBytes = 512;
const std::string kContainer = "container/";
const std::string kProcess = "process/";

json::value unless_zero(std::uint64_t value) {
  if (value == 0) return nullptr;
  return value;
}

json::array port_mappings(const std::vector<wire::PortMapping>& ports) {
  json::array out;
  for (const auto& port : ports) {
    out.push_back({{"protocol", port.protocol},
                   {"container_port", port.container_port},
                   {"host_port", port.host_port},
                   {"host_address", port.host_address}});
  }
  return out;
}

// `seen` is how long the state of the host's containers is known.
json::object container_json(const AgentId& agent, const std::string& hostname,
                            const wire::Container& c, const Usage& usage, const Sight& seen) {
  json::value uptime = nullptr;
  json::value exit_code = nullptr;
  json::value cpu_limit = nullptr;
  if (c.state == "running" && c.started_ms > 0)
    uptime = std::max<std::int64_t>(0, seen.until_ms - c.started_ms);
  if (c.finished_ms > 0) exit_code = c.exit_code;
  if (c.cpu_limit_cores > 0) cpu_limit = c.cpu_limit_cores;
  return {{"agent_id", agent.value()},
          {"hostname", hostname},
          {"target", "container/" + c.id},
          {"id", c.id},
          {"name", c.name},
          {"image", c.image},
          {"state", seen.is_known ? c.state : "unknown"},
          {"health", seen.is_known ? c.health : ""},
          {"project", c.project},
          {"service", c.service},
          {"command", c.command},
          {"created_ms", c.created_ms},
          {"started_ms", c.started_ms},
          {"finished_ms", c.finished_ms},
          {"uptime_ms", std::move(uptime)},
          {"exit_code", std::move(exit_code)},
          {"oom_killed", c.oom_killed},
          {"restart_count", c.restart_count},
          {"pid", c.pid},
          {"cpu_cores_used", number_or_null(usage.cpu_cores)},
          {"cpu_limit_cores", std::move(cpu_limit)},
          {"memory_working_set_bytes", integer_or_null(usage.memory_bytes)},
          {"memory_limit_bytes", unless_zero(c.memory_limit_bytes)},
          {"pids_limit", unless_zero(c.pids_limit)},
          {"log_driver", c.log_driver},
          {"ports", port_mappings(c.ports)},
          {"labels", labels_json(c.labels)}};
}

// In the order of their keys, which pages follow.
template <class Row>
std::vector<const Row*> sorted(const std::vector<Row>& rows, std::string Row::*key) {
  std::vector<const Row*> out;
  for (const auto& row : rows) out.push_back(&row);
  std::sort(out.begin(), out.end(),
            [key](const Row* a, const Row* b) { return a->*key < b->*key; });
  return out;
}

std::string container_name(const model::HostInventory& inventory, const std::string& id) {
  for (const auto& container : inventory.containers) {
    if (container.id == id) return container.name;
  }
  return "";
}

json::object process_json(const model::HostInventory& inventory, const std::string& hostname,
                          const wire::ProcessGroup& p, const Usage& usage) {
  json::array pids;
  for (const auto pid : p.pids) pids.emplace_back(pid);
  return {{"agent_id", inventory.agent.value()},
          {"hostname", hostname},
          {"target", "process/" + p.key},
          {"key", p.key},
          {"name", p.name},
          {"command", p.command},
          {"user", p.user},
          {"container_id", p.container_id},
          {"container_name", container_name(inventory, p.container_id)},
          {"unit", p.unit},
          {"count", p.count},
          {"pids", std::move(pids)},
          {"started_ms", p.started_ms},
          {"cpu_cores_used", number_or_null(usage.cpu_cores)},
          {"memory_rss_bytes", integer_or_null(usage.memory_bytes)}};
}

bool belongs_to(const wire::ProcessGroup& process, const wire::Target& target) {
  return target.empty() || target == wire::kHostTarget || target == "process/" + process.key ||
         (!process.container_id.empty() && target == "container/" + process.container_id) ||
         (!process.unit.empty() && target == "unit/" + process.unit);
}

struct TopRow {
  AgentId agent;
  const char* kind;
  wire::Target target;
  std::string name;
  std::string detail;
  Usage usage;
};

// Those without a value stand last; of equals the target decides, so that rows do not jump.
void sort_by(std::vector<TopRow>& rows, bool by_memory) {
  const auto key = [by_memory](const TopRow& row) {
    return (by_memory ? row.usage.memory_bytes : row.usage.cpu_cores).value_or(-1);
  };
  std::sort(rows.begin(), rows.end(), [&](const TopRow& a, const TopRow& b) {
    return key(a) != key(b) ? key(a) > key(b) : a.target < b.target;
  });
}

// Running containers and processes of every host, named and measured; `detail` is still empty.
Answer<std::vector<TopRow>> all_workloads(Call& call) {
  AgentId only;
  if (call.params.has("host")) {
    TRY(const auto agent, call.directory.host(call.params.text("host")));
    only = agent.id;
  }
  TRY(auto names, call.directory.target_names(only, ""));
  std::map<AgentId, std::pair<UsageMap, UsageMap>> usage;  // Of containers, of processes
  std::vector<TopRow> rows;
  for (auto& one : names) {
    const bool is_container = one.target.starts_with(kContainer);
    if (is_container ? !one.is_running : !one.target.starts_with(kProcess)) continue;
    auto known = usage.find(one.agent);
    if (known == usage.end()) {
      auto& telemetry = call.world.telemetry;
      known = usage
                  .emplace(one.agent, std::pair(container_usage(telemetry, one.agent, call.now_ms),
                                                process_usage(telemetry, one.agent, call.now_ms)))
                  .first;
    }
    const auto& [containers, processes] = known->second;
    rows.push_back({one.agent, is_container ? "container" : "process", one.target,
                    std::move(one.name), "",
                    usage_of(is_container ? containers : processes, one.target)});
  }
  return rows;
}

// False for what is counted with its container, or is gone meanwhile.
bool complete(TopRow& row, const model::HostInventory& inventory) {
  for (const auto& container : inventory.containers) {
    if (kContainer + container.id != row.target) continue;
    row.detail = container.image;
    return true;
  }
  for (const auto& process : inventory.processes) {
    if (kProcess + process.key != row.target) continue;
    row.detail = process.command.substr(0, kMaxDetailBytes);
    return process.container_id.empty();
  }
  return false;
}

}  // namespace

Answer<Reply> get_containers(Call& call) {
  TRY(const auto all, call.params.boolean("all"));
  TRY(const auto hosts, call.directory.hosts(call.params.text("host")));
  TRY(const auto* agents, call.directory.agents());
  TRY(auto page, Listing::create(call.params));
  for (const auto& agent : hosts) {
    if (page.has_more()) break;
    if (page.is_before(agent)) continue;
    TRY(const auto inventory, call.directory.read_inventory(agent));
    if (!inventory) continue;
    const auto& record = agents->at(agent);
    const Sight seen = sight_of(record, inventory->host, call.now_ms);
    const UsageMap usage =
        seen.is_known ? container_usage(call.world.telemetry, agent, call.now_ms) : UsageMap();
    for (const auto* container : sorted(inventory->containers, &wire::Container::id)) {
      const bool runs = container->state == "running";
      if (!all && !runs) continue;
      if (!page.wants(list_key(agent, container->id))) continue;
      page.add(container_json(agent, record.hostname, *container,
                              runs ? usage_of(usage, "container/" + container->id) : Usage(),
                              seen));
    }
  }
  return page.reply({{"now_ms", call.now_ms}}, "containers");
}

Answer<Reply> get_processes(Call& call) {
  TRY(const auto resolved,
      call.directory.target(call.params.text("target"), call.params.text("host")));
  TRY(const auto hosts, call.directory.hosts(resolved.agent.empty() ? call.params.text("host")
                                                                    : resolved.agent.value()));
  TRY(auto page, Listing::create(call.params));
  for (const auto& agent : hosts) {
    if (page.has_more()) break;
    if (page.is_before(agent)) continue;
    TRY(const auto inventory, call.directory.read_inventory(agent));
    if (!inventory) continue;
    const std::string hostname = call.directory.hostname(agent);
    const UsageMap usage = process_usage(call.world.telemetry, agent, call.now_ms);
    for (const auto* process : sorted(inventory->processes, &wire::ProcessGroup::key)) {
      if (!belongs_to(*process, resolved.target)) continue;
      if (!page.wants(list_key(agent, process->key))) continue;
      page.add(
          process_json(*inventory, hostname, *process, usage_of(usage, "process/" + process->key)));
    }
  }
  return page.reply({{"now_ms", call.now_ms}}, "processes");
}

Answer<Reply> get_ports(Call& call) {
  TRY(const auto hosts, call.directory.hosts(call.params.text("host")));
  TRY(auto page, Listing::create(call.params));
  for (const auto& agent : hosts) {
    if (page.has_more()) break;
    if (page.is_before(agent)) continue;
    TRY(const auto inventory, call.directory.read_inventory(agent));
    if (!inventory) continue;
    const std::string hostname = call.directory.hostname(agent);
    for (const auto* port : sorted(inventory->ports, &wire::ListeningPort::key)) {
      if (!page.wants(list_key(agent, port->key))) continue;
      page.add({{"agent_id", agent.value()},
                {"hostname", hostname},
                {"key", port->key},
                {"protocol", port->protocol},
                {"address", port->address},
                {"port", port->port},
                {"pid", port->pid},
                {"process", port->process},
                {"container_id", port->container_id},
                {"container_name", container_name(*inventory, port->container_id)}});
    }
  }
  return page.reply({{"now_ms", call.now_ms}}, "ports");
}

Answer<Reply> get_top(Call& call) {
  static const std::vector<std::string> kChoices = {"cpu", "memory"};
  TRY(const auto by, call.params.choice("by", kChoices));
  TRY(const auto limit, call.params.integer("limit", 1, kMaxRows, 1000));
  TRY(auto rows, all_workloads(call));
  sort_by(rows, by == "memory");
  // Only the hosts of the rows that are shown are read whole.
  json::array out;
  for (auto& row : rows) {
    if (out.size() == static_cast<std::size_t>(limit)) break;
    TRY(const auto* inventory, call.directory.inventory(row.agent));
    if (inventory == nullptr || !complete(row, *inventory)) continue;
    out.push_back({{"agent_id", row.agent.value()},
                   {"hostname", call.directory.hostname(row.agent)},
                   {"kind", row.kind},
                   {"target", row.target},
                   {"name", row.name},
                   {"detail", row.detail},
                   {"cpu_cores_used", number_or_null(row.usage.cpu_cores)},
                   {"memory_bytes", integer_or_null(row.usage.memory_bytes)}});
  }
  return json_reply({{"now_ms", call.now_ms}, {"by", by}, {"rows", std::move(out)}});
}

}  // namespace observeai::controlplane::api
