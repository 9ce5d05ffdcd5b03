#include "controlplane/predict/habit.h"

#include <algorithm>
#include <cmath>

namespace observeai::predict {
namespace {

// How many steps back a habit reaches (exponential forgetting), so that a change of habit is learnt: some
// days of minutes, or half a day of steps of 10 s.
constexpr float kMemory = 4'096;
// Before anything is known: noise of two per cent of the limit that lasts for 20 steps, as much as
// kPriorSteps steps of experience.
constexpr float kPriorVariance = 4e-4F;
constexpr double kPriorKeeps = 0.95;
constexpr double kPriorSteps = 100;
// A third of a per cent: what rounding and the gaps between samples hide.
constexpr double kLeastVariance = 1e-5;
// So many steps make a record: fewer say little of what is usual.
constexpr std::uint32_t kRecordSteps = 500;
// A young habit may still be widened by a quarter of the limit: what machines do in a day. It has half of
// its say after kYoungSteps.
constexpr float kYoungSpread = 0.25F;
constexpr float kYoungSteps = 1'000;
// A habit that never moved is still not believed to move by less than a hundredth of the limit.
constexpr float kLeastSpread = 0.01F;
// Beyond the record by half the distance from the mean to the record: as likely new as not; nothing new at
// the record itself (5 %).
constexpr double kNewAt = 0.5;
constexpr double kSharpness = 6;

}  // namespace

void Habit::learn(float level, float earlier) {
  if (steps_ < UINT32_MAX) ++steps_;
  const float rate = 1 / std::min(static_cast<float>(steps_), kMemory);
  if (!std::isnan(earlier)) {
    change_ += rate * ((level - earlier) * (level - earlier) - change_);
  }
  // West (1979): mean and variance of what comes one by one.
  const float off = level - level_;
  level_ += rate * off;
  variance_ += rate * (off * off * (1 - rate) - variance_);
}

void Habit::note_level(float level) {
  record_ = std::max(record_, level);
}

void Habit::scale(float factor) {
  level_ *= factor;
  record_ *= factor;
  variance_ *= factor * factor;
  change_ *= factor * factor;
}

float Habit::highest(float before) const {
  return steps_ > kRecordSteps ? std::fmax(before, record_) : before;
}

double Habit::newness(float level, float before) const {
  const float known = highest(before);
  if (std::isnan(known)) return 0;
  const float young = kYoungSpread * kYoungSteps / (kYoungSteps + static_cast<float>(steps_));
  const float spread = std::max(known - level_, kLeastSpread) + young;
  return 1 / (1 + std::exp(-kSharpness * ((level - known) / spread - kNewAt)));
}

bool Habit::may_be_new(float level) const {
  return steps_ <= kRecordSteps || level > record_;
}

Noise Habit::noise() const {
  const double prior = kPriorSteps / (kPriorSteps + std::min(static_cast<float>(steps_), kMemory));
  Noise noise;
  noise.variance = std::max(kLeastVariance, variance_ * (1 - prior) + kPriorVariance * prior);
  // Of this process the mean square change within n steps is 2 variance (1 - keeps^n).
  const double kept = std::clamp(1 - change_ / (2.0 * std::max(1e-9F, variance_)), 0.05, 0.95);
  noise.keeps = std::pow(kept, 1.0 / kLag) * (1 - prior) + kPriorKeeps * prior;
  return noise;
}

}  // namespace observeai::predict
