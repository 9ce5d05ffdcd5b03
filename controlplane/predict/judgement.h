// What the newest steps say, against what the series usually does. Pure.
#pragma once

#include "controlplane/predict/forecast.h"
#include "controlplane/predict/habit.h"
#include "controlplane/predict/history.h"

namespace observeai::predict {

struct Judgement {
  double grows = 0;  // P(something grows that the past does not explain)
  double p_horizon = 0;
  // If it goes on as it grows.
  double left_p10 = kNever;
  double left_p50 = kNever;
  double left_p90 = kNever;
  Shape shape = Shape::kSteady;
  double slope = 0;
};

// Mean of so many newest steps is the level: a single step may be a spike.
inline constexpr int kLevelSteps = 4;

Judgement judge(const History& history, const Habit& habit, float level);

}  // namespace observeai::predict
