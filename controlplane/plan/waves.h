// How a plan spreads: one host, then 5 %, 25 % and all of them, and when it stops. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/model/plans.h"

namespace observeai::controlplane::plan {

// The wave of each host, from 0: cumulative 1, 5 %, 25 %, 100 %, rounded up, none empty.
std::vector<std::uint32_t> assign_waves(std::size_t hosts, bool all_at_once);
std::uint32_t wave_count(std::size_t hosts, bool all_at_once);

struct WaveLimits {
  double failed_share = 0.20;   // Of those that ended, in the plan so far
  std::size_t least_ended = 1;  // Before a share means anything
  double silent_share = 0.10;   // Of the wave, without an answer
};
inline constexpr WaveLimits kWaveLimits{};

struct WaveCounts {
  std::size_t ended = 0;    // Of the plan so far
  std::size_t failed = 0;   // Of these: failed, rolled back, refused
  std::size_t unclear = 0;  // Of these: inconclusive
  std::size_t wave = 0;     // Hosts in this wave
  std::size_t silent = 0;   // Of these: no answer in time
};
WaveCounts count_wave(const std::vector<model::PlanTargetRecord>& targets, std::uint32_t wave);

enum class WaveVerdict : std::uint8_t {
  kGoOn,
  kAbort,   // Too much failed
  kSilent,  // Too many do not answer: nobody knows what happened there
};
WaveVerdict judge(const WaveCounts& counts, const WaveLimits& limits);

}  // namespace observeai::controlplane::plan
