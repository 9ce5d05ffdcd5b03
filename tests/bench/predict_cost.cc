// What forecasting costs.
//   bench_predict_cost [SERIES]  ->  one line of JSON
//
// Every series is followed on two clocks, as it is live: 6 steps of 10 s and 1 step of a minute. Of ten one
// begins to grow; they are measured in their first hours, when they have no past to be judged by, and after
// ten hours. The worst is that all of them grow at once.
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
constexpr int kYoung = 60;  // Minutes before measuring
constexpr int kMature = 600;
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

void minute(Resource& resource, double grown) {
  double used = 0;
  for (int i = 0; i < kFastPerMinute; ++i) {
    const auto t = static_cast<double>(resource.steps);
    used = 0.4 + 0.05 * std::sin(t / 50) + 0.04 * noise(resource.random);
    if (resource.grows) used += grown;
    resource.fast.observe(resource.steps++, used);
  }
  resource.slow.observe(resource.steps / kFastPerMinute, used);
}

struct Cost {
  double microseconds = 0;
  double bytes = 0;
};

Cost cost_of(std::size_t series, std::size_t one_grows_in, int warm_minutes) {
  const std::size_t before = ::mallinfo2().uordblks;
  std::vector<Resource> resources(series);
  const std::size_t after = ::mallinfo2().uordblks;
  for (std::size_t i = 0; i < series; ++i) {
    resources[i].random = i;
    resources[i].grows = i % one_grows_in == 0;
  }
  int now = 0;
  const auto run_until = [&](int minutes) {
    for (; now < minutes; ++now) {
      // From half an hour before measuring until its end, half of the limit.
      const double grown = 0.5 * (now - warm_minutes + 30) / (30.0 + kMinutes);
      for (auto& resource : resources) minute(resource, grown > 0 ? grown : 0);
    }
  };
  run_until(warm_minutes);
  const double begin = cpu_seconds();
  run_until(warm_minutes + kMinutes);
  const double used = cpu_seconds() - begin;
  const double other = sizeof(Resource) - 2 * sizeof(ExhaustionForecaster);
  return {used * 1e6 / (static_cast<double>(series) * kMinutes),
          static_cast<double>(after - before) / static_cast<double>(series) - other};
}

}  // namespace

int main(int argc, char** argv) {
  const long series = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1'000;
  if (series <= 0) {
    std::fprintf(stderr, "usage: bench_predict_cost [SERIES]\n");
    return 2;
  }
  const Cost mature = cost_of(static_cast<std::size_t>(series), 10, kMature);
  const Cost young = cost_of(static_cast<std::size_t>(series), 10, kYoung);
  const Cost worst = cost_of(static_cast<std::size_t>(series), 1, kMature);
  std::printf(
      "{\"series\": %ld, \"us_per_series_minute\": %.2f, \"us_per_series_minute_young\": %.2f, "
      "\"us_per_series_minute_all_growing\": %.2f, \"bytes_per_series\": %.0f}\n",
      series, mature.microseconds, young.microseconds, worst.microseconds, mature.bytes);
  return 0;
}
