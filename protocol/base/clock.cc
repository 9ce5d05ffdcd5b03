#include "protocol/base/clock.h"

namespace observeai {

using std::chrono::duration_cast;

std::int64_t to_unix_ms(WallTime time) {
  return duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
std::int64_t to_unix_ns(WallTime time) {
  return time.time_since_epoch().count();
}
WallTime from_unix_ms(std::int64_t ms) {
  return WallTime(std::chrono::milliseconds(ms));
}

WallTime SystemClock::wall_now() const {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}
SteadyTime SystemClock::steady_now() const {
  return std::chrono::steady_clock::now();
}

void ManualClock::advance(std::chrono::nanoseconds by) {
  wall_ += by;
  steady_ += duration_cast<SteadyTime::duration>(by);
}
void ManualClock::jump_wall(std::chrono::nanoseconds by) {
  wall_ += by;
}

}  // namespace observeai
