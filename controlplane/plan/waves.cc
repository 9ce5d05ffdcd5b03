#include "controlplane/plan/waves.h"

#include <algorithm>
#include <cmath>

namespace observeai::controlplane::plan {
namespace {

constexpr double kShares[] = {0.05, 0.25, 1.0};

// Hosts up to and with each wave.
std::vector<std::size_t> ends(std::size_t hosts, bool all_at_once) {
  if (hosts == 0) return {};
  if (all_at_once) return {hosts};
  std::vector<std::size_t> out{1};
  for (const double share : kShares) {
    const auto end = std::min(
        hosts, static_cast<std::size_t>(std::ceil(share * static_cast<double>(hosts) - 1e-9)));
    while (out.back() < end) out.push_back(std::min(end, out.back() + most_of_wave(hosts)));
  }
  return out;
}

void count(const model::PlanTargetRecord& target, Outcomes& outcomes) {
  using T = model::TargetState;
  switch (target.state) {
    case T::kSucceeded:
      ++outcomes.succeeded;
      break;
    case T::kFailed:
    case T::kRolledBack:
    case T::kRefused:
      ++outcomes.failed;
      break;
    case T::kInconclusive:
      ++(target.done_ms == 0 ? outcomes.silent : outcomes.unclear);
      break;
    default:
      ++outcomes.not_sent;
  }
}

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

bool has_failed(const Outcomes& outcomes, const WaveLimits& limits) {
  return share(outcomes.failed, outcomes.ended()) > limits.failed_share;
}

}  // namespace

std::size_t most_of_wave(std::size_t hosts) {
  return std::max(kLeastSlice, hosts / 10);
}

std::vector<std::uint32_t> assign_waves(std::size_t hosts, bool all_at_once) {
  std::vector<std::uint32_t> waves;
  waves.reserve(hosts);
  std::uint32_t wave = 0;
  for (const auto end : ends(hosts, all_at_once)) {
    waves.resize(end, wave);
    ++wave;
  }
  return waves;
}

std::uint32_t wave_count(std::size_t hosts, bool all_at_once) {
  return static_cast<std::uint32_t>(ends(hosts, all_at_once).size());
}

WaveCounts count_wave(const std::vector<model::PlanTargetRecord>& targets, std::uint32_t wave) {
  WaveCounts counts;
  for (const auto& target : targets) {
    if (target.wave > wave) continue;
    count(target, counts.plan);
    if (target.wave != wave) continue;
    count(target, counts.wave);
    ++counts.hosts;
  }
  return counts;
}

WaveVerdict judge(const WaveCounts& counts, const WaveLimits& limits) {
  const bool wave_counts = counts.wave.ended() >= limits.least_of_wave;
  if (has_failed(counts.plan, limits) || (wave_counts && has_failed(counts.wave, limits)))
    return WaveVerdict::kAbort;
  if (counts.hosts == 1 && counts.wave.succeeded == 0) return WaveVerdict::kUnproven;
  if (share(counts.wave.unproven(), counts.hosts) > limits.unproven_share)
    return WaveVerdict::kUnproven;
  return WaveVerdict::kGoOn;
}

}  // namespace observeai::controlplane::plan
