// status, hosts, alerts, ledger: the installation as a whole.
#include <optional>
#include <ostream>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "controlplane/cli/root_view.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr const char* kStatusRows = "20";  // Of each table on the page of status

void note_more(Context& context, const json::value& answer, const char* command) {
  if (!text_at(object_of(answer), "next").empty()) context.out << "(and more: " << command << ")\n";
}

std::string count(const json::object& object, const char* name) {
  return std::to_string(integer_at(object, name));
}

std::string summed(const json::object& by_reason) {
  double sum = 0;
  std::string parts;
  for (const auto& member : by_reason) {
    if (!member.value().is_number()) continue;
    const double value = member.value().to_number<double>();
    sum += value;
    if (value > 0)
      parts +=
          (parts.empty() ? "" : ", ") + printable(member.key()) + " " + format_value(value, "");
  }
  return sum == 0 ? "0" : parts;
}

Table host_table(const json::array& hosts, std::int64_t now_ms) {
  Table table({"HOST", "ID", "STATE", "SEEN", ">CPU", ">CPUS", ">MEMORY", ">OF", ">CONTAINERS",
               "DOCKER", "OS"},
              {"OS", "ID", "DOCKER", "SEEN"});
  for (const auto& value : hosts) {
    const auto& host = object_of(value);
    table.add({text_at(host, "hostname"), text_at(host, "agent_id"),
               state_cell(text_at(host, "state")), since(integer_at(host, "last_seen_ms"), now_ms),
               cores_or_dash(number_at(host, "cpu_cores_used")), count(host, "cpus"),
               bytes_or_dash(number_at(host, "memory_used_bytes")),
               bytes_or_dash(number_at(host, "memory_bytes")),
               count(host, "containers_running") + "/" + count(host, "containers_total"),
               text_at(host, "docker"), text_at(host, "os")});
  }
  return table;
}

Table ledger_table(const json::array& rows) {
  Table table(
      {"SOURCE", "HOST", ">READ", ">SPOOLED", ">STORED", ">EXPIRED", "LOST", "DROPPED", "VERDICT"},
      {"EXPIRED"});
  for (const auto& value : rows) {
    const auto& row = object_of(value);
    table.add({text_at(row, "name"), text_at(row, "hostname"), count(row, "records_read"),
               count(row, "records_spooled"), count(row, "records_stored"),
               count(row, "records_expired"), summed(object_at(row, "records_lost")),
               summed(object_at(row, "records_dropped")), state_cell(text_at(row, "verdict"))});
  }
  return table;
}

Table alert_table(const json::array& alerts, std::int64_t now_ms) {
  Table table({"ALERT", "HOST", "SINCE", "LAST", ">TIMES", "ID", "WHAT"});
  for (const auto& value : alerts) {
    const auto& alert = object_of(value);
    table.add({Cell(text_at(alert, "kind"), Tone::kBad), text_at(alert, "hostname"),
               since(integer_at(alert, "first_ms"), now_ms),
               since(integer_at(alert, "last_ms"), now_ms), count(alert, "count"),
               text_at(alert, "id"), text_at(alert, "message")});
  }
  return table;
}

// What the agent says of itself in hello, of which 0 is how it should be; nullopt before the first one.
std::optional<Cell> what_it_collects(const json::object& counters) {
  if (counters.empty()) return std::nullopt;
  constexpr const char* kSteps[] = {"everything",
                                    "metrics every 30 s",
                                    "metrics every 60 s",
                                    "no metrics of processes",
                                    "one in ten debug and info lines",
                                    "no logs for now",
                                    "nothing: it restarts",
                                    "nothing: safe mode"};
  const auto step = static_cast<std::size_t>(integer_at(counters, "budget_step"));
  std::string text = step < std::size(kSteps) ? kSteps[step] : "step " + std::to_string(step);
  constexpr std::pair<const char*, const char*> kTroubles[] = {
      {"stuck_resources", "resources do not answer"},
      {"stalled_parts", "parts stand still"},
      {"restarts_last_hour", "restarts of its own in an hour"},
      {"containers_over_limit", "containers over the limit"},
      {"samples_left_out", "samples of a scrape left out"},
      {"inventory_lost", "short-lived things not reported"},
      {"scrapes_missed", "scrapes missed"}};
  bool troubled = step != 0;
  for (const auto& [name, what] : kTroubles) {
    const auto number = integer_at(counters, name);
    if (number == 0) continue;
    troubled = true;
    text += "; " + std::to_string(number) + " " + what;
  }
  return Cell(std::move(text), troubled ? Tone::kWarning : Tone::kPlain);
}

}  // namespace

