// A thread that watches whether the loop still turns. The loop says so every second; what it is not
// able to tell when it hangs, this thread writes to the log, and ends the process when it goes on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "protocol/base/thread_annotations.h"

namespace observeai::agent {

// The decision, apart from the thread. Pure. A tick that comes late (the process or the machine was
// stopped) counts for kLongestTick only, for then the loop could not turn either.
class LoopWatch {
 public:
  static constexpr std::chrono::seconds kLongestTick{2};
  static constexpr std::chrono::seconds kStalledAfter{20};
  static constexpr std::chrono::seconds kHopelessAfter{120};
  static constexpr std::chrono::seconds kHopelessAgain{30};  // As long as nobody could act on it

  enum class Verdict { kTurns, kStalled, kStillStalled, kHopeless, kTurnsAgain };

  // `turns`: how often the loop has said that it turns; `passed`: since the last tick.
  Verdict tick(std::uint64_t turns, std::chrono::nanoseconds passed);
  std::chrono::nanoseconds silent_for() const { return silent_; }

 private:
  std::uint64_t turns_ = 0;
  std::chrono::nanoseconds silent_{0};
  std::chrono::nanoseconds hopeless_at_{kHopelessAfter};
  bool stalled_ = false;
};

// turned() belongs to the loop's thread; `on_hopeless` runs on the watchdog's and need not return. If it
// does, the loop is still watched, and it is called again.
class LoopWatchdog {
 public:
  explicit LoopWatchdog(std::function<void(std::chrono::seconds silent)> on_hopeless);
  ~LoopWatchdog();
  LoopWatchdog(const LoopWatchdog&) = delete;
  LoopWatchdog& operator=(const LoopWatchdog&) = delete;

  // The loop turns. How long it did not, when that was a stall, once, as soon as it is over.
  std::optional<std::chrono::seconds> turned();

 private:
  void watch();

  const std::function<void(std::chrono::seconds)> on_hopeless_;
  std::atomic<std::uint64_t> turns_{0};
  std::atomic<std::int64_t> stall_seconds_{0};
  Mutex mutex_;
  ConditionVariable ended_;
  bool end_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace observeai::agent
