#include "controlplane/cli/prediction_commands.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <boost/json.hpp>

#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "controlplane/cli/page.h"
#include "protocol/base/text.h"
#include "protocol/http/http_client.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

std::string percent(std::optional<double> share) {
  return share ? std::to_string(std::lround(*share * 100)) + " %" : "-";
}
std::string span_or_dash(const json::object& row, const char* name) {
  const auto ms = number_at(row, name);
  return ms ? text::format_duration_ms(static_cast<std::int64_t>(*ms)) : "-";
}
std::string decimal(std::optional<double> value) {
  return value ? format_value(*value, "") : "-";
}
std::string words(std::string text) {
  for (auto& c : text) c = c == '_' ? ' ' : c;
  return text;
}
Cell verdict_cell(const std::string& state) {
  if (state == "hit" || state == "prevented") return {words(state), Tone::kGood};
  if (state == "miss" || state == "false_alarm") return {words(state), Tone::kBad};
  if (state == "open") return {state, Tone::kWarning};
  return {words(state), Tone::kFaint};
}

void print_actions(Page& page, const json::object& of) {
  const auto& actions = array_at(of, "actions");
  if (actions.empty()) return;
  page.section("what would help");
  for (const auto& value : actions) {
    const auto& action = object_of(value);
    page.text(2, text_at(action, "action") + ": " + text_at(action, "why"));
    page.line(4, text_at(action, "command_line"), Tone::kStrong);
  }
}

// What became of it, in a sentence.
std::string outcome_of(const json::object& row) {
  const auto state = text_at(row, "state");
  const auto lead = number_at(row, "lead_ms");
  const auto error = number_at(row, "error_ms");
  if (state == "hit" && lead) {
    std::string out = "foretold " + span_or_dash(row, "lead_ms") + " before";
    if (error) {
      out += ", the first forecast was " +
             text::format_duration_ms(static_cast<std::int64_t>(std::abs(*error))) +
             (*error > 0 ? " too late" : " too early");
    }
    return out;
  }
  return text_at(row, "reason");
}

void print_open(Context& context, const json::array& rows, std::int64_t now) {
  Table table({"ID", "WHAT", "WHEN", ">SURE", "WHY", "WOULD HELP"}, {"WOULD HELP"});
  for (const auto& value : rows) {
    const auto& row = object_of(value);
    const auto& newest = object_at(row, "newest");
    const auto& actions = array_at(row, "actions");
    table.add({text_at(row, "id"), what_of(row), when_of(newest, now),
               percent(number_at(newest, "p")), why_of(row),
               actions.empty() ? "-" : text_at(object_of(actions.at(0)), "action")});
  }
  context.out << table.render(context.terminal);
}

void print_rows(Context& context, const json::array& rows, std::int64_t now) {
  Table table({"ID", "VERDICT", "WHAT", "OPENED", ">LEAD", "OUTCOME"}, {"OUTCOME"});
  for (const auto& value : rows) {
    const auto& row = object_of(value);
    table.add({text_at(row, "id"), verdict_cell(text_at(row, "state")), what_of(row),
               since(integer_at(row, "opened_ms"), now), span_or_dash(row, "lead_ms"),
               text_at(row, "state") == "open" ? when_of(object_at(row, "newest"), now)
                                               : outcome_of(row)});
  }
  context.out << table.render(context.terminal);
}

void print_record(Page& page, const json::object& row, std::int64_t now) {
  const bool is_open = text_at(row, "state") == "open";
  page.section("record");
  page.field("opened", local_clock(integer_at(row, "opened_ms")) + ", by the " +
                           text_at(row, "clock") + " clock, which looks " +
                           span_or_dash(row, "horizon_ms") + " ahead");
  if (row.at("first").is_object()) {
    const auto& first = object_at(row, "first");
    page.field("first said", percent(number_at(first, "p")) + ", " +
                                 when_of(first, integer_at(first, "made_ms")) + " from then");
  }
  if (is_open) {
    page.field("now", percent(number_at(object_at(row, "newest"), "p")) + ", " +
                          when_of(object_at(row, "newest"), now));
    return;
  }
  page.field("closed", local_clock(integer_at(row, "closed_ms")));
  page.field("verdict", words(text_at(row, "state")));
  page.field("lead", span_or_dash(row, "lead_ms"));
  page.field("outcome", outcome_of(row));
  page.field("because", text_at(row, "reason"));
}

// When it would have come, by the forecast before something was done.
std::string would_have(const json::object& row) {
  const auto& before = object_at(row, "before_action");
  const auto likely = integer_at(before, "likely_ms");
  if (likely == 0) return "at a time that was not in sight";
  std::string out = local_clock(likely);
  const auto early = integer_at(before, "early_ms");
  const auto late = integer_at(before, "late_ms");
  out += " (between " + (early == 0 ? "-" : local_clock(early)) + " and " +
         (late == 0 ? "much later" : local_clock(late)) + ")";
  return out;
}

