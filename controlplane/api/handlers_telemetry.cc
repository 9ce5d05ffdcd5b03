// What was said and measured: logs, metrics, events.
#include <boost/json.hpp>

#include "controlplane/api/handlers.h"
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
                   "make a token with POST /v1/tokens and enroll one");
  }
  return several;
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
  json::array out;
  for (const auto& info : series) out.push_back(series_json(info, hostname));
  return json_reply({{"now_ms", call.now_ms}, {"series", std::move(out)}});
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
  TRY(const auto found, call.world.telemetry.points(query));
  const std::string hostname = call.directory.hostname(resolved.agent);
  json::array out;
  for (const auto& series : found) {
    json::array points;
    points.reserve(series.points.size());
    for (const auto& point : series.points) {
      json::array pair;
      pair.emplace_back(point.ts_ms);
      pair.push_back(number_or_null(point.value));
      points.push_back(std::move(pair));
    }
    json::object one = series_json(series.info, hostname);
    one["points"] = std::move(points);
    out.push_back(std::move(one));
  }
  return json_reply({{"now_ms", call.now_ms},
                     {"since_ms", query.range.since_ms},
                     {"until_ms", query.range.until_ms},
                     {"series", std::move(out)}});
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
