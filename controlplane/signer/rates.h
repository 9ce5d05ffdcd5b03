// How much the signer signs: at most so many in any minute and any hour, of each tenant and each agent.
// Windows slide in sixtieths, so nothing beyond a limit passes at a window's border. One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace observeai::controlplane::signer {

struct RateLimit {
  std::uint64_t per_minute = 0;
  std::uint64_t per_hour = 0;
};

// What happened within the last `period`, counted in sixtieths of it: 256 bytes, however much it was.
class SlidingCount {
 public:
  explicit SlidingCount(std::chrono::milliseconds period) : slot_ms_(period.count() / kSlots) {}

  void add(SteadyTime now, std::uint32_t count);
  std::uint64_t count(SteadyTime now);
  // How long until another one fits under `limit`; zero when it does now. `limit` > 0.
  std::chrono::milliseconds wait(SteadyTime now, std::uint64_t limit);

 private:
  static constexpr std::int64_t kSlots = 60;
  // A slot leaves when all of it is older than the period: one more than there are in it.
  static constexpr std::int64_t kKept = kSlots + 1;
  void forget(std::int64_t slot);
  std::int64_t slot_of(SteadyTime now) const;
  std::uint32_t& at(std::int64_t slot);

  std::int64_t slot_ms_;
  std::array<std::uint32_t, kKept> counts_{};
  std::int64_t newest_ = 0;  // Slot
  std::uint64_t total_ = 0;
};

// Names that counted something within the hour, in one guard: with 600 bytes for each the limit of
// memory, four times as many as the hosts of one control plane.
inline constexpr std::size_t kMaxNames = 40'000;

// One limit for each of many names, such as agents.
class RateGuard {
 public:
  // `what` names the limit to people: "commands for agent".
  RateGuard(std::string what, RateLimit limit) : what_(std::move(what)), limit_(limit) {}

  // kLimit, naming limit and wait, when `name` is at one of its limits, or new while kMaxNames others counted
  // something within the hour. Counts nothing.
  Result<void> check(const std::string& name, SteadyTime now);
  void count(const std::string& name, SteadyTime now);
  // What was counted in a minute that ended at `then`, before this process began. In order of time;
  // nothing is restored after something was counted.
  void restore(const std::string& name, std::uint32_t count, SteadyTime then);
  std::uint64_t refused() const { return refused_; }

 private:
  struct Counts {
    SlidingCount minute{std::chrono::minutes(1)};
    SlidingCount hour{std::chrono::hours(1)};
  };
  void forget_idle(SteadyTime now);

  const std::string what_;
  const RateLimit limit_;
  std::unordered_map<std::string, Counts> counts_;
  std::size_t swept_at_ = 0;  // Size after the last sweep
  SteadyTime swept_{};
  std::uint64_t refused_ = 0;
};

}  // namespace observeai::controlplane::signer
