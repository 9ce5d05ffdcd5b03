#include "agent/uplink/lane_sender.h"

#include <algorithm>

namespace observeai::agent {

void LaneSender::start_from(std::uint64_t contiguous, std::uint64_t next_seq) {
  *this = LaneSender();
  contiguous_ = contiguous;
  fresh_from_ = written_before_ = written_then_ = next_seq;
}

void LaneSender::forget_sent(std::uint64_t next_seq) {
  for (const auto& [seq, sent] : outstanding_) opened_again_.insert(seq);
  outstanding_.clear();
  outstanding_bytes_ = 0;
  fresh_from_ = written_before_ = written_then_ = next_seq;
}

// ---- what is next ------------------------------------------------------------------------------

bool LaneSender::is_covered(std::uint64_t seq) const {
  const auto after = std::upper_bound(
      covered_.begin(), covered_.end(), seq,
      [](std::uint64_t number, const wire::Run& run) { return number < run.first; });
  return after != covered_.begin() && seq <= std::prev(after)->last;
}

// The first open numbers in [first, end).
std::optional<wire::Run> LaneSender::open_from(std::uint64_t first, std::uint64_t end) const {
  std::uint64_t seq = std::max(first, contiguous_ + 1);
  auto run = covered_.begin();
  auto sent = outstanding_.lower_bound(seq);
  for (;;) {
    while (run != covered_.end() && run->last < seq) ++run;
    while (sent != outstanding_.end() && sent->first < seq) ++sent;
    if (seq >= end) return std::nullopt;
    if (run != covered_.end() && run->first <= seq) {
      seq = run->last + 1;
    } else if (sent != outstanding_.end() && sent->first == seq) {
      ++seq;
    } else {
      std::uint64_t stop = end;
      if (run != covered_.end()) stop = std::min(stop, run->first);
      if (sent != outstanding_.end()) stop = std::min(stop, sent->first);
      return wire::Run{seq, stop - 1};
    }
  }
}

std::optional<wire::Run> LaneSender::next_fresh(std::uint64_t next_seq) const {
  return open_from(fresh_from_, next_seq);
}

std::optional<wire::Run> LaneSender::next_backlog(std::uint64_t next_seq) const {
  return open_from(contiguous_ + 1, std::min(fresh_from_, next_seq));
}

void LaneSender::note_written(std::uint64_t next_seq, SteadyTime now) {
  if (now - written_at_ < kFreshFor) return;
  written_before_ = std::exchange(written_then_, next_seq);
  written_at_ = now;
  const auto waiting = next_fresh(next_seq);
  if (waiting && waiting->first < written_before_ && covered_.size() < kMaxGaps)
    fresh_from_ = written_before_;
}

// ---- what became of it -------------------------------------------------------------------------

bool LaneSender::sent(std::uint64_t seq, std::uint64_t sealed_bytes, SteadyTime now,
                      std::uint64_t random) {
  if (retry_after_ == std::chrono::milliseconds(0)) retry_after_ = retry_.next(random);
  outstanding_[seq] = {sealed_bytes, now, false};
  outstanding_bytes_ += sealed_bytes;
  return opened_again_.erase(seq) > 0;
}

void LaneSender::broker_confirmed(std::uint64_t seq) {
  const auto found = outstanding_.find(seq);
  if (found != outstanding_.end()) found->second.confirmed = true;
}

std::optional<SteadyTime> LaneSender::unconfirmed_since() const {
  std::optional<SteadyTime> oldest;
  for (const auto& [seq, sent] : outstanding_) {
    if (!sent.confirmed && (!oldest || sent.at < *oldest)) oldest = sent.at;
  }
  return oldest;
}

LaneSender::Outstanding::iterator LaneSender::drop(Outstanding::iterator at) {
  outstanding_bytes_ -= at->second.bytes;
  return outstanding_.erase(at);
}

std::uint64_t LaneSender::acknowledged(std::uint64_t contiguous, std::vector<wire::Run> runs,
                                       std::uint64_t random) {
  if (contiguous < contiguous_) return 0;  // Older than what is known
  const std::uint64_t moved = contiguous - std::exchange(contiguous_, contiguous);
  covered_ = std::move(runs);
  const std::size_t before = outstanding_.size();
  for (auto at = outstanding_.begin(); at != outstanding_.end();)
    at = at->first <= contiguous || is_covered(at->first) ? drop(at) : std::next(at);
  opened_again_.erase(opened_again_.begin(), opened_again_.upper_bound(contiguous));
  if (moved > 0 || outstanding_.size() < before) {
    retry_.reset();
    retry_after_ = retry_.next(random);
  }
  return moved;
}

bool LaneSender::retry_due(SteadyTime now, std::uint64_t random) {
  bool any = false;
  for (auto at = outstanding_.begin(); at != outstanding_.end();) {
    if (!at->second.confirmed || now - at->second.at < retry_after_) {
      ++at;
      continue;
    }
    any = true;
    opened_again_.insert(at->first);
    at = drop(at);
  }
  if (any) retry_after_ = retry_.next(random);
  return any;
}

}  // namespace observeai::agent
