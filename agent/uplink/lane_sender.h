// What of one lane is on its way, and what is to be sent next.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "protocol/base/backoff.h"
#include "protocol/base/clock.h"
#include "protocol/wire/messages.h"

namespace observeai::agent {

// Values only. Every number above contiguous() is outstanding (sent, not answered), covered (committed,
// as the last ack said) or open. Open numbers are fresh or backlog: fresh is what was written in the last
// seconds, or since the lane began; it goes first, both oldest first within. So the control plane sees
// few gaps: one for each time that fresh data could not be sent at once.
class LaneSender {
 public:
  static constexpr std::chrono::milliseconds kFirstRetry{10'000};
  static constexpr std::chrono::milliseconds kLastRetry{60'000};
  // Fresh data that waits for longer becomes backlog when there is newer.
  static constexpr std::chrono::milliseconds kFreshFor{1'000};
  // Beyond so many runs no more gaps are opened: an ack tells 64 of them.
  static constexpr std::size_t kMaxGaps = 32;

  // A new lane: everything up to `contiguous` has been committed, what lies below `next_seq` is backlog.
  void start_from(std::uint64_t contiguous, std::uint64_t next_seq);
  // The connection or the control plane's memory of it is gone: all that is outstanding is open again,
  // and what waits is backlog. The pace of retries is kept.
  void forget_sent(std::uint64_t next_seq);

  std::uint64_t contiguous() const { return contiguous_; }
  std::uint64_t outstanding_bytes() const { return outstanding_bytes_; }
  std::size_t outstanding() const { return outstanding_.size(); }

  // Numbers below next_seq that are to be sent next, one after another.
  std::optional<wire::Run> next_fresh(std::uint64_t next_seq) const;
  std::optional<wire::Run> next_backlog(std::uint64_t next_seq) const;
  // What was written so far; call it about every 200 ms.
  void note_written(std::uint64_t next_seq, SteadyTime now);

  // True when this batch had been sent before (by this object).
  bool sent(std::uint64_t seq, std::uint64_t sealed_bytes, SteadyTime now, std::uint64_t random);
  void broker_confirmed(std::uint64_t seq);
  // When the oldest was sent that the broker has not confirmed.
  std::optional<SteadyTime> unconfirmed_since() const;
  // Everything up to `contiguous` and in `runs` is committed. Runs only keep numbers from being sent:
  // the next ack may take them back. Returns how far contiguous() moved.
  std::uint64_t acknowledged(std::uint64_t contiguous, std::vector<wire::Run> runs,
                             std::uint64_t random);
  // Opens what was given to the broker, confirmed by it, and not answered for 10 to 20 s (growing to
  // 60 s while nothing at all is answered). True when there was any.
  bool retry_due(SteadyTime now, std::uint64_t random);

 private:
  struct Sent {
    std::uint64_t bytes = 0;
    SteadyTime at{};
    bool confirmed = false;  // By the broker: a slow link must not be given more
  };
  using Outstanding = std::map<std::uint64_t, Sent>;

  std::optional<wire::Run> open_from(std::uint64_t first, std::uint64_t end) const;
  Outstanding::iterator drop(Outstanding::iterator at);
  bool is_covered(std::uint64_t seq) const;

  std::uint64_t contiguous_ = 0;
  std::vector<wire::Run> covered_;  // Ascending
  Outstanding outstanding_;
  std::uint64_t outstanding_bytes_ = 0;
  std::set<std::uint64_t> opened_again_;  // Were sent before

  std::uint64_t fresh_from_ = 1;
  std::uint64_t written_before_ = 1;  // next_seq at least kFreshFor ago
  std::uint64_t written_then_ = 1;    // next_seq at `written_at_`
  SteadyTime written_at_{};

  // Backoff waits between half of its ceiling and all of it.
  Backoff retry_{2 * kFirstRetry, kLastRetry};
  std::chrono::milliseconds retry_after_{0};  // 0 = not drawn yet
};

}  // namespace observeai::agent
