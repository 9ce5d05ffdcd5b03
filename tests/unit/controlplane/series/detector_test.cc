#include "controlplane/series/detector.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "tests/unit/controlplane/series/noise.h"

namespace observeai::series {

namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr int kDay = 1'440;

// A healthy series of minutes: level, a daily wave, a quiet Sunday, noise.
double healthy(int minute, Noise& noise) {
  const double day = 20 * std::sin(2 * std::numbers::pi * minute / kDay);
  const double week = minute / kDay % 7 == 3 ? -15 : 0;
  return 100 + day + week + noise.normal();
}

// Alarms of `detector` while it is fed `value_of(minute)` for the minutes from..to.
template <class F>
std::vector<int> alarms(Detector& detector, int from, int to, F value_of) {
  std::vector<int> out;
  for (int minute = from; minute < to; ++minute) {
    if (detector.observe(minute * kMinute, value_of(minute)).alarm) out.push_back(minute);
  }
  return out;
}

}  // namespace

TEST_CASE("a cold start claims nothing and says how much is missing") {
  Detector detector;
  for (std::uint32_t i = 0; i < Detector::kColdStart; ++i) {
    const auto verdict = detector.observe(i * kMinute, i % 7 == 0 ? 1e9 : 0);
    CHECK(verdict.missing == Detector::kColdStart - i);
    CHECK(verdict.score == 0);
    CHECK_FALSE(verdict.alarm);
    CHECK(verdict.p == 1);
  }
  CHECK(detector.observe(Detector::kColdStart * kMinute, 0).missing == 0);
}

TEST_CASE("a healthy week after two: few alarms, the next spike is told at once and once") {
  Detector detector;
  Noise noise(21);
  const auto series = [&](int minute) { return healthy(minute, noise); };
  alarms(detector, 0, 14 * kDay, series);
  CHECK(alarms(detector, 14 * kDay, 21 * kDay, series).size() <= 3);

  const int at = 21 * kDay + 700;
  alarms(detector, 21 * kDay, at, series);
  const auto told = alarms(detector, at, at + 15, [&](int minute) { return series(minute) + 60; });
  REQUIRE(told.size() == 1);
  CHECK(told.front() == at);
}

TEST_CASE("expected follows the time of day and the day of the week") {
  Detector detector;
  Noise noise(24);
  for (int minute = 0; minute < 28 * kDay; ++minute) {
    detector.observe(minute * kMinute, healthy(minute, noise));
  }
  double worst = 0;
  for (int minute = 28 * kDay; minute < 35 * kDay; ++minute) {
    Noise silent(1);
    const double usual = healthy(minute, silent) - Noise(1).normal();
    const auto verdict = detector.observe(minute * kMinute, healthy(minute, noise));
    // Three hours after midnight the week's slots change: the jump itself is not asked.
    if (minute % kDay > 200) worst = std::max(worst, std::abs(verdict.expected - usual));
    CHECK(verdict.scale < 6);
  }
  CHECK(worst < 9);  // Of 40 for the day and 15 for the week
}

TEST_CASE("a new level is told, then it is the level") {
  Detector detector;
  Noise noise(25);
  alarms(detector, 0, 7 * kDay, [&](int) { return 50 + noise.normal(); });
  const auto first =
      alarms(detector, 7 * kDay, 7 * kDay + 10, [&](int) { return 80 + noise.normal(); });
  CHECK(first.size() >= 1);
  alarms(detector, 7 * kDay + 10, 10 * kDay, [&](int) { return 80 + noise.normal(); });
  CHECK(alarms(detector, 10 * kDay, 14 * kDay, [&](int) { return 80 + noise.normal(); }).size() <=
        3);
}

TEST_CASE("a slow trend is not told as an anomaly each day") {
  Detector detector;
  Noise noise(26);
  const auto rising = [&](int minute) { return 0.001 * minute + noise.normal(); };
  alarms(detector, 0, 7 * kDay, rising);
  CHECK(alarms(detector, 7 * kDay, 21 * kDay, rising).size() <= 8);
}

TEST_CASE("a constant series is silent, and its first other value is an anomaly") {
  Detector detector;
  CHECK(alarms(detector, 0, 5 * kDay, [](int) { return 7.0; }).empty());
  CHECK(detector.observe(5 * kDay * kMinute, 8).alarm);
}

TEST_CASE("huge values, gaps, repeated and backward time stamps stay finite and bounded") {
  Detector detector;
  Noise noise(27);
  std::int64_t now = 0;
  for (int i = 0; i < 20'000; ++i) {
    const double odd = noise.uniform();
    now += odd < 0.01   ? 40 * kDay * kMinute
           : odd < 0.02 ? -3 * kDay * kMinute
           : odd < 0.2  ? 0
                        : kMinute;
    const double value = i % 997 == 0 ? 1.7e308 : i % 991 == 0 ? -1.7e308 : noise.normal();
    const auto verdict = detector.observe(now, value);
    CHECK(std::isfinite(verdict.score));
    CHECK(verdict.score >= 0);
    CHECK(verdict.score <= 1);
    CHECK(verdict.p > 0);
    CHECK(verdict.p <= 1);
    CHECK(std::isfinite(verdict.expected));
    CHECK(std::isfinite(verdict.scale));
  }
  for (const auto extreme : {std::numeric_limits<std::int64_t>::min(), std::int64_t{0},
                             std::numeric_limits<std::int64_t>::max()}) {
    CHECK(std::isfinite(detector.observe(extreme, 1).score));
  }
  const auto bytes = detector.encode();
  CHECK(bytes.size() <= Detector::kMaxStateBytes);
  CHECK(Detector::decode(bytes).has_value());
}

TEST_CASE("what is not a number teaches nothing") {
  Detector with, without;
  Noise noise(22);
  for (int i = 0; i < 1'000; ++i) {
    const double value = noise.normal();
    const auto verdict = without.observe(i * kMinute, value);
    CHECK(with.observe(i * kMinute, value) == verdict);
    for (const double unknown :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      const auto said = with.observe(i * kMinute, unknown);
      CHECK(said.score == 0);
      CHECK_FALSE(said.alarm);
    }
  }
}

TEST_CASE("encoded and decoded, it says the same") {
  Detector detector;
  Noise noise(23);
  for (int i = 0; i < 5'000; ++i) {
    if (i % 500 == 123) {
      auto again = Detector::decode(detector.encode());
      REQUIRE(again);
      const double value = noise.normal();
      CHECK(again->observe(i * kMinute, value) == detector.observe(i * kMinute, value));
      CHECK(again->encode() == detector.encode());
      detector = std::move(*again);
    }
    detector.observe(i * kMinute, noise.normal());
  }
}

TEST_CASE("damaged state is refused") {
  Detector detector;
  for (int i = 0; i < 50; ++i) detector.observe(i * kMinute, i);
  const auto bytes = detector.encode();
  CHECK_FALSE(Detector::decode(""));
  CHECK_FALSE(Detector::decode(bytes.substr(0, bytes.size() - 1)));
  CHECK_FALSE(Detector::decode(bytes + "x"));
  auto version = bytes;
  version[0] = '\x7f';
  CHECK_FALSE(Detector::decode(version));
}

}  // namespace observeai::series
