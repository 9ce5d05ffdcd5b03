// What this process uses, and what it may use: its own files below /proc and its control group.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/budget/degrade_ladder.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Measures the program itself. Cheap enough for every second. Not thread-safe.
class OwnUsageMeter {
 public:
  // CPU since the last call (0 in the first one), resident memory, open descriptors. `spool_bytes` is
  // left 0. kUnavailable where /proc is missing.
  Result<OwnUsage> measure(SteadyTime now);

 private:
  std::optional<SteadyTime> measured_at_;
  std::chrono::nanoseconds cpu_{0};
};

// Of the control group that this process is in and its ancestors, v1 or v2: the least that one of them
// allows; nullopt: none does. `cgroup_root` is /sys/fs/cgroup.
struct GroupLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> cpu_percent;  // Of one core
};
GroupLimits own_group_limits(const std::string& proc_root, const std::string& cgroup_root);

// The configured limits, or nine tenths of the group's where that is less: the ladder must act before
// the kernel does.
BudgetLimits within(BudgetLimits configured, const GroupLimits& group);

// "max 100000" of cpu.max, in per cent of a core. Pure.
std::optional<double> parse_cpu_max(std::string_view text);

}  // namespace observeai::agent
