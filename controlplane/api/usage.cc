#include "controlplane/api/usage.h"

#include <cmath>

namespace observeai::controlplane::api {
namespace {

using Series = std::vector<model::SeriesPoints>;

// A host's clock may be ahead of ours.
constexpr std::int64_t kClockSlackMs = 5 * 60'000;

Series read(model::TelemetryReader& telemetry, const AgentId& agent, const wire::Target& target,
            const std::string& name, std::int64_t now_ms) {
  model::SeriesQuery query;
  query.agent = agent;
  query.target = target;
  query.name = name;
  query.range = {now_ms - kUsageWindowMs, now_ms + kClockSlackMs};
  auto points = telemetry.points(query);
  return points ? std::move(*points) : Series();
}

std::string label_of(const model::SeriesPoints& series, std::string_view name) {
  for (const auto& label : series.info.definition.labels) {
    if (label.name == name) return label.value;
  }
  return "";
}

std::optional<double> sum(const std::optional<double>& a, const std::optional<double>& b) {
  if (!a || !b) return a ? a : b;
  return *a + *b;
}

std::optional<double> last_value(const Series& series) {
  std::optional<double> total;
  for (const auto& one : series) {
    if (one.points.empty() || std::isnan(one.points.back().value)) continue;
    total = sum(total, one.points.back().value);
  }
  return total;
}

// Of the CPU counters of one target; a total, where there is one, stands for its parts.
std::optional<double> cpu_rate(Series series) {
  const bool has_total = std::any_of(series.begin(), series.end(), [](const auto& one) {
    return label_of(one, "cpu") == "total";
  });
  if (has_total)
    std::erase_if(series, [](const auto& one) { return label_of(one, "cpu") != "total"; });
  std::optional<double> total;
  for (const auto& one : series) total = sum(total, last_rate(one.points));
  return total;
}

}  // namespace

std::optional<double> last_rate(std::span<const model::Point> points) {
  if (points.size() < 2) return std::nullopt;
  const auto& last = points.back();
  const auto& before = points[points.size() - 2];
  // Also false for NaN, the end of a series.
  const bool grows = last.value >= before.value && last.ts_ms > before.ts_ms;
  if (!grows) return std::nullopt;
  return (last.value - before.value) / (static_cast<double>(last.ts_ms - before.ts_ms) / 1000);
}

Usage host_usage(model::TelemetryReader& telemetry, const AgentId& agent, std::int64_t now_ms) {
  Series cpu = read(telemetry, agent, wire::kHostTarget, "node_cpu_seconds_total", now_ms);
  std::erase_if(cpu, [](const auto& one) {
    const auto mode = label_of(one, "mode");
    // guest time is part of user time already.
    return mode == "idle" || mode == "iowait" || mode == "steal" || mode.starts_with("guest");
  });
  Usage usage;
  usage.cpu_cores = cpu_rate(std::move(cpu));
  const auto total =
      last_value(read(telemetry, agent, wire::kHostTarget, "node_memory_MemTotal_bytes", now_ms));
  const auto available = last_value(
      read(telemetry, agent, wire::kHostTarget, "node_memory_MemAvailable_bytes", now_ms));
  if (total && available) usage.memory_bytes = *total - *available;
  return usage;
}

Usage container_usage(model::TelemetryReader& telemetry, const AgentId& agent,
                      const std::string& id, std::int64_t now_ms) {
  const wire::Target target = "container/" + id;
  return {cpu_rate(read(telemetry, agent, target, "container_cpu_usage_seconds_total", now_ms)),
          last_value(read(telemetry, agent, target, "container_memory_working_set_bytes", now_ms))};
}

Usage process_usage(model::TelemetryReader& telemetry, const AgentId& agent, const std::string& key,
                    std::int64_t now_ms) {
  const wire::Target target = "process/" + key;
  Series memory = read(telemetry, agent, target, "namedprocess_namegroup_memory_bytes", now_ms);
  std::erase_if(memory, [](const auto& one) { return label_of(one, "memtype") != "resident"; });
  return {
      cpu_rate(read(telemetry, agent, target, "namedprocess_namegroup_cpu_seconds_total", now_ms)),
      last_value(memory)};
}

}  // namespace observeai::controlplane::api
