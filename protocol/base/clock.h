// Time is passed in, never taken: tests own it.
#pragma once

#include <chrono>
#include <cstdint>

namespace observeai {

using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;
using SteadyTime = std::chrono::steady_clock::time_point;

std::int64_t to_unix_ms(WallTime time);
std::int64_t to_unix_ns(WallTime time);
WallTime from_unix_ms(std::int64_t ms);

// Thread-safe in every implementation.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;      // May jump.
  virtual SteadyTime steady_now() const = 0;  // Never goes back; use it for intervals.
  std::int64_t unix_ms() const { return to_unix_ms(wall_now()); }
};

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override;
  SteadyTime steady_now() const override;
};

// Stands still until told. Not thread-safe: for tests on one thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = from_unix_ms(1'700'000'000'000)) : wall_(start) {}
  WallTime wall_now() const override { return wall_; }
  SteadyTime steady_now() const override { return steady_; }
  void advance(std::chrono::nanoseconds by);    // Both clocks.
  void jump_wall(std::chrono::nanoseconds by);  // The wall clock alone, as NTP does.

 private:
  WallTime wall_;
  SteadyTime steady_{};
};

}  // namespace observeai
