// What forecasting costs.
//   bench_predict_cost [SERIES]  ->  one line of JSON
//
// Every series is followed on two clocks, as it is live: 6 steps of 10 s and 1 step of a minute. The middle
// case is nine steady series for one that grows; the worst is that all of them grow.
#include <malloc.h>
#include <time.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "controlplane/predict/exhaustion.h"

using observeai::predict::ExhaustionForecaster;

namespace {

constexpr int kFastPerMinute = 6;
// Past the cold start and with every ring in use.
constexpr int kWarmMinutes = 60;
constexpr int kMinutes = 15;

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Resource {
  ExhaustionForecaster slow;
  ExhaustionForecaster fast;
  std::int64_t steps = 0;
  bool grows = false;
  std::uint64_t random = 0;
};

double noise(std::uint64_t& state) {
  state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  return static_cast<double>(state >> 40) / (1 << 24) - 0.5;
}

void minute(Resource& resource) {
  double used = 0;
  for (int i = 0; i < kFastPerMinute; ++i) {
    const auto t = static_cast<double>(resource.steps);
    used = 0.4 + 0.05 * std::sin(t / 50) + 0.04 * noise(resource.random);
    if (resource.grows) used += 0.5 * t / ((kWarmMinutes + kMinutes) * kFastPerMinute);
    resource.fast.observe(resource.steps++, used);
  }
  resource.slow.observe(resource.steps / kFastPerMinute, used);
}

struct Cost {
  double microseconds = 0;
  double bytes = 0;
};

Cost cost_of(std::size_t series, std::size_t one_grows_in) {
  const std::size_t before = ::mallinfo2().uordblks;
  std::vector<Resource> resources(series);
  const std::size_t after = ::mallinfo2().uordblks;
  for (std::size_t i = 0; i < series; ++i) {
    resources[i].random = i;
    resources[i].grows = i % one_grows_in == 0;
  }
  const auto run = [&](int minutes) {
    for (int i = 0; i < minutes; ++i) {
      for (auto& resource : resources) minute(resource);
    }
  };
  run(kWarmMinutes);
  const double begin = cpu_seconds();
  run(kMinutes);
  const double used = cpu_seconds() - begin;
  const double other = sizeof(Resource) - 2 * sizeof(ExhaustionForecaster);
  return {used * 1e6 / (static_cast<double>(series) * kMinutes),
          static_cast<double>(after - before) / static_cast<double>(series) - other};
}

}  // namespace

int main(int argc, char** argv) {
  const long series = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10'000;
  if (series <= 0) {
    std::fprintf(stderr, "usage: bench_predict_cost [SERIES]\n");
    return 2;
  }
  const Cost usual = cost_of(static_cast<std::size_t>(series), 10);
  const Cost worst = cost_of(static_cast<std::size_t>(series), 1);
  std::printf(
      "{\"series\": %ld, \"us_per_series_minute\": %.2f, \"us_per_series_minute_all_growing\": "
      "%.2f, "
      "\"bytes_per_series\": %.0f}\n",
      series, usual.microseconds, worst.microseconds, usual.bytes);
  return 0;
}
