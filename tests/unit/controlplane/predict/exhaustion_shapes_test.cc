// Leaks that must be told in time, and healthy growth that must not be told at all.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include "controlplane/predict/exhaustion.h"

namespace observeai::predict {
namespace {

constexpr int kPast = 1'440;  // Steps of healthy life before a leak

// Autocorrelated noise with standard deviation `size`, as real series have: the same in every run.
class Noise {
 public:
  explicit Noise(double size) : size_(size) {}
  double operator()() {
    // The sum of three uniform numbers is near enough to a normal one.
    double fresh = 0;
    for (int i = 0; i < 3; ++i) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      fresh += static_cast<double>(state_ >> 40) / (1 << 23) - 1;
    }
    value_ = 0.9 * value_ + std::sqrt(1 - 0.9 * 0.9) * fresh;
    return size_ * value_;
  }

 private:
  double size_;
  double value_ = 0;
  std::uint64_t state_ = 11;
};

using Curve = std::function<double(int step)>;

struct Seen {
  int first_alarm = -1;
  int full = -1;  // First step at 1 or above
  int alarms = 0;
  Shape shape = Shape::kUnknown;  // At the newest step with an alarm
  double left_at_30 = kNever;     // left_p50, 30 steps before it is full
  int lead() const { return first_alarm < 0 ? 0 : full - first_alarm; }
};

// Until it is full, or for `steps`.
Seen watch(const Curve& used, int steps = 20'000) {
  ExhaustionForecaster forecaster;
  std::vector<double> left;
  Seen seen;
  for (int step = 0; step < steps; ++step) {
    const double value = used(step);
    if (value >= 1) {
      seen.full = step;
      break;
    }
    const Forecast forecast = forecaster.observe(step, value);
    left.push_back(forecast.left_p50);
    if (!forecast.alarm) continue;
    ++seen.alarms;
    seen.shape = forecast.shape;
    if (seen.first_alarm >= 0) continue;
    seen.first_alarm = step;
  }
  if (seen.full > 30) seen.left_at_30 = left[static_cast<std::size_t>(seen.full - 30)];
  return seen;
}

// A healthy past at `level`, then `leak` of the steps since kPast on top.
Curve after_a_past(double level, double noise_size, const Curve& leak) {
  return [=, noise = Noise(noise_size)](int step) mutable {
    return level + noise() + (step < kPast ? 0 : leak(step - kPast));
  };
}

double sawtooth(int step, int period) {
  return static_cast<double>(step % period) / period;
}

}  // namespace

TEST_CASE("leaks of every shape are told 15 steps ahead") {
  struct Leak {
    std::string name;
    Curve grows;
  };
  const std::vector<Leak> leaks = {
      {"linear, slow", [](int t) { return 0.001 * t; }},
      {"linear, fast", [](int t) { return 0.008 * t; }},
      {"exponential", [](int t) { return 0.02 * std::expm1(t / 60.0); }},
      {"stairs", [](int t) { return 0.04 * (t / 10); }},
      {"sawtooth with a floor that rises", [](int t) { return 0.002 * t + 0.08 * sawtooth(t, 9); }},
      {"accelerating as a square", [](int t) { return 0.5 * t * t / (200.0 * 200.0); }},
      {"in bursts", [](int t) { return 0.1 * (t / 50) + 0.1 * std::min(1.0, (t % 50) / 10.0); }},
  };
  for (const Leak& leak : leaks) {
    for (const double noise : {0.002, 0.02}) {
      CAPTURE(leak.name);
      CAPTURE(noise);
      const Seen seen = watch(after_a_past(0.45, noise, leak.grows));
      REQUIRE(seen.full > 0);
      CHECK(seen.first_alarm >= kPast);
      CHECK(seen.lead() >= 15);
      CHECK(seen.lead() <= 240);
      CHECK(seen.left_at_30 < 90);
    }
  }
}

TEST_CASE("a leak from the first step on is told") {
  for (const double noise_size : {0.001, 0.01}) {
    for (const int steps : {90, 180, 600}) {
      CAPTURE(steps);
      CAPTURE(noise_size);
      const Seen seen = watch([=, noise = Noise(noise_size)](int step) mutable {
        return 0.05 + noise() + 0.95 * step / steps;
      });
      REQUIRE(seen.full > 0);
      CHECK(seen.lead() >= 15);
    }
  }
}

