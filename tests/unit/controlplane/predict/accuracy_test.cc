// Arithmetic by hand.
#include "controlplane/predict/accuracy.h"

#include <doctest/doctest.h>

#include <vector>

namespace observeai::predict {
namespace {

constexpr std::int64_t kMinute = 60'000;

TEST_CASE("precision, recall and lead times of a month") {
  std::vector<Closed> closed;
  // Ten hits with leads of 1, 4, 7 ... 28 minutes; five of them have 15 or more.
  for (int i = 0; i < 10; ++i)
    closed.push_back({Outcome::kHit, (1 + 3 * i) * kMinute, (i % 2 == 0 ? 1 : -1) * i * kMinute});
  closed.insert(closed.end(), 5, {Outcome::kMiss, 0, 0});
  closed.insert(closed.end(), 2, {Outcome::kFalseAlarm, 0, 0});
  closed.insert(closed.end(), 3, {Outcome::kPrevented, 0, 0});
  closed.push_back({Outcome::kUnknown, 0, 0});
  const auto told = announced(closed);
  CHECK(told.hits == 10);
  CHECK(told.misses == 5);
  CHECK(told.prevented == 3);
  CHECK(told.unknown == 1);
  CHECK(told.precision == doctest::Approx(10.0 / 12));
  CHECK(told.recall == doctest::Approx(10.0 / 15));
  CHECK(told.useful_recall == doctest::Approx(5.0 / 15));
  CHECK(told.lead_median_ms == 13 * kMinute);
  CHECK(told.lead_p10_ms == 1 * kMinute);
  CHECK(told.error_median_ms == 4 * kMinute);
}

TEST_CASE("a lead beyond what the alarm spoke of is a hit, but was of no use") {
  std::vector<Closed> closed;
  for (const std::int64_t lead : {14, 15, 60, 61, 1'200})
    closed.push_back({Outcome::kHit, lead * kMinute, 0, 60 * kMinute});
  const auto told = announced(closed);
  CHECK(told.hits == 5);
  CHECK(told.recall == doctest::Approx(1));
  CHECK(told.useful_recall == doctest::Approx(2.0 / 5));
}

TEST_CASE("of nothing nothing is said") {
  const auto told = announced({});
  CHECK_FALSE(told.precision);
  CHECK_FALSE(told.recall);
  CHECK_FALSE(told.lead_median_ms);
  const Closed miss{Outcome::kMiss, 0, 0};
  CHECK(announced(std::vector{miss}).recall == 0);
  CHECK_FALSE(announced(std::vector{miss}).precision);
  CHECK_FALSE(Calibration().brier());
}

TEST_CASE("Brier score, skill and bins") {
  Calibration sums;
  sums.add(0.9, true);
  sums.add(0.9, true);
  sums.add(0.9, false);
  sums.add(0.1, false);
  sums.add(0.0, false);
  sums.add(1.0, true);
  sums.add(-0.1, true);  // No probability
  // (.01 + .01 + .81 + .01 + 0 + 0) / 6; half of all happened: .25 for the mean
  CHECK(sums.count() == 6);
  CHECK(sums.brier() == doctest::Approx(0.84 / 6));
  CHECK(sums.skill() == doctest::Approx(1 - 0.14 / 0.25));
  CHECK(sums.bins()[9].count == 4);
  CHECK(sums.bins()[9].happened == 3);
  CHECK(sums.bins()[9].sum_p == doctest::Approx(3.7));
  CHECK(sums.bins()[1].count == 1);
  CHECK(sums.bins()[0].count == 1);
}

TEST_CASE("no skill is claimed before something happened") {
  Calibration sums;
  sums.add(0.1, false);
  CHECK(sums.brier() == doctest::Approx(0.01));
  CHECK_FALSE(sums.skill());
}

TEST_CASE("sums are added and stored exactly, and what is damaged is refused") {
  Calibration a;
  Calibration b;
  for (int i = 0; i < 100; ++i) (i % 2 == 0 ? a : b).add(i / 100.0, i % 7 == 0);
  a.add(b);
  const auto bytes = a.encode();
  CHECK(Calibration::decode(bytes).value() == a);
  CHECK(bytes.size() < 300);
  CHECK_FALSE(Calibration::decode(bytes.substr(1)));
  CHECK_FALSE(Calibration::decode(""));
  auto damaged = bytes;
  damaged[9] = '\x7f';  // More happened than was stated
  CHECK_FALSE(Calibration::decode(damaged));
}

}  // namespace
}  // namespace observeai::predict
