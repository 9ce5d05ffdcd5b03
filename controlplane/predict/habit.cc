#include "controlplane/predict/habit.h"

#include <algorithm>
#include <cmath>

namespace observeai::predict {
namespace {

// How many steps back a habit reaches: exponential forgetting, so that a change of habit is learnt.
constexpr float kMemory = 4'096;
// Before anything is known: noise of one per cent of the limit, independent from step to step.
constexpr float kPriorVariance = 1e-4F;
// It counts as so many windows of experience.
constexpr float kPriorWindows = 1;

// Variance of the slope of a line through n values with independent noise: 12 s^2 / n^3.
float prior_slope(float window) {
  return 12 * kPriorVariance / (window * window * window);
}

}  // namespace

void Habit::learn(const std::array<WindowFits, kWindows.size()>& fits, float level) {
  for (std::size_t w = 0; w < kWindows.size(); ++w) {
    if (fits[w].line.weight == 0) continue;
    seen_[w] = std::min(seen_[w] + 1, kMemory);
    const float rate = 1 / seen_[w];
    slopes_[w] += rate * (fits[w].line.slope * fits[w].line.slope - slopes_[w]);
    residuals_[w] += rate * (fits[w].line.residual - residuals_[w]);
  }
  ++steps_;
  const float rate = 1 / std::min(static_cast<float>(steps_), kMemory);
  const float off = level - level_;
  level_ += rate * off;
  variance_ += rate * (off * off * (1 - rate) - variance_);
}

float Habit::slope_noise(std::size_t w) const {
  const auto window = static_cast<float>(kWindows[w]);
  const float prior = kPriorWindows * window;
  return std::sqrt((slopes_[w] * seen_[w] + prior_slope(window) * prior) / (seen_[w] + prior));
}

float Habit::residual(std::size_t w) const {
  const float prior = kPriorWindows * static_cast<float>(kWindows[w]);
  return (residuals_[w] * seen_[w] + kPriorVariance * prior) / (seen_[w] + prior);
}

float Habit::spread() const {
  return std::sqrt(variance_);
}

void Habit::scale(float factor) {
  for (auto& slope : slopes_) slope *= factor * factor;
  for (auto& residual : residuals_) residual *= factor * factor;
  level_ *= factor;
  variance_ *= factor * factor;
}

}  // namespace observeai::predict
