// containers, processes, services, ports, top: what runs.
#include <chrono>
#include <ostream>
#include <thread>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

std::string ports_of(const json::object& container) {
  std::string out;
  for (const auto& value : array_at(container, "ports")) {
    const auto& port = object_of(value);
    if (!out.empty()) out += ", ";
    if (integer_at(port, "host_port") != 0)
      out += std::to_string(integer_at(port, "host_port")) + "->";
    out += std::to_string(integer_at(port, "container_port")) + "/" + text_at(port, "protocol");
  }
  return out;
}

Cell container_state(const json::object& container) {
  const std::string state = text_at(container, "state");
  const std::string health = text_at(container, "health");
  if (state == "running" && !health.empty()) {
    const Cell tone = state_cell(health);
    return Cell(state + " (" + health + ")", tone.tone);
  }
  if (state == "exited") {
    if (flag_at(container, "oom_killed")) return Cell("exited (out of memory)", Tone::kBad);
    const auto code = number_at(container, "exit_code");
    return Cell("exited (" + (code ? std::to_string(static_cast<int>(*code)) : "?") + ")",
                code && *code != 0 ? Tone::kBad : Tone::kPlain);
  }
  return state_cell(state);
}

std::string with_limit(std::optional<double> used, std::optional<double> limit,
                       std::string (*word)(std::optional<double>)) {
  return limit ? word(used) + " / " + word(limit) : word(used);
}

Table top_table(const json::array& rows) {
  Table table({"NAME", "KIND", ">CPU", ">MEMORY", "HOST", "DETAIL"}, {"DETAIL", "HOST"});
  for (const auto& value : rows) {
    const auto& row = object_of(value);
    table.add({text_at(row, "name"), text_at(row, "kind"),
               cores_or_dash(number_at(row, "cpu_cores_used")),
               bytes_or_dash(number_at(row, "memory_bytes")), text_at(row, "hostname"),
               text_at(row, "detail")});
  }
  return table;
}

}  // namespace

