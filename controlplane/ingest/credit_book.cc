#include "controlplane/ingest/credit_book.h"

#include <algorithm>
#include <utility>

namespace observeai::controlplane {
namespace {

constexpr std::uint64_t kSmallestBatch = 512;  // About what seal, header and one line take
constexpr std::uint64_t kLeast = 4096;         // Less is not worth an ack of its own

}  // namespace

bool CreditBook::is_busy(const Account& account, SteadyTime now) const {
  return account.waits || (account.sent_at != SteadyTime{} && now - account.sent_at < kBusyFor);
}

std::uint64_t CreditBook::least_of(const Account& account) const {
  return std::min({std::max(account.batch_bytes, kLeast), half_, limits_.most_bytes});
}

std::uint64_t CreditBook::share(std::size_t among) const {
  return std::clamp<std::uint64_t>(half_ / std::max<std::size_t>(among, 1), 1, limits_.most_bytes);
}

// The base share in messages of the agent's smaller size; one is always in it.
std::uint64_t CreditBook::by_number(const Account& account) const {
  const std::uint64_t small = std::max(account.small_bytes, kSmallestBatch);
  return std::max(small,
                  limits_.total_messages / 2 * small / std::max<std::size_t>(agents_.size(), 1));
}

// A credit that is for one large batch would also let hundreds of small ones pass: what is told is less
// then, and still enough for that batch.
std::uint64_t CreditBook::tell(Account& account, SteadyTime now) {
  const std::uint64_t held = account.base + account.extra;
  if (held == 0) return 0;
  const std::uint64_t small = std::max(account.small_bytes, kSmallestBatch);
  const std::uint64_t half = limits_.total_messages / 2;
  std::uint64_t messages = half / std::max<std::size_t>(agents_.size(), 1);
  if (is_busy(account, now)) messages += half / std::max<std::size_t>(busy_, 1);
  const std::uint64_t room = limits_.total_messages - std::min(limits_.total_messages, messages_);
  account.messages =
      std::max<std::uint64_t>(1, std::min({messages, room, (held + small - 1) / small}));
  messages_ += account.messages;
  return std::min(held, account.messages * small);
}

bool CreditBook::is_large(const Account& account) const {
  return account.batch_bytes > half_ / std::max<std::size_t>(agents_.size(), 1);
}

// What those who wait are to get is not given to others; due() has seen to it for whom it named.
std::uint64_t CreditBook::extra_for(const Account& account) const {
  const bool has_turn = account.waits && account.named;
  const std::uint64_t taken = extra_granted_ + (has_turn ? 0 : reserved_);
  const std::uint64_t room = taken < half_ ? half_ - taken : 0;
  const std::uint64_t wanted = std::max(share(busy_), least_of(account));
  if (wanted <= room) return wanted;
  return room >= least_of(account) ? room : 0;
}

void CreditBook::greeted(const AgentId& agent, const Epoch& epoch, std::uint64_t batches,
                         std::uint64_t bytes, SteadyTime now) {
  Account& account = agents_[agent];
  account.epoch = epoch;
  account.heard_at = now;
  if (batches == 0) return;
  if (!is_busy(account, now)) ++busy_;
  account.sent_at = now;
  account.batch_bytes =
      std::max(account.batch_bytes, std::min(bytes / batches, limits_.most_bytes));
}

void CreditBook::arrived(const AgentId& agent, const Epoch& epoch, std::uint64_t bytes,
                         SteadyTime now) {
  Account& account = agents_[agent];
  account.epoch = epoch;
  if (!is_busy(account, now)) ++busy_;
  account.heard_at = account.sent_at = now;
  account.batch_bytes = std::max(bytes, account.batch_bytes - account.batch_bytes / 8);
  account.small_bytes = std::min(bytes, account.small_bytes + account.small_bytes / 4 + 64);
  account.repeats = 0;
}

std::uint64_t CreditBook::grant(const AgentId& agent, const Epoch& epoch, SteadyTime now) {
  Account& account = agents_[agent];
  account.epoch = epoch;
  if (!account.named) account.heard_at = now;
  take_back(account);
  const bool busy = is_busy(account, now);
  if (!busy || !is_large(account))
    account.base = std::min({share(agents_.size()), by_number(account), half_ - base_granted_});
  // Less than its batch would let it send that batch all the same.
  if (busy && account.base < account.batch_bytes) account.base = 0;
  if (busy) account.extra = std::min(extra_for(account), limits_.most_bytes - account.base);
  account.named = false;
  base_granted_ += account.base;
  extra_granted_ += account.extra;
  const std::uint64_t held = account.base + account.extra;
  if (held == 0) {
    wait(agent, account);
  } else if (account.waits) {
    end_wait(agent, account);
    account.repeats = kRepeats;
    account.repeat_at = now + kRepeatAfter;
  }
  return tell(account, now);
}

void CreditBook::take_back(Account& account) {
  base_granted_ -= std::exchange(account.base, 0);
  extra_granted_ -= std::exchange(account.extra, 0);
  messages_ -= std::exchange(account.messages, 0);
}

void CreditBook::wait(const AgentId& agent, Account& account) {
  reserved_ -= account.reserved;  // Its batches may have grown since it waits.
  account.reserved = least_of(account);
  reserved_ += account.reserved;
  if (!account.waits) waiting_.push_back(agent);
  account.waits = true;
}

void CreditBook::end_wait(const AgentId& agent, Account& account) {
  account.waits = false;
  reserved_ -= std::exchange(account.reserved, 0);
  std::erase(waiting_, agent);
}

void CreditBook::count(SteadyTime now) {
  busy_ = 0;
  std::vector<AgentId> gone;
  for (const auto& [agent, account] : agents_) {
    if (now - account.heard_at >= kForgetAfter) {
      gone.push_back(agent);
    } else if (is_busy(account, now)) {
      ++busy_;
    }
  }
  for (const auto& agent : gone) forget(agent);
}

std::vector<CreditBook::Holder> CreditBook::due(SteadyTime now, bool drained) {
  std::vector<Holder> out;
  if (now < next_look_) return out;
  next_look_ = now + kLookEvery;
  count(now);
  const auto name = [&out](const AgentId& agent, Account& account) {
    account.named = true;
    out.push_back({agent, account.epoch});
  };
  std::uint64_t base_room = half_ - base_granted_;
  std::uint64_t room = half_ - extra_granted_;
  for (const auto& agent : waiting_) {
    if (out.size() >= kMostDue) break;
    Account& account = agents_.at(agent);
    const std::uint64_t base = std::min(share(agents_.size()), by_number(account));
    const bool fits_base = account.batch_bytes <= base && base <= base_room;
    if (!fits_base && account.reserved > room) break;
    (fits_base ? base_room : room) -= fits_base ? base : account.reserved;
    name(agent, account);
  }
  const bool is_tight = drained && (waiting_.size() > out.size() || base_granted_ > half_ / 8 * 7);
  for (auto& [agent, account] : agents_) {
    if (out.size() >= kMostDue) break;
    if (account.waits) continue;
    const std::uint64_t fair =
        share(agents_.size()) +
        (is_busy(account, now) ? std::max(share(busy_), least_of(account)) : 0);
    const bool repeats = account.repeats > 0 && now >= account.repeat_at;
    if (repeats) {
      --account.repeats;
      account.repeat_at = now + kRepeatAfter;
    }
    if (repeats || (is_tight && account.base + account.extra > 2 * fair)) name(agent, account);
  }
  return out;
}

void CreditBook::forget(const AgentId& agent) {
  const auto found = agents_.find(agent);
  if (found == agents_.end()) return;
  take_back(found->second);
  if (found->second.waits) end_wait(agent, found->second);
  agents_.erase(found);
}

}  // namespace observeai::controlplane
