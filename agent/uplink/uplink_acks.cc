// What comes down: acks and what is believed of them; commands and meta, which are only carried.
#include "agent/uplink/spool_tags.h"
#include "agent/uplink/uplink.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/sealed.h"

namespace observeai::agent {

void Uplink::take_message(const mqtt::Message& message) {
  const auto topic = topics::parse(message.topic);
  const bool is_ours = topic && topic->address == identity_.address;
  if (is_ours && topic->channel == topics::Channel::kAck) return take_ack_message(message.payload);
  if (is_ours && topic->channel == topics::Channel::kCommand) return take_command(message.payload);
  if (is_ours && topic->channel == topics::Channel::kMeta) return take_meta(message.payload);
  ++counters_.unexpected_messages;
}

void Uplink::take_command(const std::string& sealed) {
  auto envelope = wire::open_command(sealed, identity_.address.agent, identity_.keys.down);
  if (!envelope) {
    ++counters_.forged_messages;
    return;
  }
  ++counters_.commands;
  events_.on_command(std::move(*envelope));
}

void Uplink::take_meta(const std::string& sealed) {
  const auto opened = wire::open_meta(sealed, identity_.address.agent, identity_.keys.down);
  const auto meta = opened ? wire::decode_meta(*opened) : Result<wire::Meta>(opened.error());
  if (!meta) {
    ++counters_.forged_messages;
    return;
  }
  ++counters_.metas;
  events_.on_meta(*meta);
}

void Uplink::take_ack_message(const std::string& sealed) {
  const auto ack = wire::open_ack(sealed, identity_.address.agent, identity_.keys.down);
  if (!ack || ack->agent != identity_.address.agent) {
    ++counters_.forged_acks;
    return;
  }
  if (ack->epoch != spool_.state().epoch) {
    ++counters_.foreign_epoch_acks;
    return;
  }
  if (!connected() || is_copy_) return;
  ++counters_.acks;
  take_ack(*ack);
}

void Uplink::take_ack(const wire::Ack& ack) {
  const bool is_challenged = take_challenge(ack.challenge);
  if (ack.session_nonce != session_nonce_) {
    if (state_ == UplinkState::kGreeting && is_challenged) return answer_challenge();
    ++counters_.other_session_acks;
    ask_anew(ack.session_nonce == wire::Nonce16{} ? "the control plane has started anew"
                                                  : "another process speaks for this host");
    return;
  }
  const auto contradicted = is_contradicted(ack);
  if (!contradicted) return fault("tags", contradicted.error());  // The next ack tries again.
  no_fault("tags");
  if (ack.forked || *contradicted) {
    is_copy_ = true;
    ++counters_.forks;
    fault("epoch",
          Error(Errc::kCorrupt,
                "the control plane has other data under the numbers of this spool, which is "
                "an older copy or used twice: a new epoch begins, nothing is lost"));
    begin_epoch();
    return;
  }
  if (std::exchange(resend_, false)) {
    resent_at_ = clock_.steady_now();
    for (std::size_t i = 0; i < lanes_.size(); ++i)
      lanes_[i].forget_sent(spool_.state().next_seq[i]);
  }
  for (std::size_t i = 0; i < wire::kLaneCount; ++i)
    counters_.batches_acked += lanes_[i].acknowledged(ack.contiguous[i], ack.runs[i], random_());
  update_in_flight();
  settle();
  take_orders(ack);
  pump();
}

// True when it was not known before. An old one that a broker repeats costs one more round of hello and ack.
bool Uplink::take_challenge(const wire::Nonce16& challenge) {
  if (challenge == wire::Nonce16{} || challenge == challenge_) return false;
  challenge_ = challenge;
  return true;
}

// The hello that waits for its answer was in vain: the control plane cannot tell it from an old one.
void Uplink::answer_challenge() {
  const auto now = clock_.steady_now();
  // The first at once; a broker may repeat old ones without end.
  const bool is_first = !std::exchange(answered_challenge_, true);
  next_hello_ = is_first || !last_hello_ ? now : std::max(now, *last_hello_ + kFirstHelloRetry);
  hello_retry_.reset();
  if (now >= next_hello_) say_hello();
}

// The control plane does not know this process: it says hello, and what is on its way is sent again once
// that is answered. An old ack that a broker repeats does no more harm than that.
void Uplink::ask_anew(const std::string& reason) {
  if (state_ != UplinkState::kLive) return;  // Saying hello already
  const auto now = clock_.steady_now();
  if (!resent_at_ || now - *resent_at_ >= kResendEvery) resend_ = true;
  credit_ = 0;
  deadline_ = now + kGreetingPatience;
  become(UplinkState::kGreeting, reason);
  hello_retry_.reset();
  // Two copies of one host would otherwise answer each other without a pause.
  next_hello_ = last_hello_ ? std::max(now, *last_hello_ + kFirstHelloRetry) : now;
  if (now >= next_hello_) say_hello();
}

// True when this spool cannot have written what the control plane has.
Result<bool> Uplink::is_contradicted(const wire::Ack& ack) {
  const auto& next_seq = spool_.state().next_seq;
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    const auto highest = ack.runs[i].empty() ? ack.contiguous[i] : ack.runs[i].back().last;
    if (highest >= next_seq[i]) return true;
    if (ack.newest[i] == compared_[i]) continue;
    TRY(const bool differs, contradicts(spool_, static_cast<wire::Lane>(i), ack.newest[i]));
    if (differs) return true;
    compared_[i] = ack.newest[i];
  }
  return false;
}

