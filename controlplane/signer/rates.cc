#include "controlplane/signer/rates.h"

#include <algorithm>

#include "protocol/base/log.h"

namespace observeai::controlplane::signer {
namespace {

// Names that have counted nothing for an hour are looked for when there are twice as many as after the
// last look, and so many at least.
constexpr std::size_t kSweepFrom = 1024;
constexpr std::chrono::minutes kSweepEvery(1);  // While the table is full

std::int64_t to_ms(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::int64_t SlidingCount::slot_of(SteadyTime now) const {
  return to_ms(now) / slot_ms_;
}

// The steady clock may begin anywhere, and what is restored lies before it.
std::uint32_t& SlidingCount::at(std::int64_t slot) {
  return counts_[static_cast<std::size_t>((slot % kKept + kKept) % kKept)];
}

void SlidingCount::forget(std::int64_t slot) {
  if (total_ == 0) newest_ = slot;
  const auto last = std::min(slot, newest_ + kKept);
  for (auto next = newest_ + 1; next <= last; ++next) {
    total_ -= at(next);
    at(next) = 0;
  }
  newest_ = std::max(newest_, slot);
}

void SlidingCount::add(SteadyTime now, std::uint32_t count) {
  forget(slot_of(now));
  at(newest_) += count;
  total_ += count;
}

std::uint64_t SlidingCount::count(SteadyTime now) {
  forget(slot_of(now));
  return total_;
}

std::chrono::milliseconds SlidingCount::wait(SteadyTime now, std::uint64_t limit) {
  std::uint64_t left = count(now);
  if (left < limit) return std::chrono::milliseconds(0);
  for (auto slot = newest_ - kSlots; slot <= newest_; ++slot) {
    left -= at(slot);
    if (left < limit) return std::chrono::milliseconds((slot + kKept) * slot_ms_ - to_ms(now));
  }
  return std::chrono::milliseconds(0);
}

Result<void> RateGuard::check(const std::string& name, SteadyTime now) {
  const auto found = counts_.find(name);
  if (found == counts_.end()) {
    if (counts_.size() >= kMaxNames && now - swept_ >= kSweepEvery) forget_idle(now);
    if (counts_.size() < kMaxNames) return {};
    ++refused_;
    return Error(Errc::kLimit, "rate: " + what_ + " " + log::printable(name, 64) + " and " +
                                   std::to_string(counts_.size()) +
                                   " others within the hour are too many");
  }
  const auto full = [&](SlidingCount& window, std::uint64_t limit,
                        const char* period) -> Result<void> {
    const auto wait = window.wait(now, limit);
    if (wait.count() == 0) return {};
    ++refused_;
    return Error(Errc::kLimit, "rate: " + std::to_string(limit) + " " + what_ + " " +
                                   log::printable(name, 64) + " in one " + period +
                                   " are signed already; wait " +
                                   std::to_string((wait.count() + 999) / 1000) + " s");
  };
  TRY_VOID(full(found->second.minute, limit_.per_minute, "minute"));
  return full(found->second.hour, limit_.per_hour, "hour");
}

void RateGuard::count(const std::string& name, SteadyTime now) {
  auto& counts = counts_[name];
  counts.minute.add(now, 1);
  counts.hour.add(now, 1);
  if (counts_.size() >= kSweepFrom && counts_.size() >= 2 * swept_at_) forget_idle(now);
}

void RateGuard::restore(const std::string& name, std::uint32_t count, SteadyTime then) {
  if (!counts_.contains(name) && counts_.size() >= kMaxNames) return;
  auto& counts = counts_[name];
  counts.minute.add(then, count);
  counts.hour.add(then, count);
}

void RateGuard::forget_idle(SteadyTime now) {
  for (auto at = counts_.begin(); at != counts_.end();) {
    at = at->second.hour.count(now) == 0 ? counts_.erase(at) : std::next(at);
  }
  swept_at_ = counts_.size();
  swept_ = now;
}

}  // namespace observeai::controlplane::signer
