// The fleet as a whole and host by host: status, hosts, alerts, the loss ledger.
#include <boost/json.hpp>

#include "controlplane/api/body.h"
#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/sight.h"
#include "controlplane/api/to_json.h"
#include "controlplane/api/usage.h"
#include "controlplane/audit/kinds.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::string_view kLogSource = "log/";
constexpr std::size_t kMaxDetailRows = 1000;  // Of a host's ledger and alerts on its own page

std::string state_of(const model::AgentRecord& agent, std::int64_t now_ms) {
  switch (agent.state) {
    case model::AgentState::kPending:
      return "pending";
    case model::AgentState::kRevoked:
      return "revoked";
    case model::AgentState::kActive:
      break;
  }
  return is_online(agent, now_ms) ? "online" : "offline";
}

bool is_running(const wire::Container& container) {
  return container.state == "running";
}

Answer<std::vector<model::Alert>> visible_alerts(Call& call) {
  TRY(auto alerts, call.world.alerts.open());
  const bool at_home = call.identity.tenant == call.world.home_tenant;
  std::erase_if(alerts, [&](const auto& alert) {
    return alert.agent.empty() ? !at_home : !call.directory.is_mine(alert.agent);
  });
  return alerts;
}

Answer<std::vector<model::LedgerRow>> visible_ledger(Call& call, const AgentId& agent) {
  TRY(auto rows, call.world.telemetry.ledger(agent));
  std::erase_if(rows, [&](const auto& row) { return !call.directory.is_mine(row.agent); });
  return rows;
}

json::object ledger_row(Call& call, const model::LedgerRow& row) {
  const auto& source = row.entry.source;
  const std::string name = source.starts_with(kLogSource)
                               ? call.directory.name(row.agent, source.substr(kLogSource.size()))
                               : source;
  return ledger_json(row, call.directory.hostname(row.agent), name);
}

// Several epochs of an agent may tell of one source; they never share a whole account.
std::string ledger_key(const model::LedgerRow& row) {
  const auto& entry = row.entry;
  return list_key(row.agent, entry.source + " " + std::to_string(static_cast<int>(entry.lane)) +
                                 " " + std::to_string(entry.as_of_seq) + " " +
                                 std::to_string(entry.bytes_read));
}

json::array ledger_rows(Call& call, const std::vector<model::LedgerRow>& rows) {
  json::array out;
  for (const auto& row : rows) {
    if (out.size() < kMaxDetailRows) out.push_back(ledger_row(call, row));
  }
  return out;
}

json::array alert_rows(Call& call, const std::vector<model::Alert>& alerts, const AgentId& only) {
  json::array out;
  for (const auto& alert : alerts) {
    if (alert.agent == only && out.size() < kMaxDetailRows)
      out.push_back(alert_json(alert, call.directory.hostname(alert.agent)));
  }
  return out;
}

json::object host_json(Call& call, const model::AgentRecord& agent,
                       const model::HostInventory* inventory, std::int64_t alerts_open) {
  static const model::HostInventory kNothing;
  const auto& known = inventory == nullptr ? kNothing : *inventory;
  const auto& facts = known.host;
  const Usage usage = host_usage(call.world.telemetry, agent.id, call.now_ms);
  const auto failed = std::count_if(known.units.begin(), known.units.end(),
                                    [](const auto& unit) { return unit.active_state == "failed"; });
  const std::string version = !facts.agent_version.empty() ? facts.agent_version
                              : agent.last_hello           ? agent.last_hello->agent_version
                                                           : "";
  return {{"agent_id", agent.id.value()},
          {"hostname", agent.hostname},
          {"state", state_of(agent, call.now_ms)},
          {"last_seen_ms", agent.last_seen_ms},
          {"enrolled_ms", agent.enrolled_ms},
          {"agent_version", version},
          {"os", facts.os},
          {"kernel", facts.kernel},
          {"architecture", facts.architecture},
          {"cpus", facts.cpus},
          {"memory_bytes", facts.memory_bytes},
          {"boot_time_ms", facts.boot_time_ms},
          {"docker", facts.docker},
          {"labels", map_json(agent.labels)},
          {"cpu_cores_used", number_or_null(usage.cpu_cores)},
          {"memory_used_bytes", integer_or_null(usage.memory_bytes)},
          {"containers_running",
           std::count_if(known.containers.begin(), known.containers.end(), is_running)},
          {"containers_total", known.containers.size()},
          {"processes", known.processes.size()},
          {"units_failed", failed},
          {"alerts_open", alerts_open}};
}

