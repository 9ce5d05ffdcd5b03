// Whether it worked, by the target's own signals and never by an exit code alone. What cannot be told is
// inconclusive. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/plans.h"
#include "controlplane/model/records.h"

namespace observeai::controlplane::plan {

// A container or unit as the inventory has it. nullopt members of Signals: not known.
struct TargetSignals {
  bool exists = false;
  std::string state;   // running, exited, ... or active, failed, ...
  std::string health;  // "", starting, healthy, unhealthy
  std::int64_t started_ms = 0;
  std::uint32_t restarts = 0;
  std::uint64_t memory_limit_bytes = 0;
  std::string image;
  std::string image_id;
  std::uint32_t main_pid = 0;  // Of a unit; 0 = none
};

struct VerificationInput {
  model::PlanRecord plan;
  model::PlanTargetRecord target;
  std::optional<TargetSignals> now;   // Of containers and units
  std::optional<bool> process_runs;   // Of a process: whether the newest inventory has it
  std::vector<model::Point> symptom;  // Of the plan's metric, since the action
  std::int64_t host_seen_ms = 0;      // Its newest sign of life
  std::int64_t now_ms = 0;
  bool host_says_done = false;  // Its own post-condition holds, in a signed result
};

enum class Outcome : std::uint8_t { kWait, kVerified, kBroken, kUnclear };

struct Verification {
  Outcome outcome = Outcome::kWait;
  std::vector<model::CheckFinding> findings;  // What was looked at
  std::string sentence;
};

// A workload must stay as intended for so long, and its host be heard that long.
inline constexpr std::int64_t kStableMs = 30'000;
// Units are looked at every 30 s: two whole looks.
inline constexpr std::int64_t kUnitStableMs = 75'000;
// Then it is said that it cannot be told.
inline constexpr std::int64_t kVerificationMs = 5LL * 60'000;
inline constexpr std::size_t kSymptomSamples = 3;

// Called again and again until the outcome is not kWait.
Verification verify(const VerificationInput& input);

}  // namespace observeai::controlplane::plan
