// Whether the wall clock can be told to others: it is held against the boot clock, which nobody sets. After a
// jump no time is stated until the clock is back, or has stayed where it is for a while: a clock that NTP has
// just mended is right from then on, one that was set wrong by accident has been set right again by then.
// Pure; one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "protocol/base/result.h"

namespace observeai::controlplane::signer {

// More than this between two looks is a jump. Hosts bear as much (agent/executor/session.h).
inline constexpr std::int64_t kMaxWallJumpMs = 60'000;
inline constexpr std::int64_t kClockSettleMs = 10LL * 60'000;

// CLOCK_BOOTTIME: sleep included.
std::int64_t boot_clock_ms();

class ClockWatch {
 public:
  // kDenied "clock", with how far it jumped and how long it is waited. The first look is believed.
  Result<void> look(std::int64_t wall_ms, std::int64_t boot_ms);

 private:
  std::optional<std::int64_t> offset_ms_;    // Wall minus boot, as it is believed
  std::optional<std::int64_t> doubtful_ms_;  // The same, after a jump
  std::int64_t doubtful_since_ms_ = 0;       // Boot clock
};

}  // namespace observeai::controlplane::signer
