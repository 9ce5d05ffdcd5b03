// Decides which step of the ladder holds: values in, step out. Pure; the caller measures and acts.
//
// One step up after kPatience over a limit (kCpuPatience for the processor, kUrgentPatience at twice
// another limit), and each next step gets the same time to help; one step down after kRelief below
// kRecovered of every limit. In between nothing changes, so that the ladder does not swing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/budget/shedding.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

struct BudgetLimits {
  double cpu_percent = 0;  // Of one core, over the time between two measurements
  std::uint64_t memory_bytes = 0;
  std::uint64_t spool_bytes = 0;
  std::uint64_t open_files = 0;
};

struct OwnUsage {
  double cpu_percent = 0;
  std::uint64_t memory_bytes = 0;  // Resident
  std::uint64_t spool_bytes = 0;   // Of its files
  std::uint64_t open_files = 0;
};

class DegradeLadder {
 public:
  static constexpr std::chrono::seconds kPatience{10};
  static constexpr std::chrono::seconds kUrgentPatience{2};
  // Reading a backlog may take a core for minutes; only what lasts is too much.
  static constexpr std::chrono::seconds kCpuPatience{60};
  static constexpr std::chrono::seconds kRelief{60};
  static constexpr double kUrgent = 2.0;
  static constexpr double kRecovered = 0.7;

  struct Change {
    DegradeStep from = DegradeStep::kNone;
    DegradeStep to = DegradeStep::kNone;
    // "memory: 80 MiB of 64 MiB"; which limit, how much; empty on the way down.
    std::string reason;
  };

  explicit DegradeLadder(BudgetLimits limits) : limits_(limits) {}

  // At least every few seconds. One step at a time; nullopt: nothing changes. kRestart is given once:
  // whether the process ends, or goes to safe mode, is the caller's business.
  std::optional<Change> measure(const OwnUsage& usage, SteadyTime now);
  DegradeStep step() const { return step_; }

 private:
  struct Pressure {
    double share = 0;  // Of its limit, the highest of all that this step can still relieve
    std::chrono::seconds patience{kCpuPatience};  // The shortest of the limits that are crossed
    std::string what;
  };
  Pressure pressure(const OwnUsage& usage) const;

  BudgetLimits limits_;
  DegradeStep step_ = DegradeStep::kNone;
  std::optional<SteadyTime> over_since_;
  std::optional<SteadyTime> calm_since_;
};

}  // namespace observeai::agent