std::map<AgentId, std::int64_t> alerts_by_agent(const std::vector<model::Alert>& alerts) {
  std::map<AgentId, std::int64_t> counts;
  for (const auto& alert : alerts) ++counts[alert.agent];
  return counts;
}

json::object hello_json(const model::AgentRecord& agent, const model::HostInventory* inventory) {
  json::object counters;
  if (agent.last_hello) {
    for (const auto& [name, value] : agent.last_hello->counters) counters[name] = value;
  }
  const wire::HostFacts facts = inventory == nullptr ? wire::HostFacts() : inventory->host;
  json::value spool_bytes = nullptr;
  if (agent.last_hello) spool_bytes = agent.last_hello->spool_bytes;
  return {{"inventory_ms", inventory == nullptr ? 0 : inventory->updated_ms},
          {"boot_id", facts.boot_id},
          {"machine_id_sha256", agent.machine_id_sha256},
          {"cgroup_mode", facts.cgroup_mode},
          {"systemd", facts.systemd},
          {"spool_bytes", std::move(spool_bytes)},
          {"counters", std::move(counters)}};
}

template <class T>
json::value value_or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  return *value;
}

json::object system_json(const SystemStatus& status) {
  const auto& ingest = status.ingest;
  const auto& broker = status.broker;
  const auto& store = status.store;
  return {{"ingest",
           {{"batches_per_s", number_or_null(ingest.batches_per_s)},
            {"samples_per_s", number_or_null(ingest.samples_per_s)},
            {"log_records_per_s", number_or_null(ingest.log_records_per_s)},
            {"bytes_per_s", number_or_null(ingest.bytes_per_s)},
            {"batches_total", ingest.batches_total},
            {"duplicates_total", ingest.duplicates_total},
            {"rejected_total", ingest.rejected_total}}},
          {"broker",
           {{"state", broker.state},
            {"address", broker.address},
            {"since_ms", broker.since_ms},
            {"detail", broker.detail}}},
          {"store",
           {{"state_bytes", value_or_null(store.state_bytes)},
            {"telemetry_bytes", value_or_null(store.telemetry_bytes)},
            {"disk_free_bytes", value_or_null(store.disk_free_bytes)}}}};
}

Answer<json::object> host_counts(Call& call) {
  TRY(const auto* agents, call.directory.agents());
  std::map<std::string, std::int64_t> states;
  for (const auto& [id, agent] : *agents) ++states[state_of(agent, call.now_ms)];
  return json::object{{"total", states["online"] + states["offline"] + states["pending"]},
                      {"online", states["online"]},
                      {"offline", states["offline"]},
                      {"pending", states["pending"]},
                      {"revoked", states["revoked"]}};
}

}  // namespace

Answer<Reply> get_status(Call& call) {
  TRY(auto hosts, host_counts(call));
  TRY(const auto counts, call.directory.counts());
  std::uint64_t total = 0;
  std::uint64_t running = 0;
  for (const auto& host : counts) {
    total += host.containers;
    running += host.containers_running;
  }
  TRY(const auto alerts, visible_alerts(call));
  json::object by_kind;
  for (const auto& alert : alerts) {
    auto& count = by_kind[alert.kind];
    count = count.is_null() ? 1 : count.to_number<std::int64_t>() + 1;
  }
  TRY(const auto ledger, visible_ledger(call, AgentId()));
  const SystemStatus status =
      call.world.actions.status ? call.world.actions.status() : SystemStatus();
  json::object body = system_json(status);
  body["now_ms"] = call.now_ms;
  body["version"] = OBSERVEAI_VERSION;
  body["started_ms"] = status.started_ms;
  body["hosts"] = std::move(hosts);
  body["containers"] = json::object{{"total", total}, {"running", running}};
  body["alerts"] = json::object{{"open", alerts.size()}, {"by_kind", std::move(by_kind)}};
  body["ledger"] = ledger_totals_json(ledger);
  return json_reply(body);
}

