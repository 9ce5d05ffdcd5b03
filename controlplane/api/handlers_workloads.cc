// What runs on the hosts: containers, process groups, ports, and what uses most.
#include <boost/json.hpp>

#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/to_json.h"
#include "controlplane/api/usage.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDetailBytes = 512;

// Looks usage up for the first kMaxUsageLookups targets of a reply and counts the others.
class UsageBudget {
 public:
  explicit UsageBudget(Call& call) : call_(call) {}

  Usage container(const AgentId& agent, const wire::Container& container) {
    if (container.state != "running" || !spend()) return {};
    return container_usage(call_.world.telemetry, agent, container.id, call_.now_ms);
  }
  Usage process(const AgentId& agent, const wire::ProcessGroup& process) {
    if (!spend()) return {};
    return process_usage(call_.world.telemetry, agent, process.key, call_.now_ms);
  }
  std::size_t omitted() const { return omitted_; }

 private:
  bool spend() {
    if (spent_ == kMaxUsageLookups) {
      ++omitted_;
      return false;
    }
    ++spent_;
    return true;
  }

  Call& call_;
  std::size_t spent_ = 0;
  std::size_t omitted_ = 0;
};

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

json::object container_json(const AgentId& agent, const std::string& hostname,
                            const wire::Container& c, const Usage& usage, std::int64_t now_ms) {
  json::value uptime = nullptr;
  json::value exit_code = nullptr;
  json::value cpu_limit = nullptr;
  if (c.state == "running" && c.started_ms > 0)
    uptime = std::max<std::int64_t>(0, now_ms - c.started_ms);
  if (c.finished_ms > 0) exit_code = c.exit_code;
  if (c.cpu_limit_cores > 0) cpu_limit = c.cpu_limit_cores;
  return {{"agent_id", agent.value()},
          {"hostname", hostname},
          {"target", "container/" + c.id},
          {"id", c.id},
          {"name", c.name},
          {"image", c.image},
          {"state", c.state},
          {"health", c.health},
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

}  // namespace

Answer<Reply> get_containers(Call& call) {
  TRY(const auto all, call.params.boolean("all"));
  TRY(const auto inventories, call.directory.inventories(call.params.text("host")));
  TRY(auto page, Listing::create(call.params));
  UsageBudget budget(call);
  for (const auto* inventory : inventories) {
    if (page.has_more()) break;
    const AgentId& agent = inventory->agent;
    const std::string hostname = call.directory.hostname(agent);
    for (const auto* container : sorted(inventory->containers, &wire::Container::id)) {
      if (!all && container->state != "running") continue;
      if (!page.wants(list_key(agent, container->id))) continue;
      const Usage usage = budget.container(agent, *container);
      page.add(container_json(agent, hostname, *container, usage, call.now_ms));
    }
  }
  return page.reply({{"now_ms", call.now_ms}, {"usage_omitted", budget.omitted()}}, "containers");
}

Answer<Reply> get_processes(Call& call) {
  TRY(const auto resolved,
      call.directory.target(call.params.text("target"), call.params.text("host")));
  const std::string host =
      resolved.agent.empty() ? call.params.text("host") : resolved.agent.value();
  TRY(const auto inventories, call.directory.inventories(host));
  TRY(auto page, Listing::create(call.params));
  UsageBudget budget(call);
  for (const auto* inventory : inventories) {
    if (page.has_more()) break;
    const AgentId& agent = inventory->agent;
    const std::string hostname = call.directory.hostname(agent);
    for (const auto* process : sorted(inventory->processes, &wire::ProcessGroup::key)) {
      if (!belongs_to(*process, resolved.target)) continue;
      if (!page.wants(list_key(agent, process->key))) continue;
      page.add(process_json(*inventory, hostname, *process, budget.process(agent, *process)));
    }
  }
  return page.reply({{"now_ms", call.now_ms}, {"usage_omitted", budget.omitted()}}, "processes");
}

Answer<Reply> get_ports(Call& call) {
  TRY(const auto inventories, call.directory.inventories(call.params.text("host")));
  TRY(auto page, Listing::create(call.params));
  for (const auto* inventory : inventories) {
    if (page.has_more()) break;
    const std::string hostname = call.directory.hostname(inventory->agent);
    for (const auto* port : sorted(inventory->ports, &wire::ListeningPort::key)) {
      if (!page.wants(list_key(inventory->agent, port->key))) continue;
      page.add({{"agent_id", inventory->agent.value()},
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
  TRY(const auto inventories, call.directory.inventories(call.params.text("host")));
  UsageBudget budget(call);
  std::vector<TopRow> rows;
  for (const auto* inventory : inventories) {
    const AgentId& agent = inventory->agent;
    for (const auto& container : inventory->containers) {
      if (container.state != "running") continue;
      rows.push_back({agent, "container", "container/" + container.id, container.name,
                      container.image, budget.container(agent, container)});
    }
    for (const auto& process : inventory->processes) {
      if (!process.container_id.empty()) continue;  // Counted with its container
      rows.push_back({agent, "process", "process/" + process.key, process.name,
                      process.command.substr(0, kMaxDetailBytes), budget.process(agent, process)});
    }
  }
  sort_by(rows, by == "memory");
  if (rows.size() > static_cast<std::size_t>(limit)) rows.resize(static_cast<std::size_t>(limit));
  json::array out;
  for (const auto& row : rows) {
    out.push_back({{"agent_id", row.agent.value()},
                   {"hostname", call.directory.hostname(row.agent)},
                   {"kind", row.kind},
                   {"target", row.target},
                   {"name", row.name},
                   {"detail", row.detail},
                   {"cpu_cores_used", number_or_null(row.usage.cpu_cores)},
                   {"memory_bytes", integer_or_null(row.usage.memory_bytes)}});
  }
  return json_reply({{"now_ms", call.now_ms},
                     {"by", by},
                     {"rows", std::move(out)},
                     {"usage_omitted", budget.omitted()}});
}

}  // namespace observeai::controlplane::api