void Uplink::begin_epoch() {
  if (const auto begun = spool_.begin_epoch(); !begun) {
    fault("epoch", begun.error());
    return;
  }
  is_copy_ = false;
  compared_ = {};
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    settled_[i] = spool_.state().oldest_seq[i] - 1;
    lanes_[i].start_from(settled_[i], spool_.state().next_seq[i]);
  }
  update_in_flight();
  credit_ = 0;
  tell_tags_ = true;
  events_.on_new_epoch();
  if (!connected()) return;
  deadline_ = clock_.steady_now() + kGreetingPatience;
  become(UplinkState::kGreeting, "a new epoch has begun");
  hello_retry_.reset();
  say_hello();
}

// A replayed ack may bring old orders: a credit that the next ack corrects (or the hello, at credit
// 0), and a resend of definitions, once for each hello. The broker could do no less by dropping
// messages.
void Uplink::take_orders(const wire::Ack& ack) {
  const bool was_paused = state_ == UplinkState::kLive && credit_ == 0;
  credit_ = ack.credit_bytes;
  tell_tags_ = false;
  answered_challenge_ = false;
  if (state_ == UplinkState::kGreeting) {
    backoff_.reset();
    next_hello_ = clock_.steady_now() + kHelloEvery;
    become(UplinkState::kLive, "acknowledged by the control plane");
  }
  if (credit_ > 0) {
    hello_retry_.reset();
  } else if (!was_paused) {
    hello_retry_.reset();
    next_hello_ = std::min(next_hello_, clock_.steady_now() + hello_retry_.next(random_()));
  }
  if (ack.need_series && !std::exchange(asked_series_, true)) events_.on_need_series();
  if (ack.need_inventory && !std::exchange(asked_inventory_, true)) events_.on_need_inventory();
  if (ack.server_time_ms > server_time_ms_) {
    server_time_ms_ = ack.server_time_ms;
    events_.on_server_time(server_time_ms_);
  }
}

// Tells the spool what it may forget; again on each tick until it has worked.
void Uplink::settle() {
  if (is_copy_) return;
  std::array<std::uint64_t, wire::kLaneCount> contiguous{};
  for (std::size_t i = 0; i < lanes_.size(); ++i) contiguous[i] = lanes_[i].contiguous();
  if (contiguous == settled_) return;
  if (const auto done = spool_.acknowledge(contiguous); !done) {
    fault("acknowledge", done.error());
    return;
  }
  no_fault("acknowledge");
  settled_ = contiguous;
}

}  // namespace observeai::agent
