// When does growth with noise first reach the limit?
#pragma once

#include <array>
#include <span>

#include "controlplane/predict/growth.h"

namespace observeai::predict {

// One way in which things may go on: a fit, and noise around it that is drawn back to it
// (Ornstein-Uhlenbeck), beginning where the newest value stands.
struct Hypothesis {
  Way way;
  double weight = 0;
};

// Steps ahead at which the distribution is known.
inline constexpr std::array<float, 22> kAhead = {1,  2,  3,  5,  7,  10,  13,  16,  20,  25,  30,
                                                 36, 43, 52, 65, 80, 100, 130, 170, 240, 360, 600};

class Passage {
 public:
  // `now`: the newest value.
  Passage(std::span<const Hypothesis> hypotheses, const Noise& noise, double now);
  // P(1 is reached within `steps`).
  double within(double steps) const;
  // Steps until it is reached with probability q; kNever: beyond the last of kAhead.
  double quantile(double q) const;

 private:
  std::array<double, kAhead.size()> reached_{};
};

}  // namespace observeai::predict
