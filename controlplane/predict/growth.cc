#include "controlplane/predict/growth.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace observeai::predict {
namespace {

// Prior of the growth from its onset until now: half the limit, either way.
constexpr double kPriorVariance = 0.25;
// Against the steps of an onset: that nothing grows, about as likely as that something began within a day.
constexpr double kPriorFlat = 3'000;
// Growth that comes to rest by itself, against growth that goes on: missing a leak costs more.
constexpr double kPriorSaturates = 0.3;
// Growth begins at any time alike, and onsets stand further and further apart; but what is old need not
// be told so exactly.
constexpr float kPriorReach = 100;
// The noise's own parameters are estimates: errors of a size are wider by so much (variance).
constexpr double kDoubt = 2;
// How far the noise of now may differ from the usual one.
constexpr double kLeastStretch = 0.001;
constexpr double kMostStretch = 100;
// Growth needs so many points since its onset: with fewer, a jump within a bucket looks like it.
constexpr std::size_t kLeastPoints = 3;

struct Sums {
  const double* fresh = nullptr;
  double one_g = 0, g_g = 0, g_y = 0;
  void add_y(std::size_t i, double weighted) { g_y += weighted * fresh[i]; }
};

// exp(-bend * gap / onset) for the gaps of which nearly all are: what age costs a bent way.
struct Bent {
  float onset, bend;
  double scale;           // 1 / (exp(bend) - 1)
  double middle, coarse;  // For kMiddleSteps and kCoarseSteps
};
using Bents = std::array<std::array<Bent, kBends.size()>, kOnsets.size()>;

Bents make_bents() {
  Bents bents{};
  for (std::size_t i = 0; i < kOnsets.size(); ++i) {
    for (std::size_t k = 0; k < kBends.size(); ++k) {
      const double rate = kBends[k] / kOnsets[i];
      bents[i][k] = {kOnsets[i], kBends[k], 1 / std::expm1(kBends[k]),
                     std::exp(-rate * History::kMiddleSteps),
                     std::exp(-rate * History::kCoarseSteps)};
    }
  }
  return bents;
}
const Bents kBent = make_bents();

// The whitened sums of one way over the points since its onset.
template <class Shape>
Sums sums_of(std::span<const Point> points, std::size_t since, const double* rho,
             const double* weight, const double* fresh, Shape shape) {
  Sums sums{fresh};
  double g = shape.first(points[0].age);
  for (std::size_t i = 0; i < since; ++i) {
    const double older =
        i + 1 == since ? 0 : shape.next(points[i + 1].age, points[i + 1].age - points[i].age);
    const double fresh_g = g - rho[i] * older;
    g = older;
    sums.one_g += weight[i] * (1 - rho[i]) * fresh_g;
    sums.g_g += weight[i] * fresh_g * fresh_g;
    sums.add_y(i, weight[i] * fresh_g);
  }
  return sums;
}

struct StepShape {
  double first(float) { return 1; }
  double next(float, float) { return 1; }
};
struct LineShape {
  double onset;
  double first(float age) { return 1 - age / onset; }
  double next(float age, float) { return 1 - age / onset; }
};
struct BentShape {
  const Bent& bent;
  double power = 1;
  double first(float age) {
    power = std::exp(bent.bend * (1 - age / bent.onset));
    return (power - 1) * bent.scale;
  }
  double next(float, float gap) {
    power *= gap == History::kMiddleSteps   ? bent.middle
             : gap == History::kCoarseSteps ? bent.coarse
                                            : std::exp(-bent.bend * gap / bent.onset);
    return (power - 1) * bent.scale;
  }
};

// Evidence so far is minus half of what stays unexplained; from it, the posterior.
void weigh(Ways& ways) {
  double most = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < ways.n; ++i) {
    Way& way = ways.all[i];
    way.evidence /= ways.stretch;
    if (way.onset > 0) {
      way.size_error *= std::sqrt(ways.stretch * kDoubt);
      // Occam's factor: how much of the prior the data leave.
      way.evidence += std::log(way.size_error / std::sqrt(kPriorVariance));
    }
    most = std::max(most, way.evidence);
  }
  double total = 0;
  for (std::size_t i = 0; i < ways.n; ++i) {
    Way& way = ways.all[i];
    double prior = std::min(way.onset, kPriorReach);
    if (way.onset == 0) prior = kPriorFlat;
    if (way.bend < 0 && way.bend != kStep) prior *= kPriorSaturates;
    way.weight = prior * std::exp(way.evidence - most);
    total += way.weight;
  }
  for (std::size_t i = 0; i < ways.n; ++i) ways.all[i].weight /= total;
}

}  // namespace

