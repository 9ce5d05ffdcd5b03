// How a plan spreads: one host, then 5 %, 25 % and all of them, in slices, and when it stops. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "controlplane/model/plans.h"

namespace observeai::controlplane::plan {

// What goes out before anybody looks: a share of 5 %, 25 % or all is cut into waves of no more than a
// tenth of the hosts, so that the last three quarters can be stopped too. Below this number a cut only
// costs time.
inline constexpr std::size_t kLeastSlice = 10;
std::size_t most_of_wave(std::size_t hosts);

// The wave of each host, from 0: cumulative 1, 5 %, 25 %, 100 %, rounded up, none empty, none larger than
// most_of_wave(). `all_at_once` is one wave of any size.
std::vector<std::uint32_t> assign_waves(std::size_t hosts, bool all_at_once);
std::uint32_t wave_count(std::size_t hosts, bool all_at_once);

struct WaveLimits {
  double failed_share = 0.20;     // Of those that ended, in the plan so far or in this wave
  std::size_t least_of_wave = 5;  // Ended in this wave, before its own share means anything
  double unproven_share = 0.10;   // Of the wave
};
inline constexpr WaveLimits kWaveLimits{};

// How the hosts of a plan, or of one of its waves, ended.
struct Outcomes {
  std::size_t succeeded = 0;
  std::size_t failed = 0;    // Failed, rolled back, refused
  std::size_t unclear = 0;   // Answered, and it cannot be told whether it worked; interrupted
  std::size_t silent = 0;    // No answer in time
  std::size_t not_sent = 0;  // No command was made, or none that the host took
  std::size_t ended() const { return succeeded + failed + unclear + silent; }
  std::size_t unproven() const { return unclear + silent + not_sent; }
};

struct WaveCounts {
  Outcomes plan;  // Waves up to and with this one
  Outcomes wave;
  std::size_t hosts = 0;  // In this wave
};
WaveCounts count_wave(const std::vector<model::PlanTargetRecord>& targets, std::uint32_t wave);

enum class WaveVerdict : std::uint8_t {
  kGoOn,
  kAbort,     // Too much failed
  kUnproven,  // Of too many nobody knows that it worked
};
// A wave of one host is a canary: the next begins only when it succeeded.
WaveVerdict judge(const WaveCounts& counts, const WaveLimits& limits);

}  // namespace observeai::controlplane::plan
