#include "agent/uplink/lane_sender.h"

namespace observeai::agent {

void LaneSender::start_from(std::uint64_t contiguous) {
  *this = LaneSender();
  contiguous_ = cursor_ = highest_sent_ = contiguous;
}

void LaneSender::forget_sent() {
  cursor_ = contiguous_;
  outstanding_.clear();
  outstanding_bytes_ = 0;
  unconfirmed_ = 0;
}

bool LaneSender::sent(std::uint64_t seq, std::uint64_t sealed_bytes, SteadyTime now,
                      std::uint64_t random) {
  if (outstanding_.empty()) retry_at_ = now + retry_.next(random);
  cursor_ = seq;
  outstanding_.push_back({seq, sealed_bytes});
  outstanding_bytes_ += sealed_bytes;
  ++unconfirmed_;
  if (seq <= highest_sent_) return true;
  highest_sent_ = seq;
  return false;
}

void LaneSender::broker_confirmed() {
  if (unconfirmed_ > 0) --unconfirmed_;
}

bool LaneSender::acknowledged(std::uint64_t contiguous, SteadyTime now, std::uint64_t random) {
  if (contiguous <= contiguous_) return false;
  contiguous_ = contiguous;
  cursor_ = std::max(cursor_, contiguous);  // The rest of a resend may be unnecessary.
  while (!outstanding_.empty() && outstanding_.front().seq <= contiguous) {
    outstanding_bytes_ -= outstanding_.front().bytes;
    outstanding_.pop_front();
  }
  retry_.reset();
  if (!outstanding_.empty()) retry_at_ = now + retry_.next(random);
  return true;
}

bool LaneSender::retry_due(SteadyTime now, std::uint64_t random) {
  if (outstanding_.empty() || now < retry_at_) return false;
  if (unconfirmed_ > 0) {
    retry_at_ = now + retry_.next(random);
    return false;
  }
  forget_sent();  // sent() sets the next, longer wait.
  return true;
}

}  // namespace observeai::agent
