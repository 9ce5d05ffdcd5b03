#include "agent/runtime/loop_watchdog.h"

#include <algorithm>
#include <string>

#include "protocol/base/log.h"

namespace observeai::agent {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

namespace {

constexpr seconds kTick{1};

}  // namespace

LoopWatch::Verdict LoopWatch::tick(std::uint64_t turns, nanoseconds passed) {
  if (turns != turns_) {
    turns_ = turns;
    hopeless_at_ = kHopelessAfter;
    const bool was_stalled = std::exchange(stalled_, false);
    if (!was_stalled) silent_ = nanoseconds::zero();
    return was_stalled ? Verdict::kTurnsAgain : Verdict::kTurns;
  }
  silent_ += std::min<nanoseconds>(passed, kLongestTick);
  if (silent_ >= hopeless_at_) {
    hopeless_at_ = silent_ + kHopelessAgain;
    return Verdict::kHopeless;
  }
  if (silent_ < kStalledAfter) return Verdict::kTurns;
  return std::exchange(stalled_, true) ? Verdict::kStillStalled : Verdict::kStalled;
}

LoopWatchdog::LoopWatchdog(std::function<void(seconds)> on_hopeless)
    : on_hopeless_(std::move(on_hopeless)), thread_(&LoopWatchdog::watch, this) {}

LoopWatchdog::~LoopWatchdog() {
  {
    const MutexLock lock(mutex_);
    end_ = true;
    ended_.notify_all();
  }
  thread_.join();
}

std::optional<seconds> LoopWatchdog::turned() {
  ++turns_;
  const std::int64_t stalled = stall_seconds_.exchange(0);
  return stalled == 0 ? std::nullopt : std::optional(seconds(stalled));
}

void LoopWatchdog::watch() {
  LoopWatch state;
  auto last = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  while (!end_) {
    ended_.wait_for(mutex_, kTick);
    if (end_) return;
    const auto now = std::chrono::steady_clock::now();
    const auto verdict = state.tick(turns_.load(), now - std::exchange(last, now));
    const auto silent = duration_cast<seconds>(state.silent_for());
    const std::string for_so_long = " for " + std::to_string(silent.count()) + " s";
    switch (verdict) {
      case LoopWatch::Verdict::kTurns:
        break;
      case LoopWatch::Verdict::kStalled:
        log::error("the agent's loop has not turned" + for_so_long + "; something blocks it");
        stall_seconds_ = silent.count();
        break;
      case LoopWatch::Verdict::kStillStalled:
        stall_seconds_ = silent.count();
        break;
      case LoopWatch::Verdict::kTurnsAgain:
        log::warning("the agent's loop turns again");
        break;
      case LoopWatch::Verdict::kHopeless:
        stall_seconds_ = silent.count();
        on_hopeless_(silent);
        break;
    }
  }
}

}  // namespace observeai::agent
