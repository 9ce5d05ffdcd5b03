// Generated services: those that die of their errors are told in time, those that live with them are not.
#include "controlplane/predict/hazard.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

namespace observeai::predict {
namespace {

// Poisson numbers, the same on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed * 2862933555777941757U + 3037000493U) {}
  double uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return (static_cast<double>(state_ >> 11) + 0.5) / 9007199254740992.0;
  }
  double poisson(double mean) {
    double count = 0;
    for (; mean > 30; mean -= 30) count += poisson(30);
    double left = std::exp(-mean);
    for (double product = uniform(); product > left; product *= uniform()) ++count;
    return count;
  }

 private:
  std::uint64_t state_;
};

// Means of one step.
using Service = std::function<ServiceStep(int step)>;

struct Run {
  std::optional<int> alarm;  // The first step
  int alarms = 0;            // How often one was raised
  double highest = 0;
};

Run run(std::uint64_t seed, int steps, const Service& service, int from = 0) {
  Dice dice(seed);
  HazardForecaster forecaster;
  Run out;
  bool before = false;
  for (int step = 0; step < steps; ++step) {
    const ServiceStep mean = service(step);
    const Forecast forecast =
        forecaster.observe(step, {dice.poisson(mean.errors), dice.poisson(mean.others)});
    if (step >= from) out.highest = std::max(out.highest, forecast.p_horizon);
    if (forecast.alarm && !before) {
      ++out.alarms;
      if (!out.alarm) out.alarm = step;
    }
    before = forecast.alarm;
  }
  return out;
}

constexpr int kSeeds = 50;

}  // namespace

TEST_CASE("errors that rise until the service ends are told before") {
  for (const double usual : {0.0, 0.5, 5.0}) {
    int told = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      // From step 100 on e times as many in ten steps; it ends at 50 times the usual.
      const Run out = run(seed, 140, [&](int step) -> ServiceStep {
        return {(usual + 0.3) * std::exp(std::max(0, step - 100) / 10.0), 100};
      });
      told += out.alarm && *out.alarm >= 100 && *out.alarm <= 130 ? 1 : 0;
    }
    CAPTURE(usual);
    CHECK(told >= kSeeds * 9 / 10);
  }
}

TEST_CASE("errors that rise linearly are told before") {
  int told = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Run out = run(seed, 160, [](int step) -> ServiceStep {
      return {1.0 + std::max(0, step - 100) * 0.8, 50};
    });
    told += out.alarm && *out.alarm >= 100 && *out.alarm <= 150 ? 1 : 0;
  }
  CHECK(told >= kSeeds * 9 / 10);
}

TEST_CASE("a service that always logs some errors is left alone") {
  for (const double usual : {0.0, 0.1, 1.0, 20.0, 300.0}) {
    CAPTURE(usual);
    int alarms = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      alarms += run(seed, 2'000, [&](int) -> ServiceStep { return {usual, 500}; }).alarms;
    }
    CHECK(alarms == 0);
  }
}

TEST_CASE("a burst is left alone, small or great, short or of three steps") {
  for (const double size : {10.0, 100.0, 10'000.0}) {
    for (const int length : {1, 2, 3}) {
      CAPTURE(size);
      CAPTURE(length);
      int alarms = 0;
      for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        alarms += run(seed, 400, [&](int step) -> ServiceStep {
                    const bool burst = step >= 200 && step < 200 + length;
                    return {burst ? size : 0.2, 100};
                  }).alarms;
      }
      CHECK(alarms == 0);
    }
  }
}

TEST_CASE("bursts that come again and again are this service's way") {
  int alarms = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    alarms += run(seed, 2'000, [](int step) -> ServiceStep {
                return {step % 60 < 2 ? 80.0 : 0.5, 100};
              }).alarms;
  }
  CHECK(alarms == 0);
}

TEST_CASE("errors that come in clumps are less evidence than the same number one by one") {
  double highest = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Dice clumps(seed);
    highest = std::max(highest, run(
                                    seed, 2'000,
                                    [&](int) -> ServiceStep {
                                      return {clumps.uniform() < 0.15 ? 60.0 : 0.0, 100};
                                    },
                                    200)
                                    .highest);
  }
  CHECK(highest < 0.2);
}

TEST_CASE("errors that come with work are left alone") {
  int alarms = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    alarms += run(seed, 1'000, [](int step) -> ServiceStep {
                const double work = 100 + (step > 500 ? std::min(step - 500.0, 60.0) * 30 : 0);
                return {work * 0.02, work};
              }).alarms;
  }
  CHECK(alarms == 0);
  INFO("the same errors without the work are told");
  int told = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    told += run(seed, 600, [](int step) -> ServiceStep {
              const double work = 100 + (step > 500 ? std::min(step - 500.0, 60.0) * 30 : 0);
              return {work * 0.02, 100};
            }).alarm.has_value();
  }
  CHECK(told >= kSeeds * 9 / 10);
}

