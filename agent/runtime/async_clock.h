// Clocks that coroutines can wait on. Tests advance one by hand and never sleep.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <memory>

#include "agent/runtime/loop.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

// Waiting: loop thread only; cancelling a wait ends it at once without an exception. Reading the
// time follows Clock.
class AsyncClock : public Clock {
 public:
  virtual boost::asio::awaitable<void> sleep_until(SteadyTime until) = 0;
  boost::asio::awaitable<void> sleep_for(std::chrono::nanoseconds duration);
};

class SystemAsyncClock final : public AsyncClock {
 public:
  WallTime wall_now() const override { return clock_.wall_now(); }
  SteadyTime steady_now() const override { return clock_.steady_now(); }
  boost::asio::awaitable<void> sleep_until(SteadyTime until) override;

 private:
  SystemClock clock_;
};

// Stands still until told. advance() wakes the sleepers in the order of their times and runs the
// loop until nothing is ready after each. One thread; may be destroyed before or after the loop.
class ManualAsyncClock final : public AsyncClock {
 public:
  explicit ManualAsyncClock(Loop& loop);
  ~ManualAsyncClock() override;
  WallTime wall_now() const override { return clock_.wall_now(); }
  SteadyTime steady_now() const override { return clock_.steady_now(); }
  boost::asio::awaitable<void> sleep_until(SteadyTime until) override;

  void advance(std::chrono::nanoseconds by);
  void jump_wall(std::chrono::nanoseconds by) { clock_.jump_wall(by); }
  std::size_t sleepers() const;

 private:
  struct Sleepers;
  Loop& loop_;
  ManualClock clock_;
  std::shared_ptr<Sleepers> sleepers_;
};

}  // namespace observeai::agent
