// What speaks for an anomaly in one value: deviations from several predictions, in the series' own units.
#pragma once

#include <array>
#include <cstdint>

#include "controlplane/series/baseline.h"
#include "controlplane/series/moving.h"
#include "controlplane/series/tail.h"

namespace observeai::series {

// Where a figure stands in Features. log10 of a ratio, cut to [-2, 2.5], unless said otherwise.
enum Feature : int {
  kStep,       // |x - value before| / its usual size
  kMean10,     // |x - mean of 10| ...
  kMean30,     // |x - mean of 30|
  kSeason60,   // |rest - mean of its 60|, rest = x - season
  kSeasonDay,  // |rest - mean of its day|
  kAgreed,    // the smaller of kStep's and kSeason60's deviation, 0 when they disagree in direction
  kMedian15,  // |x - median of 15|
  kMedian30,  // |x - median of 30|
  kRareAgreed,  // -log10 P(kAgreed's deviation or more), 0..6
  kRareSeason60,
  kRareMedian15,
  kRareHourly,    // the same of kHourly
  kRareRelative,  // the same of kRelative
  kRelative,      // |x - median of 5| / |level|
  kSpread,        // |x - median of 5| / standard deviation of the last weeks
  kHourly,        // |x - median of 5| / its usual size at this hour of the day
  kRough10,       // size of the last 10 deviations / usual
  kRough60,       // of the last 60
  kAgainstDay,    // |x - median of 5| / the largest of about a day
  kAgainstWeek,   // ... of about a week
  kUpwards,       // 1: x is above the median of 5, 0: not above
  kNoise,         // usual |x - median of 5| / standard deviation
  kHeavy,         // the largest deviation of a week / the usual one
  kNoiseToLevel,  // usual |x - median of 5| / |level|
  kOutliers,      // standard deviation without outliers / with them
  kFeatures
};
using Features = std::array<float, kFeatures>;

// Follows one series. Not thread-safe; constant size.
class Evidence {
 public:
  static constexpr std::uint32_t kRecent = 31;     // Values that the predictions look at
  static constexpr std::uint32_t kLearning = 432;  // Before so many values, features() is not meant

  // Of `value`, before it is learned. `season` of the baseline for this time.
  Features features(std::int64_t ts_ms, double value, double season) const;
  // The probability behind kRareAgreed: the largest of what the tails say, corrected for asking several.
  double probability(const Features& features) const;

  void observe(std::int64_t ts_ms, double value, double season, double per_day);
  std::uint32_t seen() const { return seen_; }

  void write(StateWriter& out) const;
  bool read(StateReader& in);

 private:
  static constexpr int kDeviations = 8;  // kStep..kMedian30
  struct Deviations;
  Deviations deviations(std::int64_t ts_ms, double value, double season) const;
  double median_before(std::uint32_t count) const;

  std::array<double, kRecent> recent_{};  // Ring: the value of step n is at n % kRecent
  std::uint32_t seen_ = 0;                // Steps, folded so that the ring stays in place
  MovingMean mean10_, mean30_, rest60_, rest_day_, level_, level_rest_;
  MovingSpread spread_, spread_all_;
  std::array<MovingMean, kDeviations> usual_{};
  MovingMean usual_median5_;
  std::array<MovingMean, 24> hourly_{};
  MovingMean rough10_, rough60_;
  FadingMaximum day_maximum_, week_maximum_;
  Tail rare_agreed_, rare_season60_, rare_median15_, rare_hourly_, rare_relative_;
};

}  // namespace observeai::series
