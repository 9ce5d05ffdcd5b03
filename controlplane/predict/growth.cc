#include "controlplane/predict/growth.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace observeai::predict {
namespace {

// Weighted sums of a least-squares fit of y = a + b z for one basis z.
struct Sums {
  double z = 0, zz = 0, zy = 0;
  void add(double weight, double basis, double value) {
    z += weight * basis;
    zz += weight * basis * basis;
    zy += weight * basis * value;
  }
};

struct Solution {
  double a = 0, b = 0, residual = 0;
};

Solution solve(double n, double y, double yy, const Sums& sums) {
  const double szz = sums.zz - sums.z * sums.z / n;
  const double szy = sums.zy - sums.z * y / n;
  const double syy = yy - y * y / n;
  Solution solution;
  if (szz <= 0) return {y / n, 0, std::max(0.0, syy / n)};
  solution.b = szy / szz;
  solution.a = (y - solution.b * sums.z) / n;
  solution.residual = std::max(0.0, (syy - solution.b * szy) / n);
  return solution;
}

std::array<float, kRates.size()> decay_over(float steps) {
  std::array<float, kRates.size()> decays{};
  for (std::size_t k = 0; k < kRates.size(); ++k) decays[k] = std::exp(-kRates[k] * steps);
  return decays;
}
const std::array<float, kRates.size()> kDecay1 = decay_over(1);
const std::array<float, kRates.size()> kDecay4 = decay_over(History::kMiddleSteps);

// A window must be known well enough to be judged.
constexpr double kLeastKnown = 0.6;
// An exponential that bends too little is a line; one that bends too much is a jump.
constexpr float kLeastBend = 0.8F;
constexpr float kMostBend = 8.0F;

}  // namespace

float Fit::gain(float steps) const {
  if (rate == 0) return slope * steps;
  return slope / rate * (std::exp(std::min(rate * steps, 30.0F)) - 1);
}

std::array<WindowFits, kWindows.size()> fit_windows(std::span<const Point> points) {
  std::array<WindowFits, kWindows.size()> fits;
  double n = 0, y = 0, yy = 0;
  Sums line;
  std::array<Sums, kRates.size()> curves;
  std::array<float, kRates.size()> decays;
  decays.fill(1);
  float age = 0;
  std::size_t i = 0;
  for (std::size_t w = 0; w < kWindows.size(); ++w) {
    const auto window = static_cast<float>(kWindows[w]);
    for (; i < points.size() && points[i].age < window; ++i) {
      const Point& point = points[i];
      n += point.weight;
      y += point.weight * point.value;
      yy += point.weight * point.value * point.value;
      line.add(point.weight, -point.age, point.value);
      const float passed = point.age - age;
      age = point.age;
      for (std::size_t k = 0; k < kRates.size(); ++k) {
        decays[k] *= passed == 1   ? kDecay1[k]
                     : passed == 4 ? kDecay4[k]
                                   : std::exp(-kRates[k] * passed);
        curves[k].add(point.weight, decays[k], point.value);
      }
    }
    if (n < kLeastKnown * static_cast<double>(window)) continue;
    WindowFits& fit = fits[w];
    fit.mean = static_cast<float>(y / n);
    const Solution straight = solve(n, y, yy, line);
    fit.line = {static_cast<float>(straight.a), static_cast<float>(straight.b), 0,
                static_cast<float>(straight.residual), static_cast<float>(n)};
    for (std::size_t k = 0; k < kRates.size(); ++k) {
      const float bend = kRates[k] * window;
      if (bend < kLeastBend || bend > kMostBend) continue;
      const Solution bent = solve(n, y, yy, curves[k]);
      if (bent.b <= 0 || (fit.curve.weight > 0 && bent.residual >= fit.curve.residual)) continue;
      fit.curve = {static_cast<float>(bent.a + bent.b), static_cast<float>(bent.b * kRates[k]),
                   kRates[k], static_cast<float>(bent.residual), static_cast<float>(n)};
    }
  }
  return fits;
}

}  // namespace observeai::predict
