// How much of CPU and memory targets use now, from their newest samples. Missing data is nullopt.
#pragma once

#include <optional>
#include <span>

#include "controlplane/model/repositories.h"

namespace observeai::controlplane::api {

struct Usage {
  std::optional<double> cpu_cores;
  std::optional<double> memory_bytes;
};

// So many targets of one reply are looked up; a reply says how many it left out.
inline constexpr std::size_t kMaxUsageLookups = 500;
// Older samples are the past, not the present. Covers one interval of 60 s and late delivery.
inline constexpr std::int64_t kUsageWindowMs = 150'000;

// Increase per second between the last two points. nullopt for fewer than two points, when the
// series ended, and when the counter fell: it was reset, or a process of the group ended.
std::optional<double> last_rate(std::span<const model::Point> points);

Usage host_usage(model::TelemetryReader& telemetry, const AgentId& agent, std::int64_t now_ms);
Usage container_usage(model::TelemetryReader& telemetry, const AgentId& agent,
                      const std::string& id, std::int64_t now_ms);
Usage process_usage(model::TelemetryReader& telemetry, const AgentId& agent, const std::string& key,
                    std::int64_t now_ms);

}  // namespace observeai::controlplane::api
