#include "controlplane/series/baseline.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "tests/unit/controlplane/series/noise.h"

namespace observeai::series {

namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr int kDay = 1'440;

}  // namespace

TEST_CASE("the level begins with the first value, not at zero") {
  Baseline baseline;
  baseline.observe(0, 1'000, kDay);
  CHECK(baseline.expect(0).expected == 1'000);
  CHECK(baseline.expect(0).scale == 0);
}

TEST_CASE("a daily wave is known after four days, a Sunday after three weeks, not after one") {
  Baseline baseline;
  Noise noise(51);
  const auto value = [&](int minute) {
    return 100 + 10 * std::sin(2 * std::numbers::pi * minute / kDay) +
           (minute / kDay % 7 == 6 ? 20 : 0) + noise.normal();
  };
  const auto error_of_day = [&](int day) {
    double sum = 0;
    for (int minute = day * kDay; minute < (day + 1) * kDay; ++minute) {
      const double x = value(minute);
      sum += std::abs(baseline.expect(minute * kMinute).expected - x) / kDay;
      baseline.observe(minute * kMinute, x, kDay);
    }
    return sum;
  };
  double before = 0;
  for (int day = 0; day < 5; ++day) before = error_of_day(day);
  CHECK(before < 2);  // 0.8 is the noise alone, 6.4 the wave
  CHECK(error_of_day(5) < 2);
  CHECK(error_of_day(6) > 5);  // The first Sunday surprises
  double sunday = 0;
  for (int day = 7; day < 42; ++day) {
    const double error = error_of_day(day);
    if (day % 7 == 6) sunday = error;
  }
  CHECK(sunday < 5);
}

TEST_CASE("an outage of an hour leaves hardly a trace the next day") {
  Baseline baseline;
  Noise noise(52);
  for (int minute = 0; minute < 11 * kDay; ++minute) {
    const bool out = minute >= 10 * kDay + 600 && minute < 10 * kDay + 660;
    baseline.observe(minute * kMinute, out ? 0 : 100 + noise.normal(), kDay);
  }
  CHECK(baseline.expect((11LL * kDay + 630) * kMinute).expected > 90);
}

TEST_CASE("times before 1970 have a time of day too") {
  Baseline baseline;
  for (int i = 0; i < 100; ++i) baseline.observe(-i * 7'919'000LL, i, kDay);
  CHECK(std::isfinite(baseline.expect(-1).expected));
}

}  // namespace observeai::series
