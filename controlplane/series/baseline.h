// What a series usually does: level, time of day, day of the week, and how far it strays. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "controlplane/series/moving.h"

namespace observeai::series {

// What was expected of one value, from those before it.
struct Expectation {
  double season = 0;    // Of this time of the day and week, around 0 plus what the level began with
  double expected = 0;  // level + season
  double scale = 0;     // Usual absolute deviation from `expected`
};

// Additive: value = level + day(t) + week(t) + rest. Each is a mean with forgetting of what the others leave,
// cut at kCut usual deviations, so that an outage does not become tomorrow's habit. A slot that was not yet
// seen counts as 0; the level takes what the seasons do not explain.
class Baseline {
 public:
  static constexpr int kDaySlots = 288;  // Five minutes
  static constexpr int kWeekSlots = 56;  // Three hours: what differs from day to day changes slowly

  // Before the value is known. Rises of the level are part of what is expected.
  Expectation expect(std::int64_t ts_ms) const;

  // `per_day` = values that a day has (>= 1).
  void observe(std::int64_t ts_ms, double value, double per_day);

  double level() const { return level_.mean; }

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  struct Slot {
    float mean = 0;
    std::uint16_t count = 0;
    bool known = false;  // Of the week's: seen often enough to be used
  };

  double known_week(std::int64_t ts_ms) const;

  std::array<Slot, kDaySlots> day_{};
  std::array<Slot, kWeekSlots> week_{};
  MovingMean level_;
  MovingMean scale_;
};

}  // namespace observeai::series
