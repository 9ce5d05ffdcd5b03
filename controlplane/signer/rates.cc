#include "controlplane/signer/rates.h"

#include "protocol/base/log.h"

namespace observeai::controlplane::signer {
namespace {

// Names that have counted nothing for an hour are looked for when there are twice as many as after the
// last look, and so many at least.
constexpr std::size_t kSweepFrom = 1024;

std::int64_t to_ms(SteadyTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

std::int64_t SlidingCount::slot_of(SteadyTime now) const {
  return to_ms(now) / slot_ms_;
}

// A slot leaves when all of it is older than the period.
void SlidingCount::forget(std::int64_t slot) {
  while (!slots_.empty() && slots_.front().number < slot - kSlots) {
    total_ -= slots_.front().count;
    slots_.pop_front();
  }
}

void SlidingCount::add(SteadyTime now, std::uint64_t count) {
  const auto slot = slot_of(now);
  forget(slot);
  if (slots_.empty() || slots_.back().number != slot) slots_.push_back({slot, 0});
  slots_.back().count += count;
  total_ += count;
}

std::uint64_t SlidingCount::count(SteadyTime now) {
  forget(slot_of(now));
  return total_;
}

std::chrono::milliseconds SlidingCount::wait(SteadyTime now, std::uint64_t limit) {
  std::uint64_t left = count(now);
  for (const auto& slot : slots_) {
    if (left < limit) break;
    left -= slot.count;
    if (left < limit) {
      return std::chrono::milliseconds((slot.number + kSlots + 1) * slot_ms_ - to_ms(now));
    }
  }
  return std::chrono::milliseconds(0);
}

Result<void> RateGuard::check(const std::string& name, SteadyTime now) {
  const auto found = counts_.find(name);
  if (found == counts_.end()) return {};
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

void RateGuard::forget_idle(SteadyTime now) {
  for (auto at = counts_.begin(); at != counts_.end();) {
    at = at->second.hour.count(now) == 0 ? counts_.erase(at) : std::next(at);
  }
  swept_at_ = counts_.size();
}

}  // namespace observeai::controlplane::signer
