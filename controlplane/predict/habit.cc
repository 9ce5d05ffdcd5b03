#include "controlplane/predict/habit.h"
#include "controlplane/predict/tune.h"

#include <algorithm>
#include <cmath>

namespace observeai::predict {
namespace {

// How many steps back a habit reaches: exponential forgetting, so that a change of habit is learnt.
constexpr float kMemory = 4'096;
// Before anything is known: noise of two per cent of the limit, forgotten within 20 steps.
constexpr float kPriorVariance = 4e-4F;
constexpr float kPriorSteps = 100;
constexpr double kPriorKeeps = 0.95;
constexpr double kLeastVariance = 1e-5;

}  // namespace

void Habit::learn(float level, float earlier) {
  ++steps_;
  const float rate = 1 / std::min(static_cast<float>(steps_), kMemory);
  if (!std::isnan(earlier)) change_ += rate * ((level - earlier) * (level - earlier) - change_);
  const float off = level - level_;
  level_ += rate * off;
  variance_ += rate * (off * off * (1 - rate) - variance_);
}

void Habit::note_level(float level) {
  if (level > record_) record_ = level;
}

Noise Habit::noise() const {
  const double steps = std::min(static_cast<float>(steps_), kMemory);
  const double mix = kPriorSteps / (kPriorSteps + steps);
  Noise noise;
  noise.variance = std::max(kLeastVariance, variance_ * (1 - mix) + kPriorVariance * mix);
  const double kept = std::clamp(1 - change_ / (2.0 * std::max(1e-9F, variance_)), 0.05, 0.95);
  noise.keeps = std::pow(kept, 1.0 / kLag) * (1 - mix) + kPriorKeeps * mix;
  noise.keeps = std::pow(noise.keeps, TUNE("KP", 1));
 noise.variance *= TUNE("NV", 1);
  return noise;
}

void Habit::scale(float factor) {
  level_ *= factor;
  record_ *= factor;
  variance_ *= factor * factor;
  change_ *= factor * factor;
}

}  // namespace observeai::predict
