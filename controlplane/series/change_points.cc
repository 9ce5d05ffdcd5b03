#include "controlplane/series/change_points.h"

#include <algorithm>
#include <cmath>

#include "controlplane/series/state_bytes.h"

namespace observeai::series {

namespace {

constexpr std::uint64_t kVersion = 1;
// The level follows slowly, so that a change is seen before it is learned: by then its sum is far above.
constexpr double kSpan = 200;
// sqrt(pi / 2): the standard deviation of normal values from their mean absolute one.
constexpr double kNormal = 1.2533;
// One value counts at most this many deviations: a single spike, however high, is no new level.
constexpr double kMost = 4;
// Below this share of the level a deviation is rounding, not noise.
constexpr double kRounding = 1e-9;
constexpr double kLargest = 1e30;

}  // namespace

void ChangePoints::Sum::add(std::int64_t step, double z, double x) {
  value = std::max(0.0, value + z - kDrift);
  if (value <= 0) {
    total = 0;
    count = 0;
    return;
  }
  if (count == 0) onset = step;
  if (count != UINT32_MAX) ++count;
  total += x;
}

void ChangePoints::begin(double level) {
  level_ = {};
  level_.add(level, kSpan);
  up_ = {};
  down_ = {};
  known_ = 0;
}

std::uint32_t ChangePoints::missing() const {
  return kLearning - std::min(known_, kLearning);
}

std::optional<Change> ChangePoints::observe(std::int64_t step, double value) {
  if (!std::isfinite(value) || (started_ && step <= newest_)) return std::nullopt;
  value = std::clamp(value, -kLargest, kLargest);
  newest_ = step;
  if (!started_) {
    started_ = true;
    begin(value);
    return std::nullopt;
  }
  const double away = value - level_.mean;
  std::optional<Change> change;
  if (known_ >= kLearning) {
    const double unit = kNormal * deviation_.mean + kRounding * std::abs(level_.mean) + 1e-12;
    const double z = std::clamp(away / unit, -kMost, kMost);
    up_.add(step, z, value);
    down_.add(step, -z, value);
    for (const Sum* sum : {&up_, &down_}) {
      if (sum->value < kThreshold) continue;
      change = Change{sum->onset, step, level_.mean, sum->total / sum->count};
      break;
    }
    const double cut = kMost * unit;
    deviation_.add(std::min(std::abs(away), cut), kSpan);
    level_.add(level_.mean + std::clamp(away, -cut, cut), kSpan);
  } else {
    deviation_.add(std::abs(away), kSpan);
    level_.add(value, kSpan);
    ++known_;
  }
  if (change) {
    const double after = change->after;
    begin(after);
  }
  return change;
}

std::string ChangePoints::encode() const {
  std::string bytes;
  StateWriter out(bytes);
  out.whole(kVersion, 1);
  level_.write(out);
  deviation_.write(out);
  for (const Sum* sum : {&up_, &down_}) {
    out.real64(sum->value);
    out.real64(sum->total);
    out.whole(sum->count, 4);
    out.whole(static_cast<std::uint64_t>(sum->onset), 8);
  }
  out.whole(static_cast<std::uint64_t>(newest_), 8);
  out.whole(known_, 4);
  out.whole(started_ ? 1 : 0, 1);
  return bytes;
}

Result<ChangePoints> ChangePoints::decode(std::string_view bytes) {
  StateReader in(bytes);
  if (in.whole(1) != kVersion) return Error(Errc::kInvalid, "change points of another version");
  ChangePoints out;
  bool valid = out.level_.read(in) && out.deviation_.read(in) && out.deviation_.mean >= 0;
  for (Sum* sum : {&out.up_, &out.down_}) {
    sum->value = in.real64();
    sum->total = in.real64();
    sum->count = static_cast<std::uint32_t>(in.whole(4));
    sum->onset = static_cast<std::int64_t>(in.whole(8));
    valid = valid && sum->value >= 0 && sum->value < kThreshold && plausible(sum->total) &&
            (sum->value > 0) == (sum->count > 0);
  }
  out.newest_ = static_cast<std::int64_t>(in.whole(8));
  out.known_ = static_cast<std::uint32_t>(in.whole(4));
  const auto started = in.whole(1);
  out.started_ = started == 1;
  if (!valid || started > 1 || out.known_ > kLearning || !in.complete()) {
    return Error(Errc::kInvalid, "damaged state of change points");
  }
  return out;
}

}  // namespace observeai::series