TEST_CASE("a service that lives with more errors is no longer told to be dying") {
  Dice dice(7);
  HazardForecaster forecaster;
  double early = 0, late = 0;
  bool alarm = false;
  for (int step = 0; step < 1'000; ++step) {
    const auto forecast =
        forecaster.observe(step, {dice.poisson(step < 200 ? 1 : 40), dice.poisson(100)});
    if (step >= 205 && step < 230) early = std::max(early, forecast.p_horizon);
    if (step >= 600) late = std::max(late, forecast.p_horizon);
    if (step >= 600) alarm = alarm || forecast.alarm;
  }
  CHECK(early > 0.3);
  CHECK(late < 0.2);
  CHECK(!alarm);
}

TEST_CASE("nothing is claimed before enough is known, and how much is missing is told") {
  HazardForecaster forecaster;
  for (std::uint32_t step = 0; step < HazardForecaster::kLearnSteps; ++step) {
    CHECK(forecaster.newest().p_horizon == 0);
    const auto forecast = forecaster.observe(step, {1000.0 * step, 1});
    CHECK(forecast.missing == HazardForecaster::kLearnSteps - 1 - step);
  }
  CHECK(forecaster.newest().shape == Shape::kSteady);
  CHECK(!forecaster.newest().alarm);
}

TEST_CASE("what is not known is no step of few errors") {
  HazardForecaster with, zeros;
  for (int step = 0; step < 200; ++step) {
    const double errors = step < 100 ? 1 : 1 + (step - 100);
    with.observe(2 * step, {errors, 50});
    with.observe(2 * step + 1, {});
    zeros.observe(2 * step, {errors, 50});
    zeros.observe(2 * step + 1, {0, 50});
  }
  CHECK(with.newest().p_horizon > 0.1);
  CHECK(with.newest().p_horizon > zeros.newest().p_horizon);
}

TEST_CASE("a step that is not newer is ignored, a number that is none is not known") {
  HazardForecaster forecaster;
  for (int step = 0; step < 50; ++step) forecaster.observe(step, {1, 50});
  const std::string state = forecaster.encode();
  forecaster.observe(49, {1'000'000, 0});
  CHECK(forecaster.encode() == state);
  forecaster.observe(50, {-5, 50});
  forecaster.observe(51, {INFINITY, 50});
  forecaster.observe(52, {5, NAN});
  CHECK(forecaster.newest().p_horizon == 0);
}

TEST_CASE("a restart takes the evidence, and makes the next rise worse") {
  const auto rise = [](int restarts) {
    HazardForecaster forecaster;
    int step = 0;
    for (; step < 100; ++step) forecaster.observe(step, {1, 50});
    for (int i = 0; i < 20; ++i, ++step) forecaster.observe(step, {1 + 3.0 * i, 50});
    for (int i = 0; i < restarts; ++i) {
      forecaster.begin_regime(step);
      CHECK(forecaster.newest().p_horizon == 0);
      CHECK(!forecaster.newest().alarm);
    }
    for (int i = 0; i < 6; ++i, ++step) forecaster.observe(step, {10.0 + i, 50});
    return forecaster.newest().p_horizon;
  };
  CHECK(rise(2) > rise(1));
  CHECK(rise(1) > 0);
}

TEST_CASE("when it will end: the quantiles are in order, and nearer as errors rise") {
  HazardForecaster forecaster;
  for (int step = 0; step < 100; ++step) forecaster.observe(step, {1, 50});
  double before = kNever;
  for (int step = 100; step < 130; ++step) {
    const auto now = forecaster.observe(step, {1 + 2.0 * (step - 100), 50});
    CHECK(now.left_p10 <= now.left_p50);
    CHECK(now.left_p50 <= now.left_p90);
    if (step == 108) before = now.left_p50;
    if (step == 118) CHECK(now.left_p50 < before);
  }
  CHECK(forecaster.newest().left_p50 < kHorizonSteps);
  CHECK(forecaster.newest().slope > 0);
}

TEST_CASE("state: small, the same after it was saved, refused when damaged") {
  Dice dice(3);
  HazardForecaster kept, saved;
  for (int step = 0; step < 150; ++step) {
    const ServiceStep seen{dice.poisson(step < 100 ? 1 : step - 99.0), dice.poisson(50)};
    kept.observe(step, seen);
    saved.observe(step, seen);
    if (step == 120) {
      kept.begin_regime(step);
      saved.begin_regime(step);
    }
    const std::string bytes = saved.encode();
    CHECK(bytes.size() <= HazardForecaster::kMaxStateBytes);
    auto decoded = HazardForecaster::decode(bytes);
    REQUIRE(decoded);
    saved = *decoded;
    CHECK(saved.newest() == kept.newest());
  }
  CHECK(saved.encode() == kept.encode());
  const std::string bytes = kept.encode();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    CHECK(!HazardForecaster::decode(damaged));
    CHECK(!HazardForecaster::decode(bytes.substr(0, i)));
  }
  CHECK(!HazardForecaster::decode(bytes + "x"));
}

}  // namespace observeai::predict
