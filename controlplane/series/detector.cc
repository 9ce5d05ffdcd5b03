#include "controlplane/series/detector.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "controlplane/series/state_bytes.h"
#include "controlplane/series/tail.h"

namespace observeai::series {

namespace {

constexpr std::size_t kRecent = 15;
constexpr std::uint64_t kVersion = 1;
// After an alarm, this many observations say nothing: an anomaly is told once.
constexpr std::uint32_t kQuiet = 30;
// One false alarm in a week of minutes.
constexpr double kAlarmProbability = 1e-4;
constexpr double kScaleSpan = 1440;

}  // namespace

struct Detector::State {
  std::array<double, kRecent> recent{};  // Ring, newest at seen % kRecent - 1
  std::uint32_t seen = 0;
  std::uint32_t quiet = 0;
  double scale = 0;
  Tail tail;
};

Detector::Detector() : state_(std::make_unique<State>()) {}
Detector::Detector(Detector&&) noexcept = default;
Detector& Detector::operator=(Detector&&) noexcept = default;
Detector::~Detector() = default;

Verdict Detector::observe(std::int64_t /*ts_ms*/, double value) {
  State& s = *state_;
  Verdict verdict;
  verdict.missing = s.seen < kColdStart ? kColdStart - s.seen : 0;
  if (!std::isfinite(value)) return verdict;
  if (s.seen >= kRecent) {
    auto sorted = s.recent;
    std::nth_element(sorted.begin(), sorted.begin() + kRecent / 2, sorted.end());
    verdict.expected = sorted[kRecent / 2];
    const double deviation = std::abs(value - verdict.expected);
    verdict.scale = s.scale;
    const double z = s.scale > 0 ? deviation / s.scale : 0;
    if (verdict.missing == 0) {
      verdict.p = s.tail.probability(z);
      const double surprise = -std::log10(verdict.p) / -std::log10(kAlarmProbability);
      verdict.score = s.quiet > 0 ? 0 : surprise / (1 + surprise);
      verdict.alarm = verdict.score >= kAlarmScore;
    }
    s.quiet = verdict.alarm ? kQuiet : s.quiet - (s.quiet > 0 ? 1 : 0);
    s.tail.add(z);
    const double share = std::max(2 / (kScaleSpan + 1), 1.0 / (s.seen - kRecent + 1));
    s.scale += share * (deviation - s.scale);
  }
  s.recent[s.seen % kRecent] = value;
  s.seen = s.seen == UINT32_MAX ? UINT32_MAX / kRecent * kRecent : s.seen + 1;
  return verdict;
}

std::string Detector::encode() const {
  std::string bytes;
  StateWriter out(bytes);
  out.whole(kVersion, 1);
  for (const double value : state_->recent) out.real64(value);
  out.whole(state_->seen, 4);
  out.whole(state_->quiet, 4);
  out.real64(state_->scale);
  state_->tail.write(out);
  return bytes;
}

Result<Detector> Detector::decode(std::string_view bytes) {
  StateReader in(bytes);
  if (in.whole(1) != kVersion) return Error(Errc::kInvalid, "detector state of another version");
  Detector detector;
  State& s = *detector.state_;
  bool valid = true;
  for (double& value : s.recent) {
    value = in.real64();
    valid = valid && std::isfinite(value);
  }
  s.seen = static_cast<std::uint32_t>(in.whole(4));
  s.quiet = static_cast<std::uint32_t>(in.whole(4));
  s.scale = in.real64();
  valid = valid && s.quiet <= kQuiet && std::isfinite(s.scale) && s.scale >= 0 && s.tail.read(in);
  if (!valid || !in.complete()) return Error(Errc::kInvalid, "damaged detector state");
  return detector;
}

}  // namespace observeai::series
