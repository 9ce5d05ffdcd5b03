// How long a host may be at work on one command: what the executor allows itself, and what the control
// plane waits for before it says that nobody knows.
#pragma once

#include <cstdint>

namespace observeai::wire {

// To look at the target once more, for the next plan.
inline constexpr std::int64_t kLookAfterMs = 5'000;

// From the moment that a command's turn has come: to look, to act and to undo, each with the whole
// time-out of its intent. Commands that wait for their turn begin before they expire or not at all.
constexpr std::int64_t longest_run_ms(std::uint32_t timeout_ms) {
  constexpr std::int64_t kPhases = 3;
  return kPhases * timeout_ms + kLookAfterMs;
}

}  // namespace observeai::wire
