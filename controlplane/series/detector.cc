#include "controlplane/series/detector.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "controlplane/series/baseline.h"
#include "controlplane/series/evidence.h"
#include "controlplane/series/forest.h"
#include "controlplane/series/records.h"
#include "controlplane/series/state_bytes.h"

namespace observeai::series {

namespace {

constexpr std::uint64_t kVersion = 2;
constexpr double kDayMs = 86'400'000;
constexpr double kBlockMs = 300'000;
constexpr double kDefaultStepMs = 60'000;  // Until two time stamps are known

// Fitted like the trees: where both kinds of evidence alarm about once in a week of a healthy series.
constexpr double kOddsAlarm = -0.5;
// Whatever the trees say: what this series does more often than three times in a thousand values is none.
constexpr float kRareEnough = 2.5;
constexpr double kRecordAlarm = 3.1;
constexpr double kRecordSlope =
    4;  // How fast the score grows with strength: 3.4 is as sure as odds of 1.2 more

// An anomaly is told once. After an alarm, a quarter of an hour of minutes says nothing; then odds must
// clearly exceed those of the same stretch before, and a record what the last 14 hours (of five-minute
// blocks) already had, told or not: what creeps is told once.
constexpr std::uint32_t kQuietValues = 15;
constexpr std::uint32_t kQuietBlocks = 170;
constexpr double kClearlyMore = 0.05;

// The strongest of late. What does not clearly exceed it is the same anomaly still, or an echo.
template <std::uint32_t kMemory>
class News {
 public:
  // Exceeds the newest kMemory strengths (up to a tenth more of them)? Learns `strength`.
  bool is_news(double strength) {
    const bool news = strength > *std::max_element(parts_.begin(), parts_.end()) + kClearlyMore;
    if (count_ % kPart == 0) parts_[count_ / kPart % parts_.size()] = kNothing;
    double& part = parts_[count_ / kPart % parts_.size()];
    part = std::max(part, strength);
    count_ = (count_ + 1) % static_cast<std::uint32_t>(kPart * parts_.size());
    return news;
  }
  void write(StateWriter& out) const {
    for (const double part : parts_) out.real64(part);
    out.whole(count_, 4);
  }
  bool read(StateReader& in) {
    bool valid = true;
    for (double& part : parts_) {
      part = in.real64();
      valid = valid && plausible(part);
    }
    count_ = static_cast<std::uint32_t>(in.whole(4));
    return valid && count_ < kPart * parts_.size();
  }

 private:
  static constexpr double kNothing = -1e9;
  static constexpr std::uint32_t kPart = (kMemory + 9) / 10;
  static constexpr std::array<double, 11> kEmpty = [] {
    std::array<double, 11> out{};
    out.fill(kNothing);
    return out;
  }();

  std::array<double, 11> parts_ = kEmpty;  // Largest of kPart strengths each, in a ring
  std::uint32_t count_ = 0;
};

constexpr double kImpossible = -50;  // Odds

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

struct Detector::State {
  Baseline baseline;
  Evidence evidence;
  Records records;

  double step_ms = 0;  // Usual time between two values, 0: not known
  std::int64_t newest_ms = 0;
  std::uint32_t steps = 0;

  double block_value = 0;  // Sums of the block that is being filled
  double block_rest = 0;
  std::uint32_t block_count = 0;

  std::uint32_t quiet = 0;  // Values that are still part of what was told
  News<kQuietValues> told_odds;
  News<kQuietBlocks> told_strength;