Result<void> show_status(Context& context) {
  TRY(const auto answer, context.api.get("/v1/status"));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& status = object_of(answer);
  const std::int64_t now_ms = integer_at(status, "now_ms");
  const auto& hosts = object_at(status, "hosts");
  const auto& containers = object_at(status, "containers");
  const auto& ingest = object_at(status, "ingest");
  const auto& broker = object_at(status, "broker");
  const auto& store = object_at(status, "store");
  const auto& ledger = object_at(status, "ledger");
  const auto& alerts = object_at(status, "alerts");
  const auto line = [&](const char* name, const std::string& text) {
    context.out << paint(context.terminal, Tone::kFaint,
                         std::string(name) + std::string(15 - std::string_view(name).size(), ' '))
                << text << "\n";
  };

  line("control plane",
       text_at(status, "version") + ", up " + ago(integer_at(status, "started_ms"), now_ms));
  const Cell broker_state = state_cell(text_at(broker, "state"));
  const std::string detail = text_at(broker, "detail");
  line("broker", paint(context.terminal, broker_state.tone, broker_state.text) + " " +
                     text_at(broker, "address") + (detail.empty() ? "" : ": " + detail));
  const auto offline = integer_at(hosts, "offline");
  line("hosts",
       count(hosts, "online") + " online" +
           (offline > 0
                ? ", " + paint(context.terminal, Tone::kBad, std::to_string(offline) + " offline")
                : "") +
           (integer_at(hosts, "pending") > 0 ? ", " + count(hosts, "pending") + " pending" : "") +
           (integer_at(hosts, "revoked") > 0 ? ", " + count(hosts, "revoked") + " revoked" : ""));
  line("containers", count(containers, "running") + " running of " + count(containers, "total"));
  line("ingest", rate_or_dash(number_at(ingest, "samples_per_s")) + " samples, " +
                     rate_or_dash(number_at(ingest, "log_records_per_s")) + " log lines, " +
                     count(ingest, "batches_total") + " batches stored, " +
                     count(ingest, "duplicates_total") + " repeated, " +
                     count(ingest, "rejected_total") + " refused");
  line("store", bytes_or_dash(number_at(store, "telemetry_bytes")) + " telemetry, " +
                    bytes_or_dash(number_at(store, "state_bytes")) + " state, " +
                    bytes_or_dash(number_at(store, "disk_free_bytes")) + " free");
  const auto gaps = integer_at(ledger, "gaps");
  line("loss ledger",
       count(ledger, "sources") + " sources: " + count(ledger, "balanced") + " balanced, " +
           count(ledger, "pending") + " pending, " +
           (gaps > 0 ? paint(context.terminal, Tone::kBad, std::to_string(gaps) + " with a gap")
                     : "no gap") +
           "; lost: " + summed(object_at(ledger, "records_lost")) +
           "; dropped: " + summed(object_at(ledger, "records_dropped")));
  const auto open = integer_at(alerts, "open");
  line("alerts",
       open == 0 ? "none"
                 : paint(context.terminal, Tone::kBad,
                         std::to_string(open) + " open: " + summed(object_at(alerts, "by_kind"))) +
                       "   (observeai alerts)");

  // What an installation of several tenants, or an older server, does not tell is left out.
  if (const auto outlook = context.api.get("/v1/predict")) {
    const auto foretold = integer_at(object_of(*outlook), "open");
    line("predictions", foretold == 0 ? "none"
                                      : paint(context.terminal, Tone::kWarning,
                                              std::to_string(foretold) + " open") +
                                            "   (observeai predictions)");
  }
  if (const auto root = context.api.get("/v1/root")) {
    const auto& newest = object_at(object_of(*root), "newest");
    const auto warning =
        single_key_warning(static_cast<std::uint64_t>(integer_at(newest, "threshold")),
                           array_at(newest, "root_keys").size());
    if (!warning.empty()) line("root of trust", paint(context.terminal, Tone::kWarning, warning));
  }

  TRY(const auto host_answer, context.api.get("/v1/hosts", {{"limit", kStatusRows}}));
  const auto& list = array_at(object_of(host_answer), "hosts");
  context.out << "\n";
  if (list.empty()) {
    context.out << "No host is enrolled yet. Make a token with `observeai token create` and run\n"
                   "`observeai-agent enroll TOKEN` on the host.\n";
    return {};
  }
  context.out << host_table(list, now_ms).render(context.terminal);
  note_more(context, host_answer, "observeai hosts");
  TRY(const auto container_answer, context.api.get("/v1/containers", {{"limit", kStatusRows}}));
  if (!array_at(object_of(container_answer), "containers").empty()) {
    context.out << "\n";
    print_containers(context, object_of(container_answer));
    note_more(context, container_answer, "observeai containers");
  }
  return {};
}

