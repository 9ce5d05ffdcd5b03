#include "controlplane/series/tail.h"

#include <algorithm>
#include <cmath>

#include "controlplane/series/state_bytes.h"

namespace observeai::series {

namespace {

constexpr double kBinsPerOctave = 4;
constexpr double kLowestOctave = -6;
// The tail is fitted to at least as many values and to at least this share of all.
constexpr double kTailValues = 10;
constexpr double kTailShare = 0.01;
// No tail is taken for lighter than halving the probability with each 5.5 % of growth: a series that was
// steady for a day must not call every small step impossible.
constexpr double kSteepestOctaves = 0.08;
// When the weight of one observation is as large, all is divided by it: floats keep 24 bits.
constexpr double kLargestWeight = 1e6;

double position(double z) {
  return (std::log2(z) - kLowestOctave) * kBinsPerOctave;
}

int bin_of(double z) {
  if (!(z > 0)) return 0;
  return static_cast<int>(std::clamp(position(z), 0.0, Tail::kBins - 1.0));
}

}  // namespace

double Tail::probability(double z) const {
  if (total_ <= 0) return 1;
  const int bin = bin_of(z);
  double above = 0;
  for (int i = kBins - 1; i > bin; --i) above += counts_[i];
  const double within = z > 0 ? std::clamp(position(z) - bin, 0.0, 1.0) : 0.0;
  above += counts_[bin] * (1 - within);
  if (above >= kOftenSeen * weight_) return std::min(1.0, above / total_);

  const double need = std::max(kTailValues * weight_, kTailShare * total_);
  int low = kBins - 1;
  double mass = counts_[low];
  while (low > 0 && mass < need) mass += counts_[--low];
  double octaves = 0;
  for (int i = low; i < kBins; ++i) octaves += counts_[i] * (i - low + 0.5) / kBinsPerOctave;
  const double mean = std::max(kSteepestOctaves, octaves / mass);
  const double beyond = std::max(0.0, position(z) - low) / kBinsPerOctave;
  return std::min(1.0, mass / total_ * std::exp(-beyond / mean));
}

void Tail::add(double z) {
  counts_[bin_of(z)] += static_cast<float>(weight_);
  total_ += weight_;
  weight_ *= std::exp2(1 / kHalfLife);
  if (weight_ < kLargestWeight) return;
  for (auto& count : counts_) count = static_cast<float>(count / weight_);
  total_ /= weight_;
  weight_ = 1;
}

void Tail::write(StateWriter& out) const {
  for (const float count : counts_) out.real32(count);
  out.real64(total_);
  out.real64(weight_);
}

bool Tail::read(StateReader& in) {
  for (auto& count : counts_) {
    count = in.real32();
    if (!(count >= 0) || !std::isfinite(count)) return false;
  }
  total_ = in.real64();
  weight_ = in.real64();
  double sum = 0;
  for (const float count : counts_) sum += count;
  // The counts are rounded to 24 bits at every step, the total is not.
  return total_ >= 0 && plausible(total_) && std::abs(sum - total_) <= 0.05 * total_ &&
         weight_ >= 1 && weight_ <= kLargestWeight;
}

}  // namespace observeai::series
