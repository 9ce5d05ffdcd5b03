#include "controlplane/predict/passage.h"

#include <algorithm>
#include <cmath>

#include "controlplane/predict/forecast.h"

namespace observeai::predict {
namespace {

double normal(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

struct Node {
  double at, weight;
};
// Gauss-Hermite quadrature with three nodes over the error of the slope.
constexpr std::array<Node, 3> kNodes = {Node{-1.7320508, 1.0 / 6}, Node{0, 2.0 / 3},
                                        Node{1.7320508, 1.0 / 6}};

}  // namespace

Passage::Passage(std::span<const Hypothesis> hypotheses, const Noise& noise, double now) {
  double total = 0;
  for (const auto& hypothesis : hypotheses) total += hypothesis.weight;
  if (total <= 0) return;
  double most = 0;
  for (const auto& hypothesis : hypotheses) most = std::max(most, hypothesis.weight);
  for (const auto& h : hypotheses) {
    if (h.weight < 0.003 * most) continue;
    const double memory = -1 / std::log(noise.keeps);
    const double sigma = std::sqrt(noise.variance);
    for (const auto& node : kNodes) {
      const double size = std::max(0.0, h.way.size + node.at * h.way.size_error);
      double survives = 1;
      double before = 0, p_before = 0;
      for (std::size_t i = 0; i < kAhead.size(); ++i) {
        const double decay = std::pow(noise.keeps, kAhead[i]);
        const double mean = h.way.now() + size * h.way.gain(kAhead[i]) + (now - h.way.now()) * decay;
        const double p = normal((mean - 1) / (sigma * std::sqrt(1 - decay * decay)));
        // So many independent looks at the noise since the last one.
        const double looks = (kAhead[i] - before) / std::max(memory, 1.0);
        const double average = 0.5 * (p + p_before);
        survives *= std::min(std::pow(1 - std::min(average, 0.999999), looks), 1.0);
        survives = std::min(survives, 1 - p);
        reached_[i] += h.weight / total * node.weight * (1 - survives);
        before = kAhead[i];
        p_before = p;
      }
    }
  }
  double last = 0;
  for (auto& reached : reached_) last = reached = std::max(reached, last);
}

double Passage::within(double steps) const {
  double from = 0, p = 0;
  for (std::size_t i = 0; i < kAhead.size(); ++i) {
    if (steps <= kAhead[i]) return p + (reached_[i] - p) * (steps - from) / (kAhead[i] - from);
    from = kAhead[i];
    p = reached_[i];
  }
  return p;
}

double Passage::quantile(double q) const {
  double from = 0, p = 0;
  for (std::size_t i = 0; i < kAhead.size(); ++i) {
    if (reached_[i] >= q) return from + (kAhead[i] - from) * (q - p) / std::max(1e-12, reached_[i] - p);
    from = kAhead[i];
    p = reached_[i];
  }
  return kNever;
}

}  // namespace observeai::predict
