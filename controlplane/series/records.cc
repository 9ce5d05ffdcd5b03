#include "controlplane/series/records.h"

#include <algorithm>
#include <cmath>

namespace observeai::series {

namespace {

constexpr std::uint32_t kShort = 6;    // Half an hour
constexpr std::uint32_t kMiddle = 24;  // Two hours
constexpr std::uint32_t kLong = 48;    // Four hours
constexpr double kDay = 288;
constexpr double kWeek = 2'000;
// Stillness is the logarithm of how much smaller the deviation of two hours is than that of a week, to a
// five-hundredth: a constant piece is as still as that.
constexpr double kStill = 0.002;
constexpr std::uint32_t kStillnessFrom = 30;  // Blocks with stillness before it is judged

// A bare record counts 3, one that doubles the range 5. -log10 P of stillness counts half, from the same 3.
constexpr double kRecord = 3;
constexpr double kPerRange = 2;
constexpr double kPerDecade = 0.5;
// Records are common while a series is young: less than a week counts less, by this for each decade.
constexpr double kPerYoungDecade = 0.3;
// Figures that agree strengthen each other a little: the second strongest counts a tenth above 2.
constexpr double kSecond = 0.1;
constexpr double kSecondFrom = 2;

}  // namespace

double Range::beyond(double value) {
  double out = 0;
  if (known_ != 0) {
    const double range = high_ - low_;
    const double outside = std::max(value - high_, low_ - value);
    if (outside > 0) out = range > 0 ? std::min(outside / range, kMost) : 1;
  }
  low_ = known_ != 0 ? std::min(low_, value) : value;
  high_ = known_ != 0 ? std::max(high_, value) : value;
  known_ = 1;
  return out;
}

void Range::write(StateWriter& out) const {
  out.real64(low_);
  out.real64(high_);
  out.whole(known_, 1);
}

bool Range::read(StateReader& in) {
  low_ = in.real64();
  high_ = in.real64();
  known_ = static_cast<std::uint8_t>(in.whole(1));
  return plausible(low_) && plausible(high_) && low_ <= high_ && known_ <= 1;
}

double Records::mean_of(const std::array<double, kRecent>& ring, std::uint32_t count) const {
  double sum = 0;
  for (std::uint32_t i = 1; i <= count; ++i) sum += ring[(seen_ - i) % kRecent];
  return sum / count;
}

double Records::deviation_of(std::uint32_t count) const {
  const double mean = mean_of(values_, count);
  double sum = 0;
  for (std::uint32_t i = 1; i <= count; ++i) {
    const double difference = values_[(seen_ - i) % kRecent] - mean;
    sum += difference * difference;
  }
  return std::sqrt(sum / count);
}

double Records::observe(double value, double rest, double per_day) {
  if (seen_ >= kMiddle) {  // What leaves the last two hours joins the past
    const std::uint32_t leaving = (seen_ - kMiddle) % kRecent;
    before_.add(values_[leaving], kDay);
    spread_.add(values_[leaving], kWeek);
    rest_before_.add(rests_[leaving], per_day);
  }
  values_[seen_ % kRecent] = value;
  rests_[seen_ % kRecent] = rest;
  ++seen_;

  double strongest = 0, second = 0;
  const auto weigh = [&](double strength) {
    if (strength > strongest) std::swap(strongest, strength);
    second = std::max(second, strength);
  };
  const double young = std::min(0.0, kPerYoungDecade * std::log10(seen_ / kWeek));
  const auto record = [&](double beyond) {
    weigh(beyond > 0 ? kRecord + young + kPerRange * beyond : 0);
  };
  record(value_.beyond(value));
  if (seen_ > per_day + kMiddle) {  // The day's profile is known
    record(rest6_.beyond(mean_of(rests_, kShort) - rest_before_.mean));
    record(rest24_.beyond(mean_of(rests_, kMiddle) - rest_before_.mean));
    record(rest48_.beyond(mean_of(rests_, kLong) - rest_before_.mean));
  }
  if (seen_ > kDay + kMiddle) record(shift_.beyond(mean_of(values_, kMiddle) - before_.mean));
  if (seen_ > 130) {
    const double usual = spread_.deviation() + 1e-12;
    const double still = std::max(0.0, -std::log(deviation_of(kMiddle) / usual + kStill));
    if (seen_ > 130 + kStillnessFrom) {
      const double rarity = std::min(6.0, -std::log10(stillness_.probability(still)));
      if (rarity > 0) weigh(kRecord + kPerDecade * (rarity - kRecord));
    }
    stillness_.add(still);
  }
  if (seen_ == kRecent * 80'000'000U) seen_ -= kRecent * 40'000'000U;
  return strongest + kSecond * std::max(0.0, second - kSecondFrom);
}

void Records::write(StateWriter& out) const {
  for (const double value : values_) out.real64(value);
  for (const double rest : rests_) out.real64(rest);
  out.whole(seen_, 4);
  before_.write(out);
  rest_before_.write(out);
  spread_.write(out);
  for (const auto* range : {&value_, &shift_, &rest6_, &rest24_, &rest48_}) range->write(out);
  stillness_.write(out);
}

bool Records::read(StateReader& in) {
  bool valid = true;
  for (auto* ring : {&values_, &rests_}) {
    for (double& value : *ring) {
      value = in.real64();
      valid = valid && plausible(value);
    }
  }
  seen_ = static_cast<std::uint32_t>(in.whole(4));
  valid = valid && seen_ < kRecent * 80'000'000U;
  valid = before_.read(in) && rest_before_.read(in) && spread_.read(in) && valid;
  for (auto* range : {&value_, &shift_, &rest6_, &rest24_, &rest48_}) {
    valid = range->read(in) && valid;
  }
  return stillness_.read(in) && valid;
}

}  // namespace observeai::series
