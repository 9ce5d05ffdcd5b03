// How rare is a value among those that came before? Counts by magnitude, with forgetting, and a Pareto
// tail beyond what was often seen.
#pragma once

#include <array>

namespace observeai::series {

class StateReader;
class StateWriter;

// Counts of non-negative magnitudes in bins of a quarter octave from 2^-6 to 2^10; what is outside counts
// in the outer bins. Magnitudes are in units of the series' own scale, so that this range is wide enough.
class Tail {
 public:
  static constexpr int kBins = 64;
  // What is this many observations old counts half: four weeks of minutes, so that the tail outlives a
  // month's habits, and what was a habit once is forgotten.
  static constexpr double kHalfLife = 40'000;

  // P(magnitude >= z), from what was added so far, in (0, 1]; 1 when nothing was. Where fewer than
  // kOftenSeen values lie above, a Pareto tail is put through the largest ones (Hill 1975; as peaks over
  // threshold, Siffer et al. 2017, with the exponent estimated by the mean of logarithms).
  double probability(double z) const;

  // `z` that is not a number or negative counts as 0.
  void add(double z);

  void write(StateWriter& out) const;
  // False when what was read cannot have been written.
  bool read(StateReader& in);

 private:
  static constexpr double kOftenSeen = 5;

  std::array<float, kBins> counts_{};  // Each in units of weight_
  double total_ = 0;
  double weight_ = 1;  // Of one observation now; grows, so that nothing has to be multiplied down
};

}  // namespace observeai::series
