// When does growth with noise first reach the limit? Pure.
#pragma once

#include <array>
#include <span>

#include "controlplane/predict/growth.h"

namespace observeai::predict {

// Steps ahead at which the distribution is known: about a quarter octave, and the horizon itself.
inline constexpr std::array<double, 22> kAhead = {1,  2,  3,  5,  7,  10,  13,  16,  20,  25,  30,
                                                  36, 43, 52, 65, 80, 100, 130, 170, 240, 360, 600};

// P(the limit is reached within s steps), for a mixture of ways.
class Passage {
 public:
  // Adds `way` with `weight`; noise begins where `now`, the newest value, stands. First passage of an
  // Ornstein-Uhlenbeck process over a line, with independent looks one correlation time apart; the size's
  // error by Gauss-Hermite quadrature.
  void add(const Way& way, double weight, const Noise& noise, double now);

  double within(double steps) const;  // Not divided by the weights' sum
  // Steps until it is reached with probability q of all weights; kNever: beyond the last of kAhead.
  double quantile(double q) const;

 private:
  std::array<double, kAhead.size()> reached_{};
  double weight_ = 0;
};

}  // namespace observeai::predict
