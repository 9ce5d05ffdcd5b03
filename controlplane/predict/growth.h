// Lines and exponentials through the newest steps, over many windows at once.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "controlplane/predict/history.h"

namespace observeai::predict {

// Steps back; about half octaves: from the fewest that show a trend to all that is kept.
inline constexpr std::array<int, 12> kWindows = {10, 16,  24,  32,  48,  64,
                                                 96, 128, 192, 256, 384, 640};
// Rates of exponential growth per step: doubling within 4 to 90 steps.
inline constexpr std::array<float, 7> kRates = {0.0075F, 0.0125F, 0.02F, 0.035F,
                                                0.06F,   0.1F,    0.17F};

// used(age) = base + rise(age): a line where rate = 0, else an exponential.
struct Fit {
  float now = 0;       // Fitted value at the newest step
  float slope = 0;     // At the newest step, per step
  float rate = 0;      // Of the exponential; 0: a line
  float residual = 0;  // Mean square of what the fit does not explain
  float weight = 0;    // Steps in it; 0: too few
  // Growth from now until `steps` later.
  float gain(float steps) const;
};

struct WindowFits {
  Fit line;
  Fit curve;       // The best exponential; weight 0: none grows
  float mean = 0;  // Of the window
};

std::array<WindowFits, kWindows.size()> fit_windows(std::span<const Point> newest_first);

}  // namespace observeai::predict