Result<json::value> rows_of(Context& context, const std::string& state, const std::string& host,
                            const std::string& kind) {
  return context.api.get_all("/v1/predictions", "predictions",
                             {{"state", state}, {"host", host}, {"kind", kind}});
}

}  // namespace

Result<void> list_predictions(Context& context, const PredictionOptions& options) {
  TRY(const auto answer, rows_of(context, options.state, options.host, options.kind));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& rows = array_at(object_of(answer), "predictions");
  const auto now = integer_at(object_of(answer), "now_ms");
  if (rows.empty()) {
    context.out << (options.state == "open"
                        ? "Nothing is foretold. What was: observeai predictions --all\n"
                        : "No such predictions.\n");
  } else if (options.state == "open") {
    print_open(context, rows, now);
  } else {
    print_rows(context, rows, now);
  }
  return {};
}

Result<void> show_prediction(Context& context, const std::string& id) {
  TRY(const auto answer, context.api.get("/v1/predictions/" + http::percent_encode(id)));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& detail = object_of(answer);
  const auto& row = object_at(detail, "prediction");
  const auto now = integer_at(detail, "now_ms");
  const bool is_open = text_at(row, "state") == "open";
  context.out << text_at(row, "id") << ": " << what_of(row) << "\n";
  if (is_open) context.out << when_of(object_at(row, "newest"), now) << "; " << why_of(row) << "\n";
  context.out << "\n" << prediction_plot(context.terminal, detail);
  Page page(context.out, context.terminal);
  if (!array_at(detail, "samples").empty()) {
    page.text(
        2,
        std::string("the past; ") + (is_open ? "the newest" : "the told") +
            " forecast: early (10 %), likely (50 %), late (90 %); the level line is the limit",
        Tone::kFaint);
  }
  print_record(page, row, now);
  if (row.contains("before_action") && row.at("before_action").is_object()) {
    page.section("what was done");
    page.field("what", text_at(row, "acted") + ", " + local_clock(integer_at(row, "acted_ms")));
    page.field("without it", "the limit would have been reached " + would_have(row));
  }
  if (is_open) {
    print_actions(page, row);
    if (const auto incident = text_at(row, "incident"); !incident.empty())
      page.text(2, "incident " + incident, Tone::kFaint);
  }
  return {};
}

Result<void> show_prevented(Context& context, const std::string& host) {
  TRY(const auto answer, rows_of(context, "prevented", host, ""));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& rows = array_at(object_of(answer), "predictions");
  if (rows.empty()) context.out << "Nothing was prevented yet.\n";
  Page page(context.out, context.terminal);
  for (const auto& value : rows) {
    const auto& row = object_of(value);
    context.out << text_at(row, "id") << ": " << what_of(row) << "\n";
    page.field("done", local_clock(integer_at(row, "acted_ms")) + " " + text_at(row, "acted"));
    page.field("without", would_have(row));
    page.field("by", "the forecast of " +
                         local_clock(integer_at(object_at(row, "before_action"), "made_ms")) +
                         ": " +
                         why_of(json::object{{"newest", row.at("before_action")},
                                             {"unit", row.at("unit")},
                                             {"kind", row.at("kind")}}));
    page.field("samples", "observeai predictions " + text_at(row, "id") + " --json");
  }
  return {};
}

namespace {

constexpr std::size_t kMostNamed =
    3;  // Mount points and the like; keys of processes tell nobody anything

// By kind: a host has dozens of processes, and all of them begin cold.
void print_cold(Context& context, Page& page, const json::object& outlook) {
  struct Kind {
    std::size_t resources = 0;
    std::string which;
    std::int64_t missing_ms = 0;
  };
  const auto cold = integer_at(outlook, "cold_count");
  if (cold == 0) return;
  std::map<std::string, Kind> kinds;
  for (const auto& value : array_at(outlook, "cold")) {
    const auto& row = object_of(value);
    auto& kind = kinds[words(text_at(row, "kind"))];
    const auto name = text_at(row, "instance");
    if (!name.empty() && kind.resources < kMostNamed)
      kind.which += (kind.which.empty() ? "" : ", ") + name;
    if (!name.empty() && kind.resources == kMostNamed) kind.which += " ...";
    ++kind.resources;
    kind.missing_ms = std::max(kind.missing_ms, integer_at(row, "missing_ms"));
  }
  page.section("too little is known yet", std::to_string(cold));
  Table table({"KIND", ">RESOURCES", ">NEED", "WHICH"}, {"WHICH"});
  for (const auto& [name, kind] : kinds) {
    table.add({name, std::to_string(kind.resources),
               text::format_duration_ms(kind.missing_ms) + " more", kind.which});
  }
  context.out << table.render(context.terminal);
}

}  // namespace

