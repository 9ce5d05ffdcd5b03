#include "controlplane/predict/exhaustion.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace observeai::predict {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// Uniform in [-1, 1): the same in every run.
class Noise {
 public:
  double operator()() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 40) / (1 << 23) - 1;
  }

 private:
  std::uint64_t state_ = 7;
};

using Curve = std::function<double(int step)>;

struct Run {
  int first_alarm = -1;
  int alarms = 0;  // Steps
  std::vector<Forecast> forecasts;
};

Run run(int steps, const Curve& used) {
  ExhaustionForecaster forecaster;
  Run result;
  for (int step = 0; step < steps; ++step) {
    result.forecasts.push_back(forecaster.observe(step, used(step)));
    if (!result.forecasts.back().alarm) continue;
    ++result.alarms;
    if (result.first_alarm < 0) result.first_alarm = step;
  }
  return result;
}

}  // namespace

TEST_CASE("a leak in a series with a past is told in time") {
  Noise noise;
  // 40 % with noise for half a day, then 0.3 % a step: full at step 920.
  const auto leak = run(920, [&](int step) {
    return 0.4 + 0.01 * noise() + (step < 720 ? 0 : 0.003 * (step - 720));
  });
  REQUIRE(leak.first_alarm > 0);
  CHECK(920 - leak.first_alarm >= 15);
  CHECK(920 - leak.first_alarm <= 60);
  const Forecast& at = leak.forecasts[890];
  CHECK(at.left_p10 <= at.left_p50);
  CHECK(at.left_p50 <= at.left_p90);
  CHECK(std::abs(at.left_p50 - 30) <= 5);
}

TEST_CASE("a constant series is silent") {
  for (const double used : {0.0, 0.3, 0.97}) {
    const auto constant = run(2'000, [&](int) { return used; });
    CHECK(constant.alarms == 0);
    CHECK(constant.forecasts.back().p_horizon < 0.01);
  }
}

TEST_CASE("nothing is claimed from the first steps") {
  const auto start = run(20, [](int step) { return 0.5 + 0.02 * step; });
  CHECK(start.alarms == 0);
  CHECK(start.forecasts.back().missing > 0);
}

TEST_CASE("what came before a decoding does not show after it") {
  Noise noise;
  ExhaustionForecaster whole;
  ExhaustionForecaster parts;
  for (int step = 0; step < 1'500; ++step) {
    const double used =
        step % 97 == 0 ? kUnknown : 0.4 + 0.02 * noise() + 0.001 * std::max(0, step - 900);
    const Forecast expected = whole.observe(step, used);
    const std::string bytes = parts.encode();
    CHECK(bytes.size() <= ExhaustionForecaster::kMaxStateBytes);
    auto again = ExhaustionForecaster::decode(bytes);
    REQUIRE(again);
    CHECK(again->encode() == bytes);
    parts = std::move(*again);
    REQUIRE(parts.observe(step, used) == expected);
    REQUIRE(parts.newest() == expected);
  }
}

TEST_CASE("damaged bytes are refused") {
  ExhaustionForecaster forecaster;
  forecaster.observe(1, 0.5);
  const std::string bytes = forecaster.encode();
  CHECK(ExhaustionForecaster::decode(bytes));
  CHECK(!ExhaustionForecaster::decode(""));
  CHECK(!ExhaustionForecaster::decode(bytes.substr(0, bytes.size() - 1)));
  CHECK(!ExhaustionForecaster::decode(bytes + '\0'));
  for (std::size_t i = 0; i < bytes.size(); i += 7) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
    CHECK(!ExhaustionForecaster::decode(damaged));
  }
}

TEST_CASE("steps that do not grow are answered with the newest forecast") {
  ExhaustionForecaster forecaster;
  const Forecast first = forecaster.observe(10, 0.5);
  CHECK(forecaster.observe(10, 0.9) == first);
  CHECK(forecaster.observe(9, 0.9) == first);
  CHECK(forecaster.observe(std::numeric_limits<std::int64_t>::min(), 0.9) == first);
  CHECK(forecaster.newest() == first);
}

TEST_CASE("steps may jump by any distance") {
  ExhaustionForecaster forecaster;
  for (const std::int64_t step : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-5},
                                  std::int64_t{0}, std::int64_t{1'440}, std::int64_t{1'000'000'000},
                                  std::numeric_limits<std::int64_t>::max()}) {
    const Forecast forecast = forecaster.observe(step, 0.5);
    CHECK(!forecast.alarm);
    CHECK(forecast.p_horizon <= 1);
  }
}

}  // namespace observeai::predict
