// What a series usually does: the empirical null that growth is measured against.
#pragma once

#include <array>
#include <cstdint>

#include "controlplane/predict/growth.h"

namespace observeai::predict {

class Habit {
 public:
  // What the newest fits say, while nothing unusual grows. `level`: mean of the newest few steps.
  void learn(const std::array<WindowFits, kWindows.size()>& fits, float level);
  void scale(float factor);

  // Root mean square of past slopes over this window: how steep is chance?
  float slope_noise(std::size_t window) const;
  // Mean square that a line usually leaves unexplained in this window.
  float residual(std::size_t window) const;
  float level() const { return level_; }
  float spread() const;
  std::uint32_t steps() const { return steps_; }

  template <class Visitor>
  void each_field(Visitor&& visit) {
    visit(slopes_);
    visit(residuals_);
    visit(seen_);
    visit(level_);
    visit(variance_);
    visit(steps_);
  }
  bool valid() const { return true; }

 private:
  std::array<float, kWindows.size()> slopes_{};     // Mean squares
  std::array<float, kWindows.size()> residuals_{};  // Means
  std::array<float, kWindows.size()> seen_{};       // Steps that they are made of, at most kMemory
  float level_ = 0;
  float variance_ = 0;
  std::uint32_t steps_ = 0;
};

}  // namespace observeai::predict
