#include "controlplane/outlook/resource_reader.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <tuple>

namespace observeai::controlplane::outlook {
namespace {

// What readings() looks at, as the store wants it.
const std::vector<std::string>& names() {
  static const std::vector<std::string> all(predict::metric_names().begin(),
                                            predict::metric_names().end());
  return all;
}

bool is_of_interest(const std::string& name) {
  return std::ranges::find(predict::metric_names(), std::string_view(name)) !=
         predict::metric_names().end();
}

}  // namespace

// The newest value of each series so far.
struct ResourceReader::Known {
  using Identity = std::tuple<wire::Target, std::string, wire::Labels>;
  std::map<Identity, predict::Sample> samples;  // They point to their keys

  predict::Sample& of(const wire::SeriesDefinition& series) {
    const auto [place, is_new] =
        samples.try_emplace(Identity(series.target, series.name, series.labels));
    if (is_new) {
      place->second.target = std::get<0>(place->first);
      place->second.name = std::get<1>(place->first);
      place->second.labels = std::get<2>(place->first);
    }
    return place->second;
  }
  std::vector<predict::Reading> readings() const {
    std::vector<predict::Sample> all;
    all.reserve(samples.size());
    for (const auto& entry : samples) {
      if (entry.second.ts_ms != 0) all.push_back(entry.second);
    }
    return predict::readings(all);
  }
};

Result<std::vector<predict::Reading>> ResourceReader::newest(const AgentId& agent) {
  TRY(const auto series, telemetry_.latest(agent, "", names()));
  std::vector<predict::Sample> samples;
  samples.reserve(series.size());
  for (const auto& one : series) {
    if (one.points.empty()) continue;
    const auto& definition = one.info.definition;
    samples.push_back({definition.target, definition.name, definition.labels,
                       one.points.back().value, one.points.back().ts_ms});
  }
  return predict::readings(samples);
}

Result<void> ResourceReader::past(const AgentId& agent, std::span<const wire::Target> targets,
                                  const model::TimeRange& range, std::int64_t step_ms,
                                  const Visit& visit) {
  Known known;
  for (std::int64_t from = range.since_ms; from < range.until_ms; from += kWindowMs) {
    const model::TimeRange window{from, std::min(from + kWindowMs, range.until_ms)};
    TRY_VOID(read_window(agent, targets, window, step_ms, known, visit));
  }
  return {};
}

Result<void> ResourceReader::read_window(const AgentId& agent,
                                         std::span<const wire::Target> targets,
                                         const model::TimeRange& range, std::int64_t step_ms,
                                         Known& known, const Visit& visit) {
  struct Arrival {
    std::int64_t ts_ms = 0;
    predict::Sample* sample = nullptr;
    double value = 0;
  };
  std::vector<Arrival> arrivals;
  model::SeriesQuery query;
  query.agent = agent;
  query.range = range;
  query.step_ms = step_ms;
  const std::vector<wire::Target> wanted =
      targets.empty() ? std::vector<wire::Target>{""} : std::vector(targets.begin(), targets.end());
  for (const auto& target : wanted) {
    query.target = target;
    TRY(const auto series, telemetry_.points(query));
    for (const auto& one : series) {
      if (!is_of_interest(one.info.definition.name)) continue;
      auto& sample = known.of(one.info.definition);
      for (const auto& point : one.points) arrivals.push_back({point.ts_ms, &sample, point.value});
    }
  }
  std::ranges::stable_sort(arrivals, {}, &Arrival::ts_ms);
  for (std::size_t i = 0; i < arrivals.size();) {
    const std::int64_t ts_ms = arrivals[i].ts_ms;
    for (; i < arrivals.size() && arrivals[i].ts_ms == ts_ms; ++i) {
      arrivals[i].sample->value = arrivals[i].value;
      arrivals[i].sample->ts_ms = ts_ms;
    }
    visit(ts_ms, known.readings());
  }
  return {};
}

}  // namespace observeai::controlplane::outlook
