// When did the level of a series change? Two cumulative sums, one for each direction (Page 1954), on values
// in units of the usual deviation. Usable alone: regimes of forecasts, onsets of diagnoses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/series/moving.h"
#include "protocol/base/result.h"

namespace observeai::series {

struct Change {
  std::int64_t onset = 0;  // Step at which the new level began: where the sum last was 0, plus one
  std::int64_t told = 0;   // Step at which it was sure
  double before = 0;       // Level before
  double after = 0;        // Mean from onset to told
  bool operator==(const Change&) const = default;
};

// Not thread-safe; constant size. Steps are any numbers that grow; those that do not are ignored, as are
// values that are not finite.
class ChangePoints {
 public:
  // Values before anything is claimed, at the start and after each change: level and deviation are learned
  // from them.
  static constexpr std::uint32_t kLearning = 30;
  // A drift of up to half a deviation is no change, and the sum must reach 12 of them. In independent normal
  // noise of known deviation that is one false change in half a million values (Siegmund 1985); it is
  // learned, so there are a few more. A shift by three deviations is told after about five values:
  // 12 / (3 - 0.5).
  static constexpr double kDrift = 0.5;
  static constexpr double kThreshold = 12;

  // The change that became sure with this value, if one did.
  std::optional<Change> observe(std::int64_t step, double value);

  double level() const { return level_.mean; }
  // Values still needed before a change can be told.
  std::uint32_t missing() const;

  std::string encode() const;
  // kInvalid: not of this version, damaged.
  static Result<ChangePoints> decode(std::string_view bytes);

 private:
  struct Sum {
    double value = 0;
    double total = 0;  // Of the values since the sum was 0
    std::uint32_t count = 0;
    std::int64_t onset = 0;

    void add(std::int64_t step, double z, double x);
  };
  void begin(double level);

  MovingMean level_;
  MovingMean deviation_;  // Mean absolute deviation
  Sum up_, down_;
  std::int64_t newest_ = 0;
  std::uint32_t known_ = 0;  // Values since the start or the last change, at most kLearning
  bool started_ = false;
};

}  // namespace observeai::series
