// What the agent gives up when it costs its host too much, one step after the other, the least missed
// first. Each step includes those before it. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace observeai::agent {

enum class DegradeStep : std::uint8_t {
  kNone,
  kSlowMetrics,      // A scrape every 30 s, a scan of /proc every 15 s
  kSlowestMetrics,   // Every 60 s, every 60 s
  kNoProcessDetail,  // No metrics of process groups
  kSampleLogs,       // Of debug and info lines one in ten; the others are counted as dropped
  kPauseLogs,        // Log files wait, and keep what is in them
  kRestart,          // The process ends with exit code 75 and is started again
  kSafeMode,         // After too many restarts: heartbeat and events only
};
inline constexpr DegradeStep kLastStep = DegradeStep::kSafeMode;

// What a step means for those who collect.
struct Shedding {
  DegradeStep step = DegradeStep::kNone;
  std::chrono::milliseconds least_metrics_interval{0};
  std::chrono::milliseconds least_scan_interval{0};
  bool metrics = true;
  bool scans = true;  // Of processes, ports and units
  bool process_detail = true;
  std::uint32_t keep_one_log_in = 1;  // Of debug and info lines
  bool logs = true;
};
Shedding shedding_at(DegradeStep step);

// "slow_metrics": as it stands in events and hello.
std::string_view to_string(DegradeStep step);
// "metrics every 30 s": what is missing from now on, for a person.
std::string_view description(DegradeStep step);

}  // namespace observeai::agent