double Way::slope() const {
  if (onset == 0 || bend == kStep) return 0;
  if (bend == 0) return size / onset;
  return size * bend * std::exp(bend) / (onset * std::expm1(bend));
}

double Way::gain(double steps) const {
  if (onset == 0 || bend == kStep) return 0;
  const double u = steps / onset;
  if (bend == 0) return u;
  return std::exp(bend) * std::expm1(std::min(bend * u, 30.0)) / std::expm1(bend);
}

Ways explain(std::span<const Point> points, const Noise& noise) {
  Ways ways;
  const std::size_t n = points.size();
  if (n < 2) return ways;
  std::array<double, History::kMaxPoints> rho{};     // Correlation with the next older point
  std::array<double, History::kMaxPoints> weight{};  // 1 / variance of what is new in it
  std::array<double, History::kMaxPoints> fresh{};   // What is new in it
  double ones = 0, one_y = 0, y_y = 0;
  const double log_keeps = std::log(noise.keeps);
  float last_gap = -1;
  double last_rho = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i + 1 < n) {
      const float gap = points[i + 1].age - points[i].age;
      if (gap != last_gap) {
        last_gap = gap;
        last_rho = std::exp(log_keeps * gap);
      }
      rho[i] = last_rho;
    }
    weight[i] = 1 / (noise.variance * (1 - rho[i] * rho[i]));
    fresh[i] = points[i].value - (i + 1 < n ? rho[i] * points[i + 1].value : 0);
    const double one = 1 - rho[i];
    ones += weight[i] * one * one;
    one_y += weight[i] * one * fresh[i];
    y_y += weight[i] * fresh[i] * fresh[i];
  }
  const double flat = y_y - one_y * one_y / ones;
  double best = flat;
  Way& none = ways.all[ways.n++];
  none.base = one_y / ones;
  none.evidence = -0.5 * flat;
  bool whole = false;
  for (std::size_t o = 0; o < kOnsets.size(); ++o) {
    const float onset = kOnsets[o];
    std::size_t since = 0;
    while (since < n && points[since].age < onset) ++since;
    if (since == 0) continue;
    if (since == n && whole) break;  // It grows for as long as is known: said once
    whole = since == n;
    for (std::size_t k = 0; k < kBends.size(); ++k) {
      // A step cannot be told from where everything begins.
      if (kBends[k] == kStep ? whole : since < kLeastPoints) continue;
      const auto over = [&](auto shape) {
        return sums_of(points, since, rho.data(), weight.data(), fresh.data(), shape);
      };
      const Bent& bent = kBent[o][k];
      const float bend = bent.bend;
      const Sums sums = bend == kStep ? over(StepShape{})
                        : bend == 0   ? over(LineShape{onset})
                                      : over(BentShape{bent});
      const double s_gg = sums.g_g - sums.one_g * sums.one_g / ones;
      const double s_gy = sums.g_y - sums.one_g * one_y / ones;
      Way& way = ways.all[ways.n++];
      way.onset = onset;
      way.onset_index = o;
      way.bend = bend;
      way.size = s_gy / (s_gg + 1 / kPriorVariance);
      way.size_error = 1 / std::sqrt(s_gg + 1 / kPriorVariance);
      way.base = (one_y - way.size * sums.one_g) / ones;
      const double explained = s_gy * s_gy / (s_gg + 1 / kPriorVariance);
      best = std::min(best, flat - explained);
      way.evidence = -0.5 * (flat - explained);
    }
  }
  ways.stretch = std::clamp(best / static_cast<double>(n), kLeastStretch, kMostStretch);
  weigh(ways);
  return ways;
}

}  // namespace observeai::predict
