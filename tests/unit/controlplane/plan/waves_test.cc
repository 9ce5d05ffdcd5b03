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
  CHECK(sizes(100) == std::vector<std::size_t>{1, 4, 20, 75});
  CHECK(sizes(1'000) == std::vector<std::size_t>{1, 49, 200, 750});
  CHECK(sizes(100, true) == std::vector<std::size_t>{100});
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

TEST_CASE("a wave in which hosts fall silent is the last") {
  CHECK(judge(count_wave(targets({T::kSucceeded, T::kInconclusive}), 0), kWaveLimits) ==
        WaveVerdict::kSilent);
  // One that answered and cannot be verified is not silent.
  auto answered = targets({T::kSucceeded, T::kInconclusive});
  answered.back().done_ms = 1;
  CHECK(judge(count_wave(answered, 0), kWaveLimits) == WaveVerdict::kGoOn);
}

}  // namespace
}  // namespace observeai::controlplane::plan
