// Slow evidence, on means of five minutes: values, levels and shifts that this series never had before, and
// stillness it never had. Records need no scale and no distribution: they are rare in any series, and the
// rarer the longer it runs (Chandler 1952: the n-th of equal values is a record with probability 1/n).
#pragma once

#include <array>
#include <cstdint>

#include "controlplane/series/moving.h"
#include "controlplane/series/tail.h"

namespace observeai::series {

// The range of a figure so far, and by how much of it a new value lies outside.
class Range {
 public:
  // 0: inside; 1: outside by as much as the whole range was; at most kMost. Learns `value`.
  double beyond(double value);
  static constexpr double kMost = 2;

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  double low_ = 0;
  double high_ = 0;
  std::uint8_t known_ = 0;
};

// Follows one series. Not thread-safe; constant size.
class Records {
 public:
  // Before so many blocks, strength() is not meant.
  static constexpr std::uint32_t kLearning = 168;

  // One block: the mean of its values, and of those without the season. `per_day` blocks make a day.
  // -> strength: 0 = nothing, 3 = a bare record, more the further outside and the more figures agree.
  double observe(double value, double rest, double per_day);

  std::uint32_t seen() const { return seen_; }

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  static constexpr std::uint32_t kRecent = 48;
  double mean_of(const std::array<double, kRecent>& ring, std::uint32_t count) const;
  double deviation_of(std::uint32_t count) const;

  std::array<double, kRecent> values_{};  // Ring: block n at n % kRecent
  std::array<double, kRecent> rests_{};
  std::uint32_t seen_ = 0;
  MovingMean before_;  // Level of a day before the last two hours
  MovingMean rest_before_;
  MovingSpread spread_;  // Of a week, before the last two hours
  Range value_, shift_, rest6_, rest24_, rest48_;
  Tail stillness_;
};

}  // namespace observeai::series
