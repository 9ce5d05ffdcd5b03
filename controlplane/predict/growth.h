// In which ways do the newest steps grow, and how well does each explain them?
//
// Every way is "flat until an onset, then base + size * g(time since the onset)" with noise that is drawn
// back to it (Ornstein-Uhlenbeck; autocorrelated, as real series are). Generalised least squares by
// whitening neighbours (Prais & Winsten 1954), Bayesian weights with a normal prior on the size (e.g.
// MacKay, Information Theory, Inference, and Learning Algorithms, ch. 28). Pure.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "controlplane/predict/habit.h"
#include "controlplane/predict/history.h"

namespace observeai::predict {

// Onsets, steps back: about half octaves; up to what History holds.
inline constexpr std::array<float, 17> kOnsets = {2,  4,   8,   12,  16,  24,  32,  45,   64,
                                                  90, 128, 180, 256, 360, 512, 720, 1'000};
// How growth bends: g = (exp(bend * u) - 1) / (exp(bend) - 1), u = share of the time since the onset.
// Negative: it saturates. 0: a line. kStep: all at once, nothing more to come.
inline constexpr float kStep = -100;
inline constexpr std::array<float, 6> kBends = {kStep, -3, 0, 2, 4, 7};

struct Way {
  float onset = 0;  // Steps back; 0: nothing grows
  std::size_t onset_index = 0;
  float bend = 0;
  double base = 0;
  double size = 0;        // Growth from the onset until now
  double size_error = 0;  // Standard deviation
  double evidence = 0;    // Log of the marginal likelihood, up to a constant
  double weight = 0;      // Posterior probability, prior included; they add up to 1
  bool goes_on() const { return onset > 0 && bend >= 0 && size > 0; }
  double now() const { return base + size; }
  double slope() const;  // At the newest step, per step
  // size * gain(steps) is what comes on top within `steps`.
  double gain(double steps) const;
};

struct Ways {
  std::array<Way, kOnsets.size() * kBends.size() + 1> all;  // all[0]: nothing grows
  std::size_t n = 0;
  double stretch = 1;  // Noise is so many times as strong as was said (variance)
};

Ways explain(std::span<const Point> newest_first, const Noise& noise);

}  // namespace observeai::predict
