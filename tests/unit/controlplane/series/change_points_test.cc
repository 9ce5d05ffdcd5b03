#include "controlplane/series/change_points.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tests/unit/controlplane/series/noise.h"

namespace observeai::series {

TEST_CASE(
    "a shift by three deviations is told after about five values, with its onset and both levels") {
  int late = 0, far = 0;
  for (int seed = 0; seed < 200; ++seed) {
    Noise noise(seed);
    ChangePoints points;
    for (int step = 0; step < 500; ++step) REQUIRE_FALSE(points.observe(step, 10 + noise.normal()));
    std::optional<Change> change;
    int step = 500;
    for (; !change && step < 520; ++step) change = points.observe(step, 13 + noise.normal());
    REQUIRE(change);
    CHECK(change->told == step - 1);
    far += std::abs(change->onset - 500) > 3 ? 1 : 0;
    CHECK(change->before == doctest::Approx(10).epsilon(0.05));
    CHECK(change->after == doctest::Approx(13).epsilon(0.15));
    late += change->told > 507 ? 1 : 0;
    CHECK(points.missing() == ChangePoints::kLearning);
  }
  CHECK(late <= 20);
  CHECK(far <= 50);  // Where luck had the sum above 0 just before the shift
}

TEST_CASE("down as well as up, and again after the new level was learned") {
  Noise noise(41);
  ChangePoints points;
  std::vector<Change> changes;
  for (int step = 0; step < 900; ++step) {
    const double level = step < 300 ? 50 : step < 600 ? 20 : 35;
    if (const auto change = points.observe(step, level + noise.normal()))
      changes.push_back(*change);
  }
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].onset == 300);
  CHECK(changes[0].after < changes[0].before);
  CHECK(changes[1].onset == 600);
  CHECK(changes[1].after > changes[1].before);
}

TEST_CASE("steady noise has as few changes as stated, a single spike is none") {
  Noise noise(42);
  ChangePoints points;
  int changes = 0;
  for (int step = 0; step < 200'000; ++step)
    changes += points.observe(step, noise.normal()) ? 1 : 0;
  CHECK(changes <= 3);
  CHECK_FALSE(points.observe(200'000, 1e9));
  for (int step = 200'001; step < 200'100; ++step) {
    CHECK_FALSE(points.observe(step, noise.normal()));
  }
}

TEST_CASE("a constant series: another constant is a change, told in four values") {
  ChangePoints points;
  for (int step = 0; step < 100; ++step) REQUIRE_FALSE(points.observe(step, 5));
  std::optional<Change> change;
  int step = 100;
  while (!change && step < 110) change = points.observe(step++, 6);
  REQUIRE(change);
  CHECK(change->onset == 100);
  CHECK(change->told <= 103);
  CHECK(change->after == 6);
}

TEST_CASE(
    "a cold start says what is missing; steps that do not grow and unknown values count nothing") {
  ChangePoints points;
  CHECK(points.missing() == ChangePoints::kLearning);
  points.observe(0, 1);
  for (std::uint32_t i = 1; i <= ChangePoints::kLearning; ++i) {
    CHECK(points.missing() == ChangePoints::kLearning - (i - 1));
    points.observe(i, i % 2);
    CHECK_FALSE(points.observe(i, 1e9));
    CHECK_FALSE(points.observe(i + 1, std::numeric_limits<double>::quiet_NaN()));
  }
  CHECK(points.missing() == 0);
}

TEST_CASE("encoded and decoded it says the same; damage is refused") {
  Noise noise(43);
  ChangePoints points;
  for (int step = 0; step < 2'000; ++step) {
    const double value = (step / 400) * 4 + noise.normal();
    auto again = ChangePoints::decode(points.encode());
    REQUIRE(again);
    const auto change = points.observe(step, value);
    CHECK(again->observe(step, value) == change);
    CHECK(again->encode() == points.encode());
  }
  const auto bytes = points.encode();
  CHECK_FALSE(ChangePoints::decode(bytes.substr(1)));
  CHECK_FALSE(ChangePoints::decode(bytes + "x"));
  CHECK_FALSE(ChangePoints::decode(std::string(bytes.size(), '\xff')));
}

}  // namespace observeai::series