Answer<Reply> get_hosts(Call& call) {
  TRY(auto page, Listing::create(call.params));
  TRY(const auto* agents, call.directory.agents());
  TRY(const auto alerts, visible_alerts(call));
  auto open = alerts_by_agent(alerts);
  for (const auto& [id, agent] : *agents) {
    if (!page.wants(id.value())) continue;
    TRY(const auto inventory, call.directory.read_inventory(id));
    page.add(host_json(call, agent, inventory ? &*inventory : nullptr, open[id]));
  }
  return page.reply({{"now_ms", call.now_ms}}, "hosts");
}

Answer<Reply> get_host(Call& call) {
  TRY(const auto agent, call.directory.host(call.path_argument));
  TRY(const auto* inventory, call.directory.inventory(agent.id));
  TRY(const auto alerts, visible_alerts(call));
  TRY(const auto ledger, visible_ledger(call, agent.id));
  TRY(const auto token, call.world.tokens.find(agent.token_id));
  const bool needs_approval =
      agent.state == model::AgentState::kPending && token && token->needs_approval;
  return json_reply({{"now_ms", call.now_ms},
                     {"host", host_json(call, agent, inventory, alerts_by_agent(alerts)[agent.id])},
                     {"facts", hello_json(agent, inventory)},
                     {"agent", agent_json(agent, needs_approval)},
                     {"ports", inventory == nullptr ? 0 : inventory->ports.size()},
                     {"ledger", ledger_rows(call, ledger)},
                     {"alerts", alert_rows(call, alerts, agent.id)}});
}

Answer<Reply> get_alerts(Call& call) {
  TRY(auto page, Listing::create(call.params));
  TRY(const auto alerts, visible_alerts(call));
  std::map<std::string, const model::Alert*> by_age;
  for (const auto& alert : alerts) by_age[list_key(alert.first_ms, alert_id(alert))] = &alert;
  for (const auto& [key, alert] : by_age) {
    if (page.wants(key)) page.add(alert_json(*alert, call.directory.hostname(alert->agent)));
  }
  return page.reply({{"now_ms", call.now_ms}}, "alerts");
}

Answer<Reply> post_alert_resolve(Call& call) {
  TRY_VOID(Body::parse(call.request.body, {}));
  TRY(const auto alerts, visible_alerts(call));
  const auto found = std::find_if(alerts.begin(), alerts.end(), [&](const auto& alert) {
    return alert_id(alert) == call.path_argument;
  });
  if (found == alerts.end()) {
    return Problem(404, Errc::kNotFound, "no open alert " + log::printable(call.path_argument, 80),
                   "`observeai alerts` lists them");
  }
  TRY_VOID(call.world.alerts.clear(found->kind, found->agent, found->object));
  TRY_VOID(call.world.audit.append(audit::entry_of(audit::kinds::kAlertResolve, call.now_ms,
                                                   call.identity.actor(), found->object,
                                                   {{"tenant", call.identity.tenant.value()},
                                                    {"kind", found->kind},
                                                    {"agent_id", found->agent.value()},
                                                    {"message", found->message}})));
  return json_reply(alert_json(*found, call.directory.hostname(found->agent)));
}

Answer<Reply> get_ledger(Call& call) {
  AgentId only;
  if (call.params.has("host")) {
    TRY(const auto agent, call.directory.host(call.params.text("host")));
    only = agent.id;
  }
  TRY(auto page, Listing::create(call.params));
  TRY(const auto rows, visible_ledger(call, only));
  std::multimap<std::string, const model::LedgerRow*> by_source;
  for (const auto& row : rows) by_source.emplace(ledger_key(row), &row);
  for (auto at = by_source.begin(); at != by_source.end(); ++at) {
    if (page.wants(at->first)) page.add(ledger_row(call, *at->second));
  }
  return page.reply({{"now_ms", call.now_ms}, {"totals", ledger_totals_json(rows)}}, "rows");
}

}  // namespace observeai::controlplane::api
