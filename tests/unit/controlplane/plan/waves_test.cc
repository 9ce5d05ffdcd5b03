#include "controlplane/plan/waves.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::plan {
namespace {

using T = model::TargetState;

std::vector<std::size_t> sizes(std::size_t hosts, bool all_at_once = false) {
  std::vector<std::size_t> out(wave_count(hosts, all_at_once));
  for (const auto wave : assign_waves(hosts, all_at_once)) ++out.at(wave);
  return out;
}

std::vector<model::PlanTargetRecord> targets(const std::vector<T>& states) {
  std::vector<model::PlanTargetRecord> out;
  for (const auto state : states) {
    out.emplace_back().state = state;
    if (state != T::kInconclusive) out.back().done_ms = 1;
  }
  return out;
}

TEST_CASE("waves are 1, 5 %, 25 % and all, none empty") {
  CHECK(sizes(0).empty());
  CHECK(sizes(1) == std::vector<std::size_t>{1});
  CHECK(sizes(2) == std::vector<std::size_t>{1, 1});
  CHECK(sizes(8) == std::vector<std::size_t>{1, 1, 6});
  CHECK(sizes(40) == std::vector<std::size_t>{1, 1, 8, 10, 10, 10});
  CHECK(sizes(100, true) == std::vector<std::size_t>{100});
}

TEST_CASE("no wave is larger than a tenth: the last three quarters can be stopped too") {
  CHECK(sizes(100) == std::vector<std::size_t>{1, 4, 10, 10, 10, 10, 10, 10, 10, 10, 10, 5});
  CHECK(sizes(1'000) ==
        std::vector<std::size_t>{1, 49, 100, 100, 100, 100, 100, 100, 100, 100, 100, 50});
  for (std::size_t hosts = 1; hosts < 500; ++hosts) {
    std::size_t sum = 0;
    for (const auto size : sizes(hosts)) {
      CHECK(size >= 1);
      CHECK(size <= most_of_wave(hosts));
      sum += size;
    }
    CHECK(sum == hosts);
    CHECK(sizes(hosts).front() == 1);
  }
}

TEST_CASE("a wave in which more than a fifth failed is the last") {
  const auto verdict = [](const std::vector<T>& states) {
    return judge(count_wave(targets(states), 0), kWaveLimits);
  };
  CHECK(verdict({T::kSucceeded}) == WaveVerdict::kGoOn);
  CHECK(verdict({T::kFailed}) == WaveVerdict::kAbort);
  CHECK(verdict({T::kRefused}) == WaveVerdict::kAbort);
  CHECK(verdict({T::kFailed, T::kSucceeded, T::kSucceeded, T::kSucceeded, T::kSucceeded}) ==
        WaveVerdict::kGoOn);
  CHECK(verdict({T::kRolledBack, T::kSucceeded, T::kSucceeded, T::kSucceeded}) ==
        WaveVerdict::kAbort);
}

TEST_CASE("of a large wave its own share counts, however well the plan went before") {
  auto all = targets(std::vector<T>(60, T::kSucceeded));
  for (const auto state : {T::kFailed, T::kFailed, T::kSucceeded, T::kSucceeded, T::kSucceeded}) {
    all.emplace_back().state = state;
    all.back().wave = 1;
  }
  CHECK(judge(count_wave(all, 1), kWaveLimits) == WaveVerdict::kAbort);
  all.back().wave = 0;  // Only four ended in the wave: too few to tell
  CHECK(judge(count_wave(all, 1), kWaveLimits) == WaveVerdict::kGoOn);
}

// The last of a wave of one and of a wave of many ended like this.
void check_unproven(T state, std::int64_t done_ms) {
  CAPTURE(static_cast<int>(state));
  for (const std::size_t hosts : {1U, 2U, 9U}) {
    auto wave = targets(std::vector<T>(hosts, T::kSucceeded));
    CHECK(judge(count_wave(wave, 0), kWaveLimits) == WaveVerdict::kGoOn);
    wave.back().state = state;
    wave.back().done_ms = done_ms;
    CHECK(judge(count_wave(wave, 0), kWaveLimits) == WaveVerdict::kUnproven);
  }
  // A tenth is borne, but not of a canary.
  auto wave = targets(std::vector<T>(10, T::kSucceeded));
  wave.back().state = state;
  wave.back().done_ms = done_ms;
  CHECK(judge(count_wave(wave, 0), kWaveLimits) == WaveVerdict::kGoOn);
}

TEST_CASE("a wave in which hosts fall silent is the last") {
  check_unproven(T::kInconclusive, 0);
}

TEST_CASE("an inconclusive first host is the last one") {
  check_unproven(T::kInconclusive, 1);
}

TEST_CASE("a wave whose hosts could not be sent their command is the last") {
  check_unproven(T::kSimulated, 0);
}

TEST_CASE("hosts of later waves are not missed yet") {
  auto all = targets({T::kSucceeded, T::kSimulated, T::kSimulated});
  all[1].wave = all[2].wave = 1;
  CHECK(judge(count_wave(all, 0), kWaveLimits) == WaveVerdict::kGoOn);
}

}  // namespace
}  // namespace observeai::controlplane::plan
