// How much of CPU and memory targets use now, from their newest samples. Missing data is nullopt.
#pragma once

#include <optional>
#include <span>
#include <unordered_map>

#include "controlplane/model/repositories.h"

namespace observeai::controlplane::api {

struct Usage {
  std::optional<double> cpu_cores;
  std::optional<double> memory_bytes;
};

// Older samples are the past, not the present. Covers one interval of 60 s and late delivery.
inline constexpr std::int64_t kUsageWindowMs = 150'000;

// Increase per second between the last two points. nullopt for fewer than two points, when the
// series ended, and when the counter fell: it was reset, or a process of the group ended.
std::optional<double> last_rate(std::span<const model::Point> points);

// Each is one call to the store for a whole host. A target without a sample in the last kUsageWindowMs
// is left out.
using UsageMap = std::unordered_map<wire::Target, Usage>;
Usage host_usage(model::TelemetryReader& telemetry, const AgentId& agent, std::int64_t now_ms);
UsageMap container_usage(model::TelemetryReader& telemetry, const AgentId& agent,
                         std::int64_t now_ms);
UsageMap process_usage(model::TelemetryReader& telemetry, const AgentId& agent,
                       std::int64_t now_ms);
Usage usage_of(const UsageMap& known, const wire::Target& target);  // Nothing when not in it

}  // namespace observeai::controlplane::api
