// The time by which data is old: a wall clock that jumps must not make it so. Internal to controlplane/store.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "protocol/base/clock.h"

namespace observeai::controlplane::store {

// Known time goes on with the steady clock and is set right by a wall clock that agrees within kTolerance.
// One that does not is believed after it has run evenly for kBelieved. Until then the earlier of both is
// the time by which data is old: nothing goes early, and the limit in bytes holds anyway. Known
// time is written down; at a start, up to kBelievedStop of it may have passed while nothing ran.
//
// Pure, not thread-safe.
class AgeClock {
 public:
  static constexpr std::int64_t kTolerance = 3'600'000;  // ms
  static constexpr std::chrono::hours kBelieved{24};
  static constexpr std::int64_t kBelievedStop = 24 * 3'600'000;  // ms

  // `known_ms`: the last known time that was written down, none for a new store.
  AgeClock(std::optional<std::int64_t> known_ms, std::int64_t wall_ms, SteadyTime now);

  struct Reading {
    std::int64_t now_ms = 0;    // For judging age
    std::int64_t known_ms = 0;  // To be written down
    std::int64_t ahead_ms = 0;  // Of the wall clock, when it is not believed; negative = behind
  };
  Reading read(std::int64_t wall_ms, SteadyTime now);

 private:
  struct Doubted {
    std::int64_t ahead_ms = 0;
    SteadyTime since{};
  };
  std::int64_t known_ms_;
  SteadyTime at_;
  std::optional<Doubted> doubted_;
};

}  // namespace observeai::controlplane::store