Result<void> show_hosts(Context& context) {
  TRY(const auto answer, context.api.get_all("/v1/hosts", "hosts"));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& hosts = array_at(object_of(answer), "hosts");
  if (hosts.empty()) {
    context.out << "No host is enrolled yet: observeai token create\n";
    return {};
  }
  context.out
      << host_table(hosts, integer_at(object_of(answer), "now_ms")).render(context.terminal);
  return {};
}

Result<void> show_host(Context& context, const std::string& name) {
  TRY(const auto answer, context.api.get("/v1/hosts/" + http::percent_encode(name)));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& detail = object_of(answer);
  const std::int64_t now_ms = integer_at(detail, "now_ms");
  const auto& host = object_at(detail, "host");
  const auto& facts = object_at(detail, "facts");
  const auto& agent = object_at(detail, "agent");
  Table table({"", ""});
  const auto row = [&](const char* what, Cell value) {
    table.add({Cell(what, Tone::kFaint), std::move(value)});
  };
  row("host", text_at(host, "hostname"));
  row("agent", text_at(host, "agent_id") + ", version " + text_at(host, "agent_version"));
  row("state", state_cell(text_at(host, "state")));
  row("last seen", since(integer_at(host, "last_seen_ms"), now_ms));
  row("system", text_at(host, "os") + ", kernel " + text_at(host, "kernel") + ", " +
                    text_at(host, "architecture"));
  row("up", ago(integer_at(host, "boot_time_ms"), now_ms));
  row("cpu",
      cores_or_dash(number_at(host, "cpu_cores_used")) + " of " + count(host, "cpus") + " cores");
  row("memory", bytes_or_dash(number_at(host, "memory_used_bytes")) + " of " +
                    bytes_or_dash(number_at(host, "memory_bytes")));
  row("docker", text_at(host, "docker"));
  row("systemd", text_at(facts, "systemd"));
  row("cgroups", text_at(facts, "cgroup_mode"));
  row("containers",
      count(host, "containers_running") + " running of " + count(host, "containers_total"));
  row("processes", count(host, "processes") + " groups");
  row("ports", count(detail, "ports") + " listening");
  row("spool", bytes_or_dash(number_at(facts, "spool_bytes")) + " waiting on the host");
  if (const auto collects = what_it_collects(object_at(facts, "counters"))) {
    row("collects", *collects);
  }
  row("certificate", "serial " + text_at(agent, "certificate_serial") + ", ends " +
                         until(integer_at(agent, "certificate_not_after_ms"), now_ms));
  context.out << table.render(context.terminal);
  if (const auto& alerts = array_at(detail, "alerts"); !alerts.empty()) {
    context.out << "\n" << alert_table(alerts, now_ms).render(context.terminal);
  }
  if (const auto& ledger = array_at(detail, "ledger"); !ledger.empty()) {
    context.out << "\n" << ledger_table(ledger).render(context.terminal);
  }
  return {};
}

Result<void> show_alerts(Context& context) {
  TRY(const auto answer, context.api.get_all("/v1/alerts", "alerts"));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& alerts = array_at(object_of(answer), "alerts");
  if (alerts.empty()) {
    context.out << "No open alerts.\n";
    return {};
  }
  context.out
      << alert_table(alerts, integer_at(object_of(answer), "now_ms")).render(context.terminal);
  return {};
}

Result<void> resolve_alert(Context& context, const std::string& id) {
  TRY(const auto answer,
      context.api.post("/v1/alerts/" + http::percent_encode(id) + "/resolve", json::object()));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& alert = object_of(answer);
  context.out << "Alert " << text_at(alert, "kind") << " is resolved: " << text_at(alert, "message")
              << "\n";
  return {};
}

Result<void> show_ledger(Context& context, const std::string& host) {
  TRY(const auto answer, context.api.get_all("/v1/ledger", "rows", {{"host", host}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& rows = array_at(object_of(answer), "rows");
  if (rows.empty()) {
    context.out << "Nothing has been read yet.\n";
    return {};
  }
  context.out << ledger_table(rows).render(context.terminal);
  return {};
}

}  // namespace observeai::controlplane::cli
