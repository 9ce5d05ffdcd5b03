#include "controlplane/series/discovery.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace observeai::series {

namespace {

// A series that sums to 1 and falls slowly: 1/j^1.6 / zeta(1.6). What is spent late is never more than what
// was there (Ramdas et al. 2017 allow any such series).
constexpr double kZeta = 2.285765;  // zeta(1.6), rounded up
double gamma(std::uint64_t j) {
  return std::pow(static_cast<double>(j), -1.6) / kZeta;
}

}  // namespace

std::vector<std::size_t> discoveries(std::span<const double> p, double rate) {
  std::vector<std::size_t> known;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (!std::isnan(p[i])) known.push_back(i);
  }
  std::sort(known.begin(), known.end(), [&](auto a, auto b) { return p[a] < p[b]; });
  std::size_t told = 0;
  const double m = static_cast<double>(known.size());
  for (std::size_t k = 1; k <= known.size(); ++k) {
    if (p[known[k - 1]] <= static_cast<double>(k) / m * rate) told = k;
  }
  known.resize(told);
  std::sort(known.begin(), known.end());
  return known;
}

OnlineDiscovery::OnlineDiscovery(double rate) : rate_(rate) {}

double OnlineDiscovery::level() const {
  // LORD++: gamma_t w0 + (rate - w0) gamma_(t - first) + rate * sum gamma_(t - later), with w0 = rate / 2.
  const std::uint64_t now = tests_ + 1;
  const double initial = rate_ / 2;
  double level = gamma(now) * initial;
  if (first_ > 0) level += (rate_ - initial) * gamma(now - first_);
  for (const auto then : later_) level += rate_ * gamma(now - then);
  return level;
}

bool OnlineDiscovery::test(double p) {
  if (std::isnan(p)) return false;
  const bool told = p <= level();
  ++tests_;
  if (!told) return false;
  if (first_ == 0) {
    first_ = tests_;
  } else {
    if (later_.size() == kKept) later_.erase(later_.begin());
    later_.push_back(tests_);
  }
  return true;
}

}  // namespace observeai::series
