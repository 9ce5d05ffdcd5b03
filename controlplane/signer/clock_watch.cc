#include "controlplane/signer/clock_watch.h"

#include <time.h>

#include <cstdlib>

#include "controlplane/signer/refusal.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::signer {

std::int64_t boot_clock_ms() {
  struct timespec now {};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

Result<void> ClockWatch::look(std::int64_t wall_ms, std::int64_t boot_ms) {
  const std::int64_t offset = wall_ms - boot_ms;
  const auto is_near = [offset](std::int64_t other) {
    return std::abs(offset - other) <= kMaxWallJumpMs;
  };
  if (!offset_ms_ || is_near(*offset_ms_)) {
    offset_ms_ = offset;
    doubtful_ms_.reset();
    return {};
  }
  const std::string jumped = "the wall clock jumped by " +
                             text::format_duration_ms(std::abs(offset - *offset_ms_)) +
                             (offset < *offset_ms_ ? " back" : " ahead");
  if (!doubtful_ms_ || !is_near(*doubtful_ms_)) {
    doubtful_ms_ = offset;
    doubtful_since_ms_ = boot_ms;
    log::error(jumped + ": no time is stated until it is back, or has stayed so for " +
               text::format_duration_ms(kClockSettleMs));
  }
  const std::int64_t waited = boot_ms - doubtful_since_ms_;
  if (waited < kClockSettleMs) {
    return refusal(kClock, jumped + " against the boot clock: no time is stated for another " +
                               text::format_duration_ms(kClockSettleMs - waited) +
                               ", unless it is set back (restart the signer when it is right)");
  }
  log::warning(jumped + " and stayed so: it is believed from now on");
  offset_ms_ = offset;
  doubtful_ms_.reset();
  return {};
}

}  // namespace observeai::controlplane::signer
