// How the console words predictions, and their plot.
#include <algorithm>
#include <cmath>
#include <limits>

#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "controlplane/cli/prediction_commands.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

constexpr std::size_t kPlotRows = 12;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string amount(double value, const std::string& unit) {
  if (unit == "bytes") return format_value(value, "bytes");
  if (unit == "s") return text::format_duration_ms(static_cast<std::int64_t>(value * 1'000));
  return format_value(value, "") + (unit.empty() ? "" : " " + unit);
}

std::string span_to(std::int64_t at_ms, std::int64_t now_ms) {
  return at_ms <= now_ms ? "now" : text::format_duration_ms(at_ms - now_ms);
}

bool has(const boost::json::object& object, const char* name) {
  return object.contains(name) && object.at(name).is_object();
}

struct Series {
  std::vector<PlotPoint> points;
  std::int64_t last_ms = 0;
  double last = 0;
  double limit = 0;
};

Series past_of(const boost::json::object& detail) {
  Series out;
  for (const auto& value : array_at(detail, "samples")) {
    const auto& sample = object_of(value);
    out.last_ms = integer_at(sample, "ts_ms");
    out.last = number_at(sample, "used").value_or(0);
    out.limit = number_at(sample, "limit").value_or(0);
    out.points.push_back({out.last_ms, out.last});
  }
  return out;
}

}  // namespace

std::string what_of(const boost::json::object& prediction) {
  const auto kind = text_at(prediction, "kind");
  const auto host = text_at(prediction, "hostname");
  const auto instance = text_at(prediction, "instance");
  const auto who =
      text_at(prediction, "target") == "host" ? host : text_at(prediction, "name") + " on " + host;
  if (kind == "container_memory" || kind == "host_memory") return who + " runs out of memory";
  if (kind == "disk") return instance + " on " + host + " fills up";
  if (kind == "inodes") return instance + " on " + host + " runs out of inodes";
  if (kind == "file_handles") return who + " runs out of file handles";
  if (kind == "pids") return who + " runs out of processes";
  if (kind == "connections") return who + " runs out of connections";
  if (kind == "certificate") return "the certificate " + instance + " on " + host + " expires";
  return who + " fails more and more, and will end";
}

std::string when_of(const boost::json::object& forecast, std::int64_t now_ms) {
  const auto early = integer_at(forecast, "early_ms");
  const auto likely = integer_at(forecast, "likely_ms");
  const auto late = integer_at(forecast, "late_ms");
  if (likely == 0) return "not in sight";
  std::string out = likely <= now_ms ? "now" : "in " + span_to(likely, now_ms);
  if (early == likely && late == likely) return out;
  out += ", between " + (early == 0 ? "now" : span_to(early, now_ms)) + " and ";
  return out + (late == 0 ? "much later" : span_to(late, now_ms));
}

std::string why_of(const boost::json::object& prediction) {
  if (!has(prediction, "newest")) return text_at(prediction, "reason");
  const auto& forecast = object_at(prediction, "newest");
  const auto unit = text_at(prediction, "unit");
  const double per_hour = number_at(forecast, "per_hour").value_or(0);
  std::string out = amount(number_at(forecast, "used").value_or(0), unit) + " of " +
                    amount(number_at(forecast, "limit").value_or(0), unit);
  if (text_at(prediction, "kind") == "errors")
    return amount(number_at(forecast, "used").value_or(0), "") + " error lines a minute";
  if (text_at(prediction, "kind") == "certificate") return out + " of its time have passed";
  if (per_hour > 0) out += ", growing by " + amount(per_hour, unit) + " an hour";
  const auto shape = text_at(forecast, "shape");
  return out + (shape.empty() || shape == "unknown" ? "" : ", " + shape);
}

std::string prediction_plot(const Terminal& terminal, const boost::json::object& detail) {
  const auto& prediction = object_at(detail, "prediction");
  auto past = past_of(detail);
  if (past.points.empty()) return "no samples were kept\n";
  const std::int64_t first_ms = past.points.front().ts_ms;
  const bool is_open = text_at(prediction, "state") == "open";
  // Open: the newest forecast. Closed: the one that people were told, to compare with what came.
  const char* which = is_open                            ? "newest"
                      : has(prediction, "before_action") ? "before_action"
                                                         : "first";
  std::vector<std::vector<PlotPoint>> lines = {past.points};
  std::int64_t end_ms = past.last_ms;
  if (has(prediction, which)) {
    const auto& forecast = object_at(prediction, which);
    const auto made = integer_at(forecast, "made_ms");
    const double from = number_at(forecast, "used").value_or(0);
    const double limit = number_at(forecast, "limit").value_or(past.limit);
    for (const char* name : {"early_ms", "likely_ms", "late_ms"}) {
      const auto at = integer_at(forecast, name);
      // What lies far beyond the horizon would press the rest together.
      const auto most =
          made + 2 * std::max(integer_at(prediction, "horizon_ms"), past.last_ms - first_ms);
      if (at <= made) continue;
      const auto shown = std::min(at, most);
      const double reached = from + (limit - from) * static_cast<double>(shown - made) /
                                        static_cast<double>(at - made);
      lines.push_back({{made, from}, {shown, reached}});
      end_ms = std::max(end_ms, shown);
    }
  }
  lines.push_back({{first_ms, past.limit}, {end_ms, past.limit}});
  std::vector<PlotPoint> all;
  for (const auto& line : lines) {
    // A gap between two lines; time goes back there.
    if (!all.empty()) all.push_back({line.front().ts_ms, kNan});
    all.insert(all.end(), line.begin(), line.end());
  }
  return plot(terminal, all, kPlotRows, text_at(prediction, "unit"));
}

}  // namespace observeai::controlplane::cli
