// Will a service go down, by the errors that it logs? One object follows one service on one clock
// (docs/adr/0014).
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "controlplane/predict/forecast.h"
#include "protocol/base/result.h"

namespace observeai::predict {

// What a service did in one step. NaN: not known.
struct ServiceStep {
  double errors = std::numeric_limits<double>::quiet_NaN();  // Lines that call themselves errors
  double others = std::numeric_limits<double>::quiet_NaN();  // Its other lines: how much it does
};

// A discrete-time hazard (complementary log-log): in each step the service ends with probability
// 1 - exp(-h), where
//
//   log h = kQuiet + evidence * (kRising + kExcess * excess + kGrowth * growth + kRestarts * restarts)
//
//   evidence   0..1, a CUSUM of errors against what this service usually logs, as many at most in one
//              step that one burst is a sixth of it; usual are errors per step, or per other
//              line when it does more than usual
//   excess     ln(errors / usual), the smaller one of a short and a long window (multi-window burn rate)
//   growth     of ln(errors) over ten steps ahead, as the two windows tell it
//   restarts   in the last 30 steps
//
// Each step that is survived makes the next less likely (gamma frailty): a service that lives with its
// errors is no longer told to be dying. Not thread-safe; no allocation but by encode(); deterministic,
// encoded or not.
class HazardForecaster {
 public:
  static constexpr std::size_t kMaxStateBytes = 256;
  static constexpr std::uint32_t kLearnSteps = 20;  // Known ones, before it claims anything

  // `step` must grow from call to call (others are ignored). Forecast::slope is the growth of the
  // logarithm of errors per step here, for there is no limit.
  Forecast observe(std::int64_t step, const ServiceStep& seen);
  const Forecast& newest() const { return newest_; }

  // The service began anew: evidence goes, what is usual stays, the restart counts.
  void begin_regime(std::int64_t step);

  std::string encode() const;
  static Result<HazardForecaster> decode(std::string_view bytes);  // kInvalid: damaged

 private:
  void learn(double errors, double others);
  void weigh(double errors, double usual);
  void judge();
  double hazard(double ahead) const;
  double steps_until(double cumulated) const;
  template <class Self, class Visitor>
  static void each_field(Self& self, Visitor&& visit);
  bool valid() const;

  Forecast newest_;
  std::int64_t step_ = -1;
  std::int64_t began_ = 0;
  bool seen_ = false;
  std::uint32_t known_ = 0;  // Steps in all
  // Per step, forgotten over kUsualSteps; the mean of squares tells how bursty it is.
  double usual_errors_ = 0, usual_squares_ = 0, usual_others_ = 0, usual_weight_ = 0;
  // Moving means: errors and what was usual, over kShortSteps and kLongSteps.
  double short_errors_ = 0, short_usual_ = 0, long_errors_ = 0, long_usual_ = 0;
  double cusum_ = 0;
  double survived_ = 0;  // Cumulated hazard since evidence began
  double restarts_ = 0;
  std::uint8_t high_ = 0, low_ = 0;  // Steps in a row beyond the alarm's two bounds
};

}  // namespace observeai::predict
