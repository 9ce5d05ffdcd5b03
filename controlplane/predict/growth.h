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

#include "controlplane/predict/history.h"

namespace observeai::predict {

// Noise around what grows.
struct Noise {
  double variance = 0;  // Of used / limit
  double keeps = 0;     // Correlation from one step to the next, (0, 1)
};

// Onsets, steps back: about half octaves.
inline constexpr std::array<float, 14> kOnsets = {8,  12,  16,  24,  32,  45,  64,
                                                  90, 128, 180, 256, 360, 512, 720};
// How growth bends: g = (exp(bend * u) - 1) / (exp(bend) - 1), u = share of the time since the onset.
// Negative: it saturates. 0: a line. kStep: all at once, nothing more to come.
inline constexpr float kStep = -100;
inline constexpr std::array<float, 5> kBends = {kStep, -3, 0, 2, 4};

struct Way {
  float onset = 0;  // Steps back; 0: nothing grows
  float bend = 0;
  double base = 0;
  double size = 0;        // Growth from the onset until now
  double size_error = 0;  // Standard deviation
  double evidence = 0;    // Log of the marginal likelihood, up to a constant
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