Result<void> show_containers(Context& context, const std::string& host, bool all) {
  TRY(const auto answer, context.api.get_all("/v1/containers", "containers",
                                             {{"host", host}, {"all", all ? "true" : ""}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& body = object_of(answer);
  const auto& containers = array_at(body, "containers");
  if (containers.empty()) {
    context.out << (all ? "No containers." : "No running containers (--all shows the others).")
                << "\n";
    return {};
  }
  print_containers(context, body);
  return {};
}

void print_containers(Context& context, const json::object& body) {
  const auto& containers = array_at(body, "containers");
  const std::int64_t now_ms = integer_at(body, "now_ms");
  Table table({"NAME", "ID", "SERVICE", "STATE", "UP", ">CPU", ">MEMORY", ">RESTARTS", "PORTS",
               "IMAGE", "HOST"},
              {"IMAGE", "ID", "HOST", "PORTS", "SERVICE"});
  for (const auto& value : containers) {
    const auto& row = object_of(value);
    const auto uptime = number_at(row, "uptime_ms");
    table.add({text_at(row, "name"), short_id(text_at(row, "id")), text_at(row, "service"),
               container_state(row),
               uptime ? text::format_duration_ms(static_cast<std::int64_t>(*uptime))
                      : since(integer_at(row, "finished_ms"), now_ms),
               with_limit(number_at(row, "cpu_cores_used"), number_at(row, "cpu_limit_cores"),
                          cores_or_dash),
               with_limit(number_at(row, "memory_working_set_bytes"),
                          number_at(row, "memory_limit_bytes"), bytes_or_dash),
               std::to_string(integer_at(row, "restart_count")), ports_of(row),
               text_at(row, "image"), text_at(row, "hostname")});
  }
  context.out << table.render(context.terminal);
}

Result<void> show_processes(Context& context, const std::string& host, const std::string& target) {
  TRY(const auto answer,
      context.api.get_all("/v1/processes", "processes", {{"host", host}, {"target", target}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& body = object_of(answer);
  const std::int64_t now_ms = integer_at(body, "now_ms");
  Table table(
      {"NAME", ">COUNT", ">PID", ">CPU", ">MEMORY", "USER", "OWNER", "UP", "HOST", "COMMAND"},
      {"COMMAND", "HOST", "USER", "OWNER"});
  for (const auto& value : array_at(body, "processes")) {
    const auto& row = object_of(value);
    const auto& pids = array_at(row, "pids");
    std::string owner = text_at(row, "container_name");
    if (owner.empty()) owner = text_at(row, "unit");
    table.add(
        {text_at(row, "name"), std::to_string(integer_at(row, "count")),
         pids.empty() ? "-" : std::to_string(pids.front().is_int64() ? pids.front().as_int64() : 0),
         cores_or_dash(number_at(row, "cpu_cores_used")),
         bytes_or_dash(number_at(row, "memory_rss_bytes")), text_at(row, "user"), owner,
         ago(integer_at(row, "started_ms"), now_ms), text_at(row, "hostname"),
         text_at(row, "command")});
  }
  if (table.empty()) {
    context.out << "No processes.\n";
    return {};
  }
  context.out << table.render(context.terminal);
  return {};
}

Result<void> show_services(Context& context, const std::string& host) {
  TRY(const auto answer, context.api.get_all("/v1/services", "services", {{"host", host}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  Table table({"SERVICE", "PROJECT", "KIND", "HEALTH", ">RUNNING", ">RESTARTS", "HOSTS", "WHY"},
              {"KIND", "PROJECT", "HOSTS"});
  for (const auto& value : array_at(object_of(answer), "services")) {
    const auto& row = object_of(value);
    std::string hosts;
    for (const auto& name : array_at(row, "hosts")) {
      if (name.is_string()) hosts += (hosts.empty() ? "" : ", ") + printable(name.as_string());
    }
    table.add({text_at(row, "name"), text_at(row, "project"), text_at(row, "kind"),
               state_cell(text_at(row, "health")),
               std::to_string(integer_at(row, "running")) + "/" +
                   std::to_string(integer_at(row, "total")),
               std::to_string(integer_at(row, "restarts")), hosts, text_at(row, "reason")});
  }
  context.out << (table.empty() ? "No services.\n" : table.render(context.terminal));
  return {};
}

Result<void> show_ports(Context& context, const std::string& host) {
  TRY(const auto answer, context.api.get_all("/v1/ports", "ports", {{"host", host}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  Table table({"PROTOCOL", "ADDRESS", ">PORT", "PROCESS", ">PID", "CONTAINER", "HOST"});
  for (const auto& value : array_at(object_of(answer), "ports")) {
    const auto& row = object_of(value);
    const auto pid = integer_at(row, "pid");
    table.add({text_at(row, "protocol"), text_at(row, "address"),
               std::to_string(integer_at(row, "port")), text_at(row, "process"),
               pid == 0 ? "-" : std::to_string(pid), text_at(row, "container_name"),
               text_at(row, "hostname")});
  }
  context.out << (table.empty() ? "No listening ports.\n" : table.render(context.terminal));
  return {};
}

unsigned top_rounds(const Context& context, bool once, std::optional<unsigned> asked) {
  if (once) return 1;
  if (asked) return *asked;
  return context.json || context.terminal.interactive ? 0 : 1;
}

Result<void> show_top(Context& context, const std::string& host, const std::string& by,
                      unsigned interval_s, unsigned rounds) {
  for (unsigned round = 0; rounds == 0 || round < rounds; ++round) {
    if (round > 0) std::this_thread::sleep_for(std::chrono::seconds(interval_s));
    TRY(const auto answer,
        context.api.get("/v1/top", {{"host", host}, {"by", by}, {"limit", "25"}}));
    if (context.json) {
      context.out << compact(answer) << "\n" << std::flush;
      continue;
    }
    const auto& rows = array_at(object_of(answer), "rows");
    if (rounds != 1 && context.terminal.interactive) context.out << "\x1b[H\x1b[2J";
    context.out << "what uses most " << (by == "memory" ? "memory" : "cpu (in cores)") << ", "
                << local_clock(integer_at(object_of(answer), "now_ms")).substr(0, 8) << "\n\n"
                << top_table(rows).render(context.terminal) << std::flush;
  }
  return {};
}

}  // namespace observeai::controlplane::cli