TEST_CASE("a leak that a restart interrupts is told again") {
  Noise noise(0.01);
  ExhaustionForecaster forecaster;
  int step = 0;
  for (; step < kPast; ++step) forecaster.observe(step, 0.3 + noise());
  for (int life = 0; life < 3; ++life) {
    forecaster.begin_regime(step);
    CHECK(!forecaster.newest().alarm);
    int lead = 0;
    for (int t = 0; t < 200; ++t, ++step) {
      const Forecast forecast = forecaster.observe(step, 0.3 + noise() + 0.69 * t / 200);
      CHECK(forecast.regime_age == t);
      if (forecast.alarm && lead == 0) lead = 200 - t;
    }
    CHECK(lead >= 15);
  }
}

TEST_CASE("healthy growth is silent") {
  struct Healthy {
    std::string name;
    Curve used;
  };
  const auto noisy = [](double size, const Curve& curve) {
    return [=, noise = Noise(size)](int step) mutable { return curve(step) + noise(); };
  };
  const std::vector<Healthy> series = {
      {"collector's sawtooth", noisy(0.005, [](int t) { return 0.35 + 0.45 * sawtooth(t, 20); })},
      {"cache that warms up",
       noisy(0.005, [](int t) { return 0.2 + 0.65 * (1 - std::exp(-t / 60.0)); })},
      {"cache that warms up after a restart",
       noisy(0.005,
             [](int t) { return t < kPast ? 0.3 : 0.3 + 0.4 * -std::expm1((kPast - t) / 50.0); })},
      {"nightly batch", noisy(0.01, [](int t) { return t % 1'440 < 90 ? 0.75 : 0.4; })},
      {"day and night",
       noisy(0.01, [](int t) { return 0.6 + 0.25 * std::sin(2 * std::numbers::pi * t / 1'440); })},
      {"log that is rotated", noisy(0.002, [](int t) { return 0.5 + 0.3 * sawtooth(t, 700); })},
      {"page cache that fills what is free",
       noisy(0.002, [](int t) { return std::min(0.93, 0.3 + t / 3'000.0); })},
      {"one step up", noisy(0.01, [](int t) { return t < kPast ? 0.4 : 0.8; })},
      {"near the limit for ever", noisy(0.005, [](int) { return 0.96; })},
  };
  for (const Healthy& healthy : series) {
    CAPTURE(healthy.name);
    CHECK(watch(healthy.used, 10'000).alarms == 0);
  }
}

TEST_CASE("a limit that doubles takes the threat away, one that halves brings it") {
  Noise noise(0.005);
  ExhaustionForecaster forecaster;
  int step = 0;
  double limit = 1;
  const auto grow = [&](int until) {
    for (; step < until; ++step) {
      const double grown = step < kPast ? 0 : 0.002 * (step - kPast);
      forecaster.observe(step, (0.4 + noise() + grown) / limit);
    }
  };
  grow(kPast + 280);  // Full at 300
  REQUIRE(forecaster.newest().alarm);
  forecaster.rescale(2);
  limit = 2;
  grow(kPast + 300);
  CHECK(!forecaster.newest().alarm);
  CHECK(forecaster.newest().p_horizon < 0.05);
  grow(kPast + 400);  // At 0.6 of the new limit
  CHECK(!forecaster.newest().alarm);
  forecaster.rescale(0.5 * 1.25);  // Full at 425
  limit = 1.25;
  grow(kPast + 405);
  CHECK(forecaster.newest().alarm);
}

TEST_CASE("gaps of what is not known neither raise nor hide an alarm") {
  Noise noise(0.01);
  ExhaustionForecaster whole;
  int lead = 0;
  for (int step = 0; step < kPast + 300; ++step) {
    const double used = 0.4 + noise() + (step < kPast ? 0 : 0.002 * (step - kPast));
    const bool gap = step % 10 < 3 || (step > 500 && step < 700);
    const Forecast forecast =
        whole.observe(step, gap ? std::numeric_limits<double>::quiet_NaN() : used);
    if (step < kPast) CHECK(!forecast.alarm);
    if (forecast.alarm && lead == 0) lead = kPast + 300 - step;
  }
  CHECK(lead >= 15);
  for (int step = 0; step < 40; ++step) whole.observe(kPast + 300 + step, std::nan(""));
  CHECK(whole.newest().p_horizon == 0);
}

TEST_CASE("the shape is named") {
  const auto shape_of = [](double noise, const Curve& leak) {
    return watch(after_a_past(0.45, noise, leak)).shape;
  };
  CHECK(shape_of(0.003, [](int t) { return 0.002 * t; }) == Shape::kLinear);
  CHECK(shape_of(0.003, [](int t) { return 0.01 * std::expm1(t / 40.0); }) == Shape::kExponential);
  CHECK(shape_of(0.003, [](int t) { return 0.06 * (t / 15); }) == Shape::kStairs);
  CHECK(shape_of(0.003, [](int t) { return 0.002 * t + 0.2 * sawtooth(t, 25); }) ==
        Shape::kSawtooth);
}

}  // namespace observeai::predict