Result<void> show_outlook(Context& context) {
  TRY(const auto answer, context.api.get("/v1/predict"));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& outlook = object_of(answer);
  if (!flag_at(outlook, "running")) {
    context.out
        << "Predictions are off in the control plane's configuration ([predict] enabled).\n";
    return {};
  }
  if (!flag_at(outlook, "enabled")) {
    context.out << "Predictions were turned off by " << text_at(outlook, "by") << ", "
                << local_clock(integer_at(outlook, "since_ms"))
                << ". Again: observeai predict --enable\n";
    return {};
  }
  std::uint64_t followed = 0;
  std::string kinds;
  for (const auto& entry : object_at(outlook, "followed")) {
    const auto count = entry.value().is_int64() ? entry.value().as_int64() : 0;
    followed += static_cast<std::uint64_t>(count);
    kinds +=
        (kinds.empty() ? "" : ", ") + words(printable(entry.key())) + " " + std::to_string(count);
  }
  Page page(context.out, context.terminal);
  page.field("followed", std::to_string(followed) + (kinds.empty() ? "" : " (" + kinds + ")"));
  page.field("clocks", "steps of " + span_or_dash(outlook, "step_ms") + " and " +
                           span_or_dash(outlook, "fast_step_ms") + ", 30 ahead");
  page.field("open", std::to_string(integer_at(outlook, "open")) +
                         (integer_at(outlook, "open") > 0 ? ": observeai predictions" : ""));
  const auto skipped = integer_at(object_at(outlook, "counters"), "resources_skipped");
  if (skipped > 0)
    page.field("left out", std::to_string(skipped) + " resources, beyond the limit", Tone::kBad);
  print_cold(context, page, outlook);
  return {};
}

Result<void> enable_predictions(Context& context, bool enabled) {
  TRY_VOID(context.api.post("/v1/predict", json::object{{"enabled", enabled}}));
  return show_outlook(context);
}

Result<void> show_accuracy(Context& context, const std::string& host, const std::string& kind) {
  TRY(const auto answer, context.api.get("/v1/predict/accuracy", {{"host", host}, {"kind", kind}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& rows = array_at(object_of(answer), "accuracy");
  Table table({"KIND", ">HIT", ">MISS", ">FALSE", ">PREVENTED", ">UNKNOWN", ">PRECISION", ">RECALL",
               ">15 MIN", ">LEAD", ">P10", ">ERROR", ">BRIER", ">SKILL"});
  for (const auto& value : rows) {
    const auto& row = object_of(value);
    const auto name = text_at(row, "kind");
    const auto count = [&](const char* of) { return std::to_string(integer_at(row, of)); };
    table.add({name.empty() ? "all" : words(name), count("hits"), count("misses"),
               count("false_alarms"), count("prevented"), count("unknown"),
               percent(number_at(row, "precision")), percent(number_at(row, "recall")),
               percent(number_at(row, "useful_recall")), span_or_dash(row, "lead_median_ms"),
               span_or_dash(row, "lead_p10_ms"), span_or_dash(row, "error_median_ms"),
               decimal(number_at(row, "brier")), decimal(number_at(row, "skill"))});
  }
  context.out << table.render(context.terminal);
  if (rows.empty()) return {};
  const auto& all = object_of(rows.at(0));
  if (integer_at(all, "stated") == 0) {
    context.out << "\nNo stated probability has been compared with what came yet.\n";
    return {};
  }
  context.out << "\nOf " << integer_at(all, "stated") << " stated probabilities:\n";
  Table bins({">SAID", ">TIMES", ">CAME TRUE"});
  for (const auto& value : array_at(all, "bins")) {
    const auto& bin = object_of(value);
    const auto stated = integer_at(bin, "stated");
    if (stated == 0) continue;
    bins.add(
        {percent(number_at(bin, "mean_p")), std::to_string(stated),
         percent(static_cast<double>(integer_at(bin, "happened")) / static_cast<double>(stated))});
  }
  context.out << bins.render(context.terminal);
  return {};
}

Result<void> list_incidents(Context& context) {
  TRY(const auto answer, context.api.get_all("/v1/incidents", "incidents"));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& body = object_of(answer);
  const auto now = integer_at(body, "now_ms");
  Table table({"ID", "STATE", "WHAT", "OPENED", "OUTCOME", "OF"});
  for (const auto& value : array_at(body, "incidents")) {
    const auto& row = object_of(value);
    table.add({text_at(row, "id"), state_cell(text_at(row, "state")), text_at(row, "title"),
               since(integer_at(row, "opened_ms"), now), words(text_at(row, "outcome")),
               text_at(row, "prediction")});
  }
  context.out << (table.empty() ? "No incidents.\n" : table.render(context.terminal));
  return {};
}

Result<void> show_incident(Context& context, const std::string& id) {
  TRY(const auto answer, context.api.get("/v1/incidents/" + http::percent_encode(id)));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& row = object_of(answer);
  context.out << text_at(row, "id") << ": " << text_at(row, "title") << "\n";
  Page page(context.out, context.terminal);
  page.field("state", text_at(row, "state"));
  page.field("opened", local_clock(integer_at(row, "opened_ms")));
  if (integer_at(row, "closed_ms") != 0) {
    page.field("closed",
               local_clock(integer_at(row, "closed_ms")) + ", " + words(text_at(row, "outcome")));
  }
  page.field("evidence", "observeai predictions " + text_at(row, "prediction"));
  print_actions(page, row);
  return {};
}

}  // namespace observeai::controlplane::cli
