// What was said and measured: logs, metrics, events.
#include <array>
#include <charconv>
#include <cmath>

#include <boost/json.hpp>

#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/queries.h"
#include "controlplane/api/to_json.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxCandidates = 20;

// The one host that a metric query is about.
Answer<ResolvedTarget> metric_target(Call& call) {
  const std::string text =
      call.params.has("target") ? call.params.text("target") : wire::kHostTarget;
  TRY(auto resolved, call.directory.target(text, call.params.text("host")));
  if (!resolved.agent.empty()) return resolved;
  TRY(const auto* agents, call.directory.agents());
  Problem several(409, Errc::kInvalid, "\"" + text + "\" may be on any host",
                  "name the host with host=");
  several.parameter = "host";
  for (const auto& [id, agent] : *agents) {
    if (agent.state == model::AgentState::kRevoked) continue;
    resolved.agent = id;
    if (several.candidates.size() < kMaxCandidates) {
      several.candidates.push_back({id.value(), agent.hostname, resolved.target, text});
    }
  }
  if (several.candidates.size() == 1) return resolved;
  if (several.candidates.empty()) {
    return Problem(404, Errc::kNotFound, "there is no host yet",
                   "make a token with `observeai token create` and enroll one");
  }
  return several;
}

Problem too_many_points() {
  return {400, Errc::kLimit, "these are more points than one reply holds (24 MiB)",
          "ask for a shorter time, fewer series (name, label.*) or a larger step"};
}

// [[ts_ms,value],...], written as text at once: a tree of a million pairs takes ten times its size.
// False when `out` is full.
bool append_points(std::string& out, const std::vector<model::Point>& points) {
  out += '[';
  for (const auto& point : points) {
    if (out.size() > kMaxReplyBytes) return false;
    out += out.back() == '[' ? "[" : ",[";
    out += std::to_string(point.ts_ms) + ",";
    if (std::isfinite(point.value)) {
      std::array<char, 32> digits{};
      const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), point.value).ptr;
      const std::string_view number(digits.data(), static_cast<std::size_t>(end - digits.data()));
      out += number;
      if (number.find_first_of(".e") == std::string_view::npos)
        out += ".0";  // A number, not a count
    } else {
      out += "null";
    }
    out += ']';
  }
  out += ']';
  return true;
}

}  // namespace

Answer<Reply> get_logs(Call& call) {
  static const std::vector<std::string> kOrders = {"newest", "oldest"};
  model::LogQuery query;
  TRY(query.range, call.params.range(call.now_ms, kHourMs));
  TRY(query.grep, call.params.grep());
  TRY(query.stream, call.params.stream());
  TRY(const auto limit, call.params.integer("limit", 1, kMaxRows, 1000));
  TRY(const auto order, call.params.choice("order", kOrders));
  TRY(const auto resolved,
      call.directory.target(call.params.text("target"), call.params.text("host")));
  query.limit = static_cast<std::size_t>(limit);
  query.newest = order == "newest";
  query.agent = resolved.agent;
  query.target = resolved.target;
  const auto range = query.range;
  TRY(const auto page, read_logs(call, std::move(query)));
  json::array rows;
  for (const auto& row : page.rows) {
    rows.push_back(log_json(row, call.directory.hostname(row.agent),
                            call.directory.name(row.agent, row.record.target)));
  }
  return json_reply({{"now_ms", call.now_ms},
                     {"since_ms", range.since_ms},
                     {"until_ms", range.until_ms},
                     {"rows", std::move(rows)},
                     {"truncated", page.truncated}});
}

Answer<Reply> get_metrics(Call& call) {
  TRY(const auto resolved, metric_target(call));
  TRY(const auto series, call.world.telemetry.series(resolved.agent, resolved.target));
  const std::string hostname = call.directory.hostname(resolved.agent);
  TRY(auto page, Listing::create(call.params));
  std::map<std::string, const model::SeriesInfo*> by_name;
  for (const auto& info : series) {
    std::string key = info.definition.name;
    for (const auto& label : info.definition.labels) key += '\0' + label.name + '\0' + label.value;
    by_name[key] = &info;
  }
  for (const auto& [key, info] : by_name) {
    if (page.wants(key)) page.add(series_json(*info, hostname));
  }
  return page.reply({{"now_ms", call.now_ms}}, "series");
}

Answer<Reply> get_metrics_query(Call& call) {
  model::SeriesQuery query;
  TRY(query.range, call.params.range(call.now_ms, kHourMs));
  TRY(query.step_ms, call.params.step());
  TRY(const auto resolved, metric_target(call));
  query.agent = resolved.agent;
  query.target = resolved.target;
  query.name = call.params.text("name");
  query.labels = call.params.labels();
  const auto found = call.world.telemetry.points(query);
  if (!found && found.error().code() == Errc::kLimit) return too_many_points();
  if (!found) return found.error();
  const std::string hostname = call.directory.hostname(resolved.agent);
  std::string series;
  for (const auto& one : *found) {
    std::string text = json::serialize(series_json(one.info, hostname));
    text.back() = ',';  // Was the closing brace
    series += (series.empty() ? "" : ",") + text + "\"points\":";
    if (!append_points(series, one.points)) return too_many_points();
    series += '}';
  }
  return text_reply("{\"now_ms\":" + std::to_string(call.now_ms) +
                    ",\"since_ms\":" + std::to_string(query.range.since_ms) + ",\"until_ms\":" +
                    std::to_string(query.range.until_ms) + ",\"series\":[" + series + "]}");
}

Answer<Reply> get_events(Call& call) {
  model::EventQuery query;
  TRY(query.range, call.params.range(call.now_ms, 24 * kHourMs));
  TRY(const auto limit, call.params.integer("limit", 1, kMaxRows, 1000));
  TRY(const auto resolved,
      call.directory.target(call.params.text("target"), call.params.text("host")));
  query.limit = static_cast<std::size_t>(limit);
  query.kind_prefix = call.params.text("kind");
  query.agent = resolved.agent;
  query.target = resolved.target;
  const auto range = query.range;
  TRY(const auto page, read_events(call, std::move(query)));
  json::array events;
  for (const auto& row : page.rows) {
    events.push_back(event_json(row, call.directory.hostname(row.agent),
                                call.directory.name(row.agent, row.event.target)));
  }
  return json_reply({{"now_ms", call.now_ms},
                     {"since_ms", range.since_ms},
                     {"until_ms", range.until_ms},
                     {"events", std::move(events)},
                     {"truncated", page.truncated}});
}

}  // namespace observeai::controlplane::api
