#include "controlplane/api/usage.h"

#include <cmath>
#include <map>

namespace observeai::controlplane::api {
namespace {

using Series = std::vector<model::SeriesPoints>;

// A host's clock may be ahead of ours.
constexpr std::int64_t kClockSlackMs = 5 * 60'000;

constexpr const char* kHostCpu = "node_cpu_seconds_total";
constexpr const char* kHostMemory = "node_memory_MemTotal_bytes";
constexpr const char* kHostFree = "node_memory_MemAvailable_bytes";
constexpr const char* kContainerCpu = "container_cpu_usage_seconds_total";
constexpr const char* kContainerMemory = "container_memory_working_set_bytes";
constexpr const char* kProcessCpu = "namedprocess_namegroup_cpu_seconds_total";
constexpr const char* kProcessMemory = "namedprocess_namegroup_memory_bytes";

// The series of one target by their name.
using ByName = std::map<std::string, Series>;

// Empty target: of every target of the host.
std::unordered_map<wire::Target, ByName> read(model::TelemetryReader& telemetry,
                                              const AgentId& agent, const wire::Target& target,
                                              const std::vector<std::string>& names,
                                              std::int64_t now_ms) {
  std::unordered_map<wire::Target, ByName> out;
  auto latest = telemetry.latest(agent, target, names);
  if (!latest) return out;
  for (auto& series : *latest) {
    std::erase_if(series.points, [now_ms](const auto& point) {
      return point.ts_ms < now_ms - kUsageWindowMs || point.ts_ms >= now_ms + kClockSlackMs;
    });
    if (series.points.empty()) continue;
    const auto& definition = series.info.definition;
    out[definition.target][definition.name].push_back(std::move(series));
  }
  return out;
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
  auto targets =
      read(telemetry, agent, wire::kHostTarget, {kHostCpu, kHostMemory, kHostFree}, now_ms);
  ByName& host = targets[wire::kHostTarget];
  std::erase_if(host[kHostCpu], [](const auto& one) {
    const auto mode = label_of(one, "mode");
    // guest time is part of user time already.
    return mode == "idle" || mode == "iowait" || mode == "steal" || mode.starts_with("guest");
  });
  Usage usage;
  usage.cpu_cores = cpu_rate(std::move(host[kHostCpu]));
  const auto total = last_value(host[kHostMemory]);
  const auto available = last_value(host[kHostFree]);
  if (total && available) usage.memory_bytes = *total - *available;
  return usage;
}

UsageMap container_usage(model::TelemetryReader& telemetry, const AgentId& agent,
                         std::int64_t now_ms) {
  UsageMap out;
  for (auto& [target, series] :
       read(telemetry, agent, "", {kContainerCpu, kContainerMemory}, now_ms)) {
    out[target] = {cpu_rate(std::move(series[kContainerCpu])),
                   last_value(series[kContainerMemory])};
  }
  return out;
}

UsageMap process_usage(model::TelemetryReader& telemetry, const AgentId& agent,
                       std::int64_t now_ms) {
  UsageMap out;
  for (auto& [target, series] : read(telemetry, agent, "", {kProcessCpu, kProcessMemory}, now_ms)) {
    Series& memory = series[kProcessMemory];
    std::erase_if(memory, [](const auto& one) { return label_of(one, "memtype") != "resident"; });
    out[target] = {cpu_rate(std::move(series[kProcessCpu])), last_value(memory)};
  }
  return out;
}

Usage usage_of(const UsageMap& known, const wire::Target& target) {
  const auto found = known.find(target);
  return found == known.end() ? Usage() : found->second;
}

}  // namespace observeai::controlplane::api
