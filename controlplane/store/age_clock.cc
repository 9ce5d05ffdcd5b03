#include "controlplane/store/age_clock.h"

#include <algorithm>
#include <cstdlib>

namespace observeai::controlplane::store {

AgeClock::AgeClock(std::optional<std::int64_t> known_ms, std::int64_t wall_ms, SteadyTime now)
    : known_ms_(known_ms.value_or(wall_ms)), at_(now) {
  if (wall_ms > known_ms_ && wall_ms - known_ms_ <= kBelievedStop) known_ms_ = wall_ms;
}

AgeClock::Reading AgeClock::read(std::int64_t wall_ms, SteadyTime now) {
  known_ms_ += std::chrono::duration_cast<std::chrono::milliseconds>(now - at_).count();
  at_ = now;
  const std::int64_t ahead_ms = wall_ms - known_ms_;
  if (std::abs(ahead_ms) <= kTolerance) {
    doubted_.reset();
    known_ms_ = wall_ms;
    return {wall_ms, wall_ms, 0};
  }
  if (!doubted_ || std::abs(ahead_ms - doubted_->ahead_ms) > kTolerance)
    doubted_ = Doubted{ahead_ms, now};
  if (now - doubted_->since >= kBelieved) {
    doubted_.reset();
    known_ms_ = wall_ms;
    return {wall_ms, wall_ms, 0};
  }
  return {std::min(wall_ms, known_ms_), known_ms_, ahead_ms};
}

}  // namespace observeai::controlplane::store
