#include "controlplane/series/detector.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/unit/controlplane/series/noise.h"

namespace observeai::series {

namespace {

constexpr std::int64_t kMinute = 60'000;

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

TEST_CASE("a spike in steady noise is told once") {
  Detector detector;
  Noise noise(21);
  int alarms = 0;
  for (int i = 0; i < 3'000; ++i)
    alarms += detector.observe(i * kMinute, 100 + noise.normal()).alarm;
  CHECK(alarms <= 1);
  const auto verdict = detector.observe(3'000 * kMinute, 160);
  CHECK(verdict.alarm);
  CHECK(verdict.score >= Detector::kAlarmScore);
  CHECK(verdict.expected == doctest::Approx(100).epsilon(0.02));
  CHECK(verdict.scale < 3);
  CHECK_FALSE(detector.observe(3'001 * kMinute, 160).alarm);
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
