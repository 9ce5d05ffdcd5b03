// logs, metrics, events: what was said and measured.
#include <cmath>
#include <limits>
#include <ostream>

#include "controlplane/cli/commands.h"
#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostPlots = 6;  // More series than this are listed instead of drawn
constexpr std::size_t kPlotRows = 10;

void print_log(Context& context, const json::object& row, const LogOptions& options) {
  std::string line;
  if (options.timestamps) {
    line += paint(context.terminal, Tone::kFaint, local_clock(integer_at(row, "ts_ms"))) + " ";
  }
  if (options.target.empty() || options.target == "host") line += text_at(row, "name") + " ";
  const bool is_error = raw_text_at(row, "stream") == "stderr";
  line += paint(context.terminal, is_error ? Tone::kWarning : Tone::kPlain, text_at(row, "text"));
  if (integer_at(row, "original_bytes") > 0) {
    line +=
        paint(context.terminal, Tone::kFaint,
              " [cut; was " +
                  text::format_bytes(static_cast<double>(integer_at(row, "original_bytes"))) + "]");
  }
  context.out << line << "\n";
}

void print_event(Context& context, const json::object& event) {
  const std::string severity = text_at(event, "severity");
  const Cell tone = state_cell(severity);
  context.out << paint(context.terminal, Tone::kFaint, local_clock(integer_at(event, "ts_ms")))
              << "  " << paint(context.terminal, tone.tone, text_at(event, "kind")) << "  "
              << text_at(event, "hostname");
  const std::string name = text_at(event, "name");
  if (!name.empty() && name != "host") context.out << "/" << name;
  context.out << "  " << text_at(event, "message") << "\n";
}

std::string labels_of(const json::object& series) {
  std::string out;
  for (const auto& label : object_at(series, "labels")) {
    out += out.empty() ? "" : ",";
    out += printable(label.key()) + "=\"" +
           text_at(object_at(series, "labels"), std::string(label.key()).c_str()) + "\"";
  }
  return out.empty() ? out : "{" + out + "}";
}

std::vector<PlotPoint> points_of(const json::object& series) {
  std::vector<PlotPoint> points;
  for (const auto& value : array_at(series, "points")) {
    const auto* pair = value.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_number()) continue;
    points.push_back({(*pair)[0].to_number<std::int64_t>(),
                      (*pair)[1].is_number() ? (*pair)[1].to_number<double>() : std::nan("")});
  }
  return points;
}

// A counter is read as its increase per second; a reset begins anew.
std::vector<PlotPoint> per_second(const std::vector<PlotPoint>& counter) {
  std::vector<PlotPoint> rates;
  for (std::size_t i = 1; i < counter.size(); ++i) {
    const double increase = counter[i].value - counter[i - 1].value;
    const double seconds = static_cast<double>(counter[i].ts_ms - counter[i - 1].ts_ms) / 1000;
    if (seconds <= 0) continue;
    rates.push_back({counter[i].ts_ms, increase >= 0 ? increase / seconds : std::nan("")});
  }
  return rates;
}

Result<void> list_series(Context& context, const MetricOptions& options) {
  TRY(const auto answer, context.api.get_all("/v1/metrics", "series",
                                             {{"target", options.target}, {"host", options.host}}));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  Table table({"METRIC", "LABELS", ">LAST", "KIND"});
  for (const auto& value : array_at(object_of(answer), "series")) {
    const auto& series = object_of(value);
    const std::string name = text_at(series, "name");
    const auto last = number_at(series, "last_value");
    table.add({name, labels_of(series), last ? format_value(*last, unit_of_metric(name)) : "-",
               text_at(series, "kind")});
  }
  if (table.empty()) {
    context.out << "Nothing was measured for this target yet.\n";
    return {};
  }
  context.out << table.render(context.terminal);
  return {};
}

// Why a plot has nothing to show: a mistyped name, else the range or the labels.
Error nothing_measured(Context& context, const MetricOptions& options) {
  const std::string list = "`observeai metrics " + text::escape_unprintable(options.target, 100) +
                           "` lists what there is";
  const auto answer = context.api.get_all("/v1/metrics", "series",
                                          {{"target", options.target}, {"host", options.host}});
  std::vector<std::string> names;
  if (answer) {
    for (const auto& one : array_at(object_of(*answer), "series"))
      names.push_back(raw_text_at(object_of(one), "name"));
  }
  if (std::find(names.begin(), names.end(), options.name) != names.end()) {
    return Error(Errc::kNotFound, "no points of " + text::escape_unprintable(options.name, 100) +
                                      " in this range with these labels; --since looks further "
                                      "back, " +
                                      list);
  }
  const auto near = text::nearest(options.name, names);
  return Error(Errc::kNotFound,
               "no metric \"" + text::escape_unprintable(options.name, 100) +
                   "\" of this target\n  " +
                   (near ? "did you mean " + text::escape_unprintable(*near, 100) + "?" : list));
}

void draw_series(Context& context, const json::object& series) {
  const std::string name = text_at(series, "name");
  const bool counter = raw_text_at(series, "kind") == "counter";
  const std::string unit = unit_of_metric(name);
  auto points = points_of(series);
  if (counter) points = per_second(points);
  context.out << paint(context.terminal, Tone::kGood, name) << labels_of(series);
  if (counter) {
    context.out << (unit == "seconds" ? "  (per second: 1 = one core or one device busy)"
                    : unit == "bytes" ? "  (bytes per second)"
                                      : "  (per second)");
  }
  const std::string plot_unit = counter && unit == "seconds" ? "" : unit;
  context.out << "\n" << plot(context.terminal, points, kPlotRows, plot_unit);
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  double last = std::nan("");
  for (const auto& point : points) {
    if (std::isnan(point.value)) continue;
    low = std::min(low, point.value);
    high = std::max(high, point.value);
    last = point.value;
  }
  if (low <= high) {
    context.out << "  last " << format_value(last, plot_unit) << ", least "
                << format_value(low, plot_unit) << ", most " << format_value(high, plot_unit)
                << ", " << points.size() << " points\n";
  }
  context.out << "\n";
}

