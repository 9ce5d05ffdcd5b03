#include "controlplane/predict/passage.h"

#include <algorithm>
#include <cmath>

#include "controlplane/predict/forecast.h"

namespace observeai::predict {
namespace {

// Beyond so many standard deviations a probability is 0 or 1 here.
constexpr double kFar = 6;

double normal(double z) {
  if (z < -kFar) return 0;
  if (z > kFar) return 1;
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

struct Node {
  double at, weight;
};
constexpr std::array<Node, 3> kNodes = {Node{-1.7320508, 1.0 / 6}, Node{0, 2.0 / 3},
                                        Node{1.7320508, 1.0 / 6}};

}  // namespace

void Passage::add(const Way& way, double weight, const Noise& noise, double now) {
  weight_ += weight;
  const double log_keeps = std::log(noise.keeps);
  const double memory = std::max(1.0, -1 / log_keeps);
  const double sigma = std::sqrt(noise.variance);
  std::array<double, kAhead.size()> gain, start, spread;
  for (std::size_t i = 0; i < kAhead.size(); ++i) {
    const double kept = std::exp(log_keeps * kAhead[i]);
    gain[i] = way.gain(kAhead[i]);
    start[i] = way.now() + (now - way.now()) * kept - 1;
    spread[i] = sigma * std::sqrt(1 - kept * kept);
  }
  for (const auto& node : kNodes) {
    const double size = std::max(0.0, way.size + node.at * way.size_error);
    double survives = 1, before = 0, p_before = 0;
    for (std::size_t i = 0; i < kAhead.size(); ++i) {
      const double p = normal((start[i] + size * gain[i]) / spread[i]);
      const double average = (p + p_before) / 2;
      if (average > 0 && survives > 0) {
        const double looks = (kAhead[i] - before) / memory;
        survives *= average < 1 ? std::exp(looks * std::log1p(-average)) : 0;
        survives = std::min(survives, 1 - p);
      }
      reached_[i] += weight * node.weight * (1 - survives);
      before = kAhead[i];
      p_before = p;
    }
  }
}

double Passage::within(double steps) const {
  double from = 0, p = 0;
  for (std::size_t i = 0; i < kAhead.size(); ++i) {
    if (steps <= kAhead[i]) {
      return p + (reached_[i] - p) * (steps - from) / (kAhead[i] - from);
    }
    from = kAhead[i];
    p = reached_[i];
  }
  return p;
}

double Passage::quantile(double q) const {
  if (weight_ <= 0) return kNever;
  double from = 0, p = 0;
  for (std::size_t i = 0; i < kAhead.size(); ++i) {
    const double reached = reached_[i] / weight_;
    if (reached >= q) return from + (kAhead[i] - from) * (q - p) / (reached - p);
    from = kAhead[i];
    p = reached;
  }
  return kNever;
}

}  // namespace observeai::predict
