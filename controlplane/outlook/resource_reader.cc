#include "controlplane/outlook/resource_reader.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>

namespace observeai::controlplane::outlook {
namespace {

constexpr std::string_view kLogLines = "observeai_log_lines_total";
constexpr double kNoCount = 1e12;  // Neither a number of lines nor a time in seconds
constexpr std::string_view kBegan = "container_start_time_seconds";

bool is_of_interest(std::string_view name) {
  return name == kLogLines ||
         std::ranges::find(predict::metric_names(), name) != predict::metric_names().end();
}

bool has_level(const predict::Sample& sample, std::string_view level) {
  return std::ranges::any_of(sample.labels, [&](const wire::Label& label) {
    return label.name == "level" && label.value == level;
  });
}

// Of containers and units: their ends are told by events.
bool is_service(std::string_view target) {
  return target.starts_with("container/") || target.starts_with("unit/");
}

struct Lines {
  std::optional<predict::Sample> errors;
  std::optional<predict::Sample> others;
  std::int64_t began_ms = 0;
};

void add_errors(std::span<const predict::Sample> samples, std::vector<predict::Reading>& out) {
  std::map<std::string_view, Lines> by_target;
  for (const auto& sample : samples) {
    if (!is_service(sample.target) || !(std::abs(sample.value) < kNoCount)) continue;
    if (sample.name == kLogLines) {
      auto& lines = by_target[sample.target];
      (has_level(sample, "error") ? lines.errors : lines.others) = sample;
    } else if (sample.name == kBegan) {
      by_target[sample.target].began_ms = static_cast<std::int64_t>(sample.value * 1'000);
    }
  }
  for (const auto& [target, lines] : by_target) {
    if (!lines.errors || !lines.others || lines.errors->ts_ms != lines.others->ts_ms) continue;
    predict::Reading reading;
    reading.kind = predict::Kind::kErrors;
    reading.target = target;
    reading.used = lines.errors->value;
    reading.limit = lines.others->value;
    reading.unit = "errors";
    reading.ts_ms = lines.errors->ts_ms;
    reading.regime = lines.began_ms;
    out.push_back(std::move(reading));
  }
}

std::vector<predict::Reading> all_readings(std::span<const predict::Sample> samples) {
  auto out = predict::readings(samples);
  add_errors(samples, out);
  return out;
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
    return all_readings(all);
  }
};

Result<std::vector<predict::Reading>> ResourceReader::newest(const AgentId& agent,
                                                             std::int64_t now_ms) {
  std::vector<std::string> names(predict::metric_names().begin(), predict::metric_names().end());
  names.emplace_back(kLogLines);
  TRY(const auto series, telemetry_.latest(agent, "", names));
  std::vector<predict::Sample> samples;
  samples.reserve(series.size());
  for (const auto& one : series) {
    if (one.points.empty()) continue;
    const auto ts_ms = one.points.back().ts_ms;
    if (ts_ms <= 0 || ts_ms - now_ms > kMostAheadMs) continue;
    const auto& definition = one.info.definition;
    samples.push_back(
        {definition.target, definition.name, definition.labels, one.points.back().value, ts_ms});
  }
  return all_readings(samples);
}

Result<std::int64_t> ResourceReader::past(const AgentId& agent,
                                          std::span<const wire::Target> targets,
                                          const model::TimeRange& range, std::int64_t step_ms,
                                          const Visit& visit) {
  Known known;
  std::int64_t passed_over_ms = 0;
  std::int64_t length_ms = kWindowMs;
  for (std::int64_t from = range.since_ms; from < range.until_ms;) {
    const model::TimeRange window{from, std::min(from + length_ms, range.until_ms)};
    const auto read = read_window(agent, targets, window, step_ms, known, visit);
    if (!read) {
      if (read.error().code() != Errc::kLimit) return read.error();
      if (length_ms > kLeastWindowMs) {
        length_ms = std::max(length_ms / 4, kLeastWindowMs);
        continue;
      }
      passed_over_ms += window.until_ms - from;
    }
    from = window.until_ms;
  }
  return passed_over_ms;
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
  // Not std::ranges::stable_sort: clang 14 cannot read libstdc++'s.
  std::stable_sort(arrivals.begin(), arrivals.end(),
                   [](const Arrival& a, const Arrival& b) { return a.ts_ms < b.ts_ms; });
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
