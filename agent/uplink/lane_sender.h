// What of one lane is on its way: sent, not yet acknowledged by the control plane.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

#include "protocol/base/backoff.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

// Values only. Sequence numbers: contiguous() <= cursor(); what lies between is outstanding. The
// retry clock runs while something is outstanding and starts again whenever the control plane gets
// further.
class LaneSender {
 public:
  static constexpr std::chrono::milliseconds kFirstRetry{10'000};
  static constexpr std::chrono::milliseconds kLastRetry{60'000};

  // Everything up to `contiguous` has been committed by the control plane.
  void start_from(std::uint64_t contiguous);
  // The connection is gone: all that is outstanding must be sent again. The pace of retries is
  // kept.
  void forget_sent();

  std::uint64_t contiguous() const { return contiguous_; }
  std::uint64_t cursor() const { return cursor_; }  // Newest sent
  std::uint64_t outstanding_bytes() const { return outstanding_bytes_; }
  std::size_t unconfirmed() const { return unconfirmed_; }  // Given to the broker, no PUBACK yet

  // True when this batch had been sent before (by this object).
  bool sent(std::uint64_t seq, std::uint64_t sealed_bytes, SteadyTime now, std::uint64_t random);
  void broker_confirmed();
  // True when it is news.
  bool acknowledged(std::uint64_t contiguous, SteadyTime now, std::uint64_t random);
  // True when the outstanding ones should be sent again now; false also while the broker itself has
  // not taken them all (a slow link must not be given more).
  bool retry_due(SteadyTime now, std::uint64_t random);

 private:
  struct Sent {
    std::uint64_t seq;
    std::uint64_t bytes;
  };

  std::uint64_t contiguous_ = 0;
  std::uint64_t cursor_ = 0;
  std::uint64_t highest_sent_ = 0;
  std::deque<Sent> outstanding_;
  std::uint64_t outstanding_bytes_ = 0;
  std::size_t unconfirmed_ = 0;
  Backoff retry_{2 * kFirstRetry,
                 kLastRetry};  // Backoff waits between half of its ceiling and all of it
  SteadyTime retry_at_{};
};

}  // namespace observeai::agent
