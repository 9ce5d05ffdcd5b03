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
    if (end > out.back()) out.push_back(end);
  }
  return out;
}

}  // namespace

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
  using T = model::TargetState;
  WaveCounts counts;
  for (const auto& target : targets) {
    const bool is_failed =
        target.state == T::kFailed || target.state == T::kRolledBack || target.state == T::kRefused;
    const bool is_unclear = target.state == T::kInconclusive;
    if (is_failed || is_unclear || target.state == T::kSucceeded) ++counts.ended;
    if (is_failed) ++counts.failed;
    if (is_unclear) ++counts.unclear;
    if (target.wave != wave) continue;
    ++counts.wave;
    if (is_unclear && target.done_ms == 0) ++counts.silent;
  }
  return counts;
}

WaveVerdict judge(const WaveCounts& counts, const WaveLimits& limits) {
  const auto share = [](std::size_t part, std::size_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  if (counts.ended >= limits.least_ended &&
      share(counts.failed, counts.ended) > limits.failed_share)
    return WaveVerdict::kAbort;
  if (share(counts.silent, counts.wave) > limits.silent_share) return WaveVerdict::kSilent;
  return WaveVerdict::kGoOn;
}

}  // namespace observeai::controlplane::plan
