// What a series usually does: the empirical null that growth is measured against. "Would this series' past
// have produced this level?" is what keeps a healthy one silent, however steep its cycles are.
#pragma once

#include <cstdint>

namespace observeai::predict {

// Noise around what grows (Ornstein-Uhlenbeck: drawn back to it, autocorrelated).
struct Noise {
  double variance = 0;  // Of used / limit
  double keeps = 0;     // Correlation from one step to the next, (0, 1)
};

// Not thread-safe, no allocation.
class Habit {
 public:
  static constexpr int kLag = 8;

  // One more step in which nothing unusual grew. `level`: mean of the newest few steps; `earlier`: the
  // same kLag steps before, NaN: not known.
  void learn(float level, float earlier);
  // A level that was usual.
  void note_level(float level);
  void scale(float factor);

  // How surely `level` is one that the past does not explain, [0, 1]. `before`: the highest level in memory
  // from before the growth that led to it; NaN: not known.
  double newness(float level, float before) const;
  // False if newness() is about 0 for every `before`.
  bool may_be_new(float level) const;
  Noise noise() const;

  template <class Visitor>
  void each_field(Visitor&& visit) {
    visit(level_);
    visit(variance_);
    visit(change_);
    visit(record_);
    visit(steps_);
  }
  bool valid() const { return variance_ >= 0 && change_ >= 0; }

 private:
  float highest(float before) const;

  float level_ = 0;     // Mean
  float variance_ = 0;  // Around it
  float change_ = 0;    // Mean square of what changes within kLag steps
  float record_ = 0;    // Highest usual level
  std::uint32_t steps_ = 0;
};

}  // namespace observeai::predict
