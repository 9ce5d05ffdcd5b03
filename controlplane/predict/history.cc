#include "controlplane/predict/history.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace observeai::predict {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

// Where in a ring of `size` the bucket with this number lies; it may be one before the first.
std::size_t ring_slot(int bucket, int size) {
  return static_cast<std::size_t>((bucket + size) % size);
}

}  // namespace

void History::clear() {
  fine_.fill(kUnknown);
  middle_.fill(kUnknown);
  coarse_.fill(kUnknown);
  highest_.fill(kUnknown);
  coarse_high_ = forgotten_ = kUnknown;
  pushed_ = 0;
  middle_sum_ = middle_known_ = coarse_sum_ = coarse_known_ = 0;
}

void History::push(float value) {
  fine_[ring_slot(steps(), kFine)] = value;
  if (!std::isnan(value)) {
    middle_sum_ += value;
    coarse_sum_ += value;
    ++middle_known_;
    ++coarse_known_;
  }
  if (++pushed_ == 2 * kCycle) pushed_ = kCycle;
  if (pushed_ % kMiddleSteps == 0) {
    const auto slot = ring_slot(steps() / kMiddleSteps, kMiddle);
    middle_[slot] = middle_known_ > 0 ? middle_sum_ / middle_known_ : kUnknown;
    middle_sum_ = middle_known_ = 0;
    coarse_high_ = std::fmax(coarse_high_, middle_[slot]);
  }
  forgotten_ = kUnknown;
  if (pushed_ % kCoarseSteps == 0) {
    const auto slot = ring_slot(steps() / kCoarseSteps, kCoarse);
    coarse_[slot] = coarse_known_ > 0 ? coarse_sum_ / coarse_known_ : kUnknown;
    coarse_sum_ = coarse_known_ = 0;
    forgotten_ = highest_[slot];
    highest_[slot] = coarse_high_;
    coarse_high_ = kUnknown;
  }
}

void History::skip(std::uint64_t steps) {
  constexpr std::uint64_t kAll = kCoarse * kCoarseSteps;
  if (steps > kAll) {
    clear();
    return;
  }
  for (std::uint64_t i = 0; i < steps; ++i) push(kUnknown);
}

void History::scale(float factor) {
  for (auto& value : fine_) value *= factor;
  for (auto& value : middle_) value *= factor;
  for (auto& value : coarse_) value *= factor;
  for (auto& value : highest_) value *= factor;
  coarse_high_ *= factor;
  forgotten_ *= factor;
  middle_sum_ *= factor;
  coarse_sum_ *= factor;
}

float History::fine(int age) const {
  if (age >= steps()) return kUnknown;
  return fine_[ring_slot(steps() - 1 - age, kFine)];
}

float History::mean(int age, int count) const {
  float sum = 0;
  float known = 0;
  for (int i = age; i < age + count; ++i) {
    const float value = fine(i);
    if (std::isnan(value)) continue;
    sum += value;
    ++known;
  }
  return known > 0 ? sum / known : kUnknown;
}

float History::highest_before(int age) const {
  float highest = -std::numeric_limits<float>::infinity();
  const auto see = [&](float value) {
    if (value > highest) highest = value;  // False for what is not known
  };
  const int coarse_phase = steps() % kCoarseSteps;
  const int first_coarse = std::max(0, (age - coarse_phase + kCoarseSteps - 1) / kCoarseSteps);
  for (int i = first_coarse; i < kCoarse; ++i) {
    see(highest_[ring_slot(steps() / kCoarseSteps - i, kCoarse)]);
  }
  // The part of a coarse bucket that begins at `age`.
  const int middle_phase = steps() % kMiddleSteps;
  const int coarse_age = coarse_phase + first_coarse * kCoarseSteps;
  int i = std::max(0, (age - middle_phase + kMiddleSteps - 1) / kMiddleSteps);
  for (; i < kMiddle && middle_phase + i * kMiddleSteps < coarse_age; ++i) {
    see(middle_[ring_slot(steps() / kMiddleSteps - i, kMiddle)]);
  }
  return highest;
}

float History::oldest() const {
  std::array<Point, kMaxPoints> room;
  const auto known = points(room);
  return known.empty() ? kUnknown : known.back().value;
}

std::span<const Point> History::points(std::span<Point, kMaxPoints> out) const {
  std::size_t n = 0;
  const auto add = [&](float age, float value, float weight) {
    if (!std::isnan(value)) out[n++] = {age, value, weight};
  };
  // The coarse part begins where the middle one ends, so that no step is counted twice or left out.
  const int known = steps();
  const int middle_phase = known % kMiddleSteps;
  const int coarse_phase = known % kCoarseSteps;
  if (middle_phase > 0) {
    add(static_cast<float>(middle_phase - 1) / 2, middle_sum_ / middle_known_, middle_known_);
  }
  const int first_coarse = (middle_phase + kMiddle * kMiddleSteps - coarse_phase) / kCoarseSteps;
  const int middle_end = std::min(known, coarse_phase + first_coarse * kCoarseSteps);
  for (int i = 0; middle_phase + (i + 1) * kMiddleSteps <= middle_end; ++i) {
    add(static_cast<float>(middle_phase + i * kMiddleSteps) + (kMiddleSteps - 1) / 2.0F,
        middle_[ring_slot(known / kMiddleSteps - i, kMiddle)], kMiddleSteps);
  }
  for (int i = first_coarse; i < kCoarse && coarse_phase + (i + 1) * kCoarseSteps <= known; ++i) {
    add(static_cast<float>(coarse_phase + i * kCoarseSteps) + (kCoarseSteps - 1) / 2.0F,
        coarse_[ring_slot(known / kCoarseSteps - i, kCoarse)], kCoarseSteps);
  }
  return std::span<const Point>(out).first(n);
}

}  // namespace observeai::predict
