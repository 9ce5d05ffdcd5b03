// What a forecaster says of one resource after one step. Plain values; times in steps of its clock.
#pragma once

#include <cstdint>
#include <limits>

namespace observeai::predict {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

// How far ahead an alarm looks.
inline constexpr int kHorizonSteps = 30;

// What growth looks like since the present regime began.
enum class Shape : std::uint8_t {
  kUnknown = 0,  // Too little is known to say
  kSteady = 1,
  kLinear = 2,
  kExponential = 3,
  kStairs = 4,
  kSawtooth = 5,  // Falls back again and again, to a floor that rises
};

struct Forecast {
  double p_horizon = 0;  // P(the limit is reached within kHorizonSteps), 0..1, calibrated
  // 10, 50 and 90 % quantiles of the steps left; kNever: not in sight.
  double left_p10 = kNever;
  double left_p50 = kNever;
  double left_p90 = kNever;
  bool alarm = false;  // Raised, with hysteresis: what a person should be told

  Shape shape = Shape::kUnknown;
  double slope = 0;  // Of what grows (the floor of a sawtooth): fraction of the limit per step
  std::uint32_t regime_age = 0;  // Steps since the present regime began
  std::uint32_t missing = 0;     // Steps still needed before it claims anything; 0: it knows enough
  bool operator==(const Forecast&) const = default;
};

}  // namespace observeai::predict