  double per_day() const {
    return std::clamp(kDayMs / (step_ms > 0 ? step_ms : kDefaultStepMs), 24.0, kDayMs / 1'000);
  }
  std::uint32_t block_length() const {
    return static_cast<std::uint32_t>(
        std::max(1.0, std::round(kBlockMs / (step_ms > 0 ? step_ms : kDefaultStepMs))));
  }

  void learn_step(std::int64_t ts_ms);
  double fast_score(const Features& features);
  double slow_score(double value, double rest);
};

// A running median: a step up or down by a share that falls to 1 %.
void Detector::State::learn_step(std::int64_t ts_ms) {
  const double since = static_cast<double>(ts_ms) - static_cast<double>(newest_ms);
  newest_ms = ts_ms;
  if (steps != UINT32_MAX) ++steps;
  if (steps < 2 || !(since >= 1)) return;
  if (step_ms <= 0) {
    step_ms = std::min(since, kDayMs);
    return;
  }
  const double share = std::max(0.01, 1.0 / steps);
  if (since > step_ms * (1 + share)) step_ms = std::min(step_ms * (1 + share), kDayMs);
  if (since < step_ms * (1 - share)) step_ms = std::max(step_ms * (1 - share), 1.0);
}

double Detector::State::fast_score(const Features& features) {
  const float rarest = std::max({features[kRareAgreed], features[kRareMedian15],
                                 features[kRareHourly], features[kRareSeason60]});
  const double odds = rarest >= kRareEnough ? forest_log_odds(features) : kImpossible;
  return told_odds.is_news(odds) ? logistic(odds - kOddsAlarm) : 0;
}

double Detector::State::slow_score(double value, double rest) {
  block_value += value;
  block_rest += rest;
  ++block_count;
  const std::uint32_t length = block_length();
  if (block_count < length) return 0;
  const double strength =
      records.observe(block_value / block_count, block_rest / block_count, per_day() / length);
  block_value = block_rest = 0;
  block_count = 0;
  const bool news = told_strength.is_news(strength);
  if (!news || records.seen() <= Records::kLearning) return 0;
  return logistic(kRecordSlope * (strength - kRecordAlarm));
}

Detector::Detector() : state_(std::make_unique<State>()) {}
Detector::Detector(Detector&&) noexcept = default;
Detector& Detector::operator=(Detector&&) noexcept = default;
Detector::~Detector() = default;

Verdict Detector::observe(std::int64_t ts_ms, double value) {
  State& s = *state_;
  const Expectation usual = s.baseline.expect(ts_ms);
  Verdict verdict;
  verdict.expected = usual.expected;
  verdict.scale = usual.scale;
  const std::uint32_t seen = s.evidence.seen();
  verdict.missing = seen < kColdStart ? kColdStart - seen : 0;
  if (!std::isfinite(value)) return verdict;
  value = std::clamp(value, -kLargest, kLargest);

  s.learn_step(ts_ms);
  double score = 0;
  if (verdict.missing == 0) {
    const Features features = s.evidence.features(ts_ms, value, usual.season);
    score = s.fast_score(features);
    verdict.p = s.evidence.probability(features);
  }
  s.evidence.observe(ts_ms, value, usual.season, s.per_day());
  score = std::max(score, s.slow_score(value, value - usual.season));
  s.baseline.observe(ts_ms, value, s.per_day());
  if (s.records.seen() > Records::kLearning) verdict.missing = 0;
  if (s.quiet > 0) {
    --s.quiet;
    score = 0;
  }
  verdict.score = score;
  verdict.alarm = score >= kAlarmScore;
  if (verdict.alarm) s.quiet = kQuietValues - 1;
  return verdict;
}

std::string Detector::encode() const {
  const State& s = *state_;
  std::string bytes;
  StateWriter out(bytes);
  out.whole(kVersion, 1);
  s.baseline.write(out);
  s.evidence.write(out);
  s.records.write(out);
  out.real64(s.step_ms);
  out.whole(static_cast<std::uint64_t>(s.newest_ms), 8);
  out.whole(s.steps, 4);
  out.real64(s.block_value);
  out.real64(s.block_rest);
  out.whole(s.block_count, 4);
  out.whole(s.quiet, 4);
  s.told_odds.write(out);
  s.told_strength.write(out);
  return bytes;
}

Result<Detector> Detector::decode(std::string_view bytes) {
  StateReader in(bytes);
  if (in.whole(1) != kVersion) return Error(Errc::kInvalid, "detector state of another version");
  Detector detector;
  State& s = *detector.state_;
  bool valid = s.baseline.read(in) && s.evidence.read(in) && s.records.read(in);
  s.step_ms = in.real64();
  s.newest_ms = static_cast<std::int64_t>(in.whole(8));
  s.steps = static_cast<std::uint32_t>(in.whole(4));
  s.block_value = in.real64();
  s.block_rest = in.real64();
  s.block_count = static_cast<std::uint32_t>(in.whole(4));
  s.quiet = static_cast<std::uint32_t>(in.whole(4));
  valid = valid && s.quiet < kQuietValues && (s.step_ms == 0 || s.step_ms >= 1) &&
          s.step_ms <= kDayMs && plausible(s.block_value) && plausible(s.block_rest) &&
          s.block_count <= kBlockMs && s.told_odds.read(in) && s.told_strength.read(in);
  if (!valid || !in.complete()) return Error(Errc::kInvalid, "damaged detector state");
  return detector;
}

}  // namespace observeai::series