// What a stream says about itself. Never silently: rows are missing here, or were.
void note_of_stream(Context& context, const std::string& event, const json::value& data) {
  const std::string message = text_at(object_of(data), "message");
  if (event == "lagged")
    context.err << "observeai: " << message << "; connecting again\n" << std::flush;
  if (event == "truncated" || event == "closed")
    context.err << "observeai: " << message << "\n" << std::flush;
}

// Follows `path`, printing the rows that come as `wanted` by `print`.
template <class Print>
Result<void> follow_rows(Context& context, const std::string& path, const Query& query,
                         const std::string& wanted, Print print) {
  return context.api.follow(path, query, [&](const std::string& event, const json::value& data) {
    if (event != wanted) {
      note_of_stream(context, event, data);
    } else if (context.json) {
      context.out << compact(data) << "\n" << std::flush;
    } else {
      print(object_of(data));
      context.out << std::flush;
    }
    return static_cast<bool>(context.out);
  });
}

// Options that following cannot honour are refused, not ignored.
Result<void> check_range(bool follow, const std::string& limit, const std::string& until) {
  if (follow && !until.empty())
    return Error(Errc::kInvalid, "--until does not go with --follow, which has no end");
  if (!follow && limit == "0")
    return Error(Errc::kInvalid, "--limit 0 goes with --follow only; without it nothing is left");
  return {};
}

}  // namespace

Result<void> show_logs(Context& context, const LogOptions& options) {
  TRY_VOID(check_range(options.follow, options.limit, options.until));
  Query query{{"target", options.target},
              {"host", options.host},
              {"since", options.since},
              {"grep", options.grep},
              {"stream", options.stream}};
  if (options.follow) {
    query.emplace_back("tail", options.limit.empty() ? "20" : options.limit);
    return follow_rows(context, "/v1/logs/follow", query, "log",
                       [&](const json::object& row) { print_log(context, row, options); });
  }
  query.emplace_back("until", options.until);
  query.emplace_back("limit", options.limit);
  TRY(const auto answer, context.api.get("/v1/logs", query));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& body = object_of(answer);
  const auto& rows = array_at(body, "rows");
  if (flag_at(body, "truncated")) {
    context.out << paint(context.terminal, Tone::kFaint,
                         "(the newest " + std::to_string(rows.size()) +
                             " lines; --limit, --since or --grep for others)\n");
  }
  for (const auto& row : rows) print_log(context, object_of(row), options);
  if (rows.empty()) {
    context.out << paint(context.terminal, Tone::kFaint,
                         "No lines in this range (--since 24h looks further back).\n");
  }
  return {};
}

Result<void> show_metrics(Context& context, const MetricOptions& options) {
  if (options.name.empty()) return list_series(context, options);
  Query query{{"target", options.target}, {"host", options.host},   {"name", options.name},
              {"since", options.since},   {"until", options.until}, {"step", options.step}};
  for (const auto& label : options.labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos) {
      return Error(Errc::kInvalid, "--label must look like device=eth0, got \"" +
                                       text::escape_unprintable(label, 60) + "\"");
    }
    query.emplace_back("label." + label.substr(0, equals), label.substr(equals + 1));
  }
  TRY(const auto answer, context.api.get("/v1/metrics/query", query));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& series = array_at(object_of(answer), "series");
  if (series.empty()) return nothing_measured(context, options);
  if (series.size() <= kMostPlots) {
    for (const auto& one : series) draw_series(context, object_of(one));
    return {};
  }
  Table table({"METRIC", "LABELS", ">LAST"});
  for (const auto& value : series) {
    const auto& one = object_of(value);
    const std::string name = text_at(one, "name");
    const auto last = number_at(one, "last_value");
    table.add({name, labels_of(one), last ? format_value(*last, unit_of_metric(name)) : "-"});
  }
  context.out << table.render(context.terminal) << series.size()
              << " series; choose with --label NAME=VALUE to see a plot (at most " << kMostPlots
              << " are drawn)\n";
  return {};
}

Result<void> show_events(Context& context, const EventOptions& options) {
  TRY_VOID(check_range(options.follow, options.limit, options.until));
  if (options.follow && !options.since.empty()) {
    return Error(Errc::kInvalid,
                 "--since does not go with --follow; --limit says how many events of the past");
  }
  Query query{{"target", options.target}, {"host", options.host}, {"kind", options.kind}};
  if (options.follow) {
    query.emplace_back("tail", options.limit.empty() ? "20" : options.limit);
    return follow_rows(context, "/v1/events/follow", query, "event",
                       [&](const json::object& event) { print_event(context, event); });
  }
  query.insert(query.end(),
               {{"since", options.since}, {"until", options.until}, {"limit", options.limit}});
  TRY(const auto answer, context.api.get("/v1/events", query));
  if (context.json) {
    context.out << pretty(answer);
    return {};
  }
  const auto& events = array_at(object_of(answer), "events");
  for (const auto& event : events) print_event(context, object_of(event));
  if (events.empty()) context.out << "No events in this range (--since 7d looks further back).\n";
  return {};
}

}  // namespace observeai::controlplane::cli
