#include "agent/uplink/uplink.h"

#include "agent/uplink/spool_tags.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/sealed.h"

namespace observeai::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The client has its own timeout; these end a step when even that fails.
constexpr seconds kConnectGrace{5};
constexpr seconds kSubscribePatience{15};
// Read from the spool at one time: bounds memory, not the rate.
constexpr std::uint64_t kReadBytes = 1U << 20;
// Header, nonce and tag around a body, generously: credit is checked before sealing.
constexpr std::uint64_t kSealOverhead = 256;

std::size_t index_of(wire::Lane lane) {
  return static_cast<std::size_t>(lane);
}

}  // namespace

const char* to_string(UplinkState state) {
  switch (state) {
    case UplinkState::kIdle:
      return "idle";
    case UplinkState::kConnecting:
      return "connecting";
    case UplinkState::kSubscribing:
      return "subscribing";
    case UplinkState::kGreeting:
      return "greeting";
    case UplinkState::kLive:
      return "live";
    case UplinkState::kBackingOff:
      return "backing off";
  }
  return "?";
}

Uplink::Uplink(Spool& spool, mqtt::BrokerClient& broker, const Clock& clock, UplinkEvents& events,
               UplinkIdentity identity, std::function<std::uint64_t()> random)
    : spool_(spool),
      broker_(broker),
      clock_(clock),
      events_(events),
      identity_(std::move(identity)),
      random_(std::move(random)) {
  signing::random_bytes(session_nonce_);
  broker_.on_message([this](const mqtt::Message& message) { take_message(message); });
  broker_.on_disconnected([this](const Error& error) { give_up(error.message()); });
}

Uplink::~Uplink() {
  broker_.disconnect();
  broker_.on_message(nullptr);
  broker_.on_disconnected(nullptr);
}

void Uplink::start() {
  if (state_ != UplinkState::kIdle) return;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const auto oldest = spool_.state().oldest_seq[i];
    settled_[i] = oldest == 0 ? 0 : oldest - 1;
    lanes_[i].start_from(settled_[i], spool_.state().next_seq[i]);
  }
  connect();
}

void Uplink::stop() {
  broker_.disconnect();
  forget_connection();
  become(UplinkState::kIdle, "stopped");
}

void Uplink::tick() {
  const auto now = clock_.steady_now();
  if (is_copy_) begin_epoch();
  settle();
  switch (state_) {
    case UplinkState::kIdle:
      return;
    case UplinkState::kConnecting:
      if (now >= deadline_) give_up("the broker did not answer in time");
      return;
    case UplinkState::kSubscribing:
      if (now >= deadline_) give_up("the broker did not confirm the subscription in time");
      return;
    case UplinkState::kBackingOff:
      if (now >= deadline_) connect();
      return;
    case UplinkState::kGreeting:
      if (now >= deadline_) return give_up("the control plane does not answer behind this broker");
      tick_connected(now);
      return;
    case UplinkState::kLive:
      tick_connected(now);
      return;
  }
}

void Uplink::on_spool_grew() {
  pump();
}

// ---- connection --------------------------------------------------------------------------------

void Uplink::become(UplinkState state, const std::string& reason) {
  if (state_ == state) return;
  state_ = state;
  events_.on_state_changed(state, reason);
}

bool Uplink::connected() const {
  return state_ == UplinkState::kGreeting || state_ == UplinkState::kLive;
}

void Uplink::connect() {
  auto identity = identity_.broker();
  if (!identity) {
    fault("identity", identity.error());
    give_up(identity.error().message());
    return;
  }
  no_fault("identity");
  ++counters_.connects;
  deadline_ = clock_.steady_now() + identity->connect_timeout + kConnectGrace;
  become(UplinkState::kConnecting, identity->host + ":" + std::to_string(identity->port));
  broker_.connect(*identity, [this](const Result<void>& result) {
    if (result) {
      subscribe();
    } else {
      give_up(result.error().message());
    }
  });
}

void Uplink::subscribe() {
  deadline_ = clock_.steady_now() + kSubscribePatience;
  become(UplinkState::kSubscribing, "connected");
  broker_.subscribe({topics::agent_filter(identity_.address)}, [this](const Result<void>& result) {
    if (result) {
      greet();
    } else {
      give_up(result.error().message());
    }
  });
}

void Uplink::greet() {
  last_confirmation_ = clock_.steady_now();
  deadline_ = last_confirmation_ + kGreetingPatience;
  become(UplinkState::kGreeting, "subscribed");
  say_hello();
}

void Uplink::give_up(const std::string& reason) {
  if (connected()) ++counters_.reconnects;
  broker_.disconnect();
  forget_connection();
  deadline_ = clock_.steady_now() + backoff_.next_anywhere(random_());
  become(UplinkState::kBackingOff, reason);
}

void Uplink::forget_connection() {
  credit_ = 0;
  confirmed_through_ = {};
  answered_challenge_ = false;
  server_time_ms_ = 0;
  hello_retry_.reset();
  resend_ = false;
  tell_tags_ = true;
  for (std::size_t i = 0; i < lanes_.size(); ++i) lanes_[i].forget_sent(spool_.state().next_seq[i]);
  update_in_flight();
}

void Uplink::tick_connected(SteadyTime now) {
  if (broker_.in_flight() > 0 && now - last_confirmation_ > kBrokerPatience) {
    give_up("the broker confirms no message");
    return;
  }
  if (is_passed_over(now)) {
    give_up("the broker confirms later messages, but not this one");
    return;
  }
  if (now >= next_hello_) say_hello();
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    lanes_[i].note_written(spool_.state().next_seq[i], now);
    lanes_[i].retry_due(now, random_());
  }
  update_in_flight();
  pump();
}

void Uplink::note_confirmed(SteadyTime sent_at) {
  last_confirmation_ = clock_.steady_now();
  confirmed_through_ = std::max(confirmed_through_, sent_at);
}

bool Uplink::is_passed_over(SteadyTime now) const {
  return std::any_of(lanes_.begin(), lanes_.end(), [&](const LaneSender& lane) {
    const auto since = lane.unconfirmed_since();
    return since && *since < confirmed_through_ && now - *since > kBrokerPatience;
  });
}

// Until the control plane answers, and while it gives no credit, the hello is what asks again.
void Uplink::say_hello() {
  if (is_copy_) return;  // Of an epoch that is over
  const auto now = clock_.steady_now();
  if (broker_.in_flight() == 0) last_confirmation_ = now;
  const auto sent = broker_.publish({topics::build(identity_.address, topics::Channel::kHello),
                                     wire::seal_hello(make_hello(), identity_.keys.up)},
                                    [this, now](const Result<void>& taken) {
                                      if (taken) note_confirmed(now);
                                    });
  if (!sent) return;  // Window full or just disconnected: the next tick tries again.
  ++counters_.hellos;
  last_hello_ = now;
  asked_series_ = asked_inventory_ = false;
  const bool waiting = state_ == UplinkState::kGreeting || credit_ == 0;
  next_hello_ = now + (waiting ? hello_retry_.next(random_()) : milliseconds(kHelloEvery));
}

wire::Hello Uplink::make_hello() {
  wire::Hello hello = identity_.hello();
  const auto& spool = spool_.state();
  hello.agent = identity_.address.agent;
  hello.epoch = spool.epoch;
  hello.session_nonce = session_nonce_;
  hello.challenge = challenge_;
  hello.number = ++hello_number_;
  hello.wall_time_ms = clock_.unix_ms();
  hello.series_known = spool_.next_series_id() == 0 ? 0 : spool_.next_series_id() - 1;
  hello.next_seq = spool.next_seq;
  hello.oldest_seq = spool.oldest_seq;
  hello.spool_bytes = spool.bytes;
  // Until it is answered: a copy shows when it comes to a control plane that knows the original.
  if (tell_tags_) {
    if (auto tags = pending_tags(spool_))
      hello.pending = std::move(*tags);
    else
      fault("tags", tags.error());
  }
  const auto put = [&hello](const char* name, std::uint64_t value) {
    hello.counters[name] = static_cast<std::int64_t>(value);
  };
  put("uplink_reconnects", counters_.reconnects);
  put("uplink_batches_sent", counters_.batches_sent);
  put("uplink_batches_resent", counters_.batches_resent);
  put("uplink_forged_acks", counters_.forged_acks);
  put("uplink_forged_messages", counters_.forged_messages);
  put("uplink_other_session_acks", counters_.other_session_acks);
  put("uplink_forks", counters_.forks);
  put("uplink_unexpected_messages", counters_.unexpected_messages);
  return hello;
}

// ---- sending -----------------------------------------------------------------------------------

void Uplink::pump() {
  if (state_ != UplinkState::kLive || is_copy_ || !broker_.connected()) return;
  constexpr auto kControl = wire::Lane::kControl;
  if (!pump_lane(kControl, Part::kBacklog) || !pump_lane(kControl, Part::kFresh)) return;
  for (const auto part : {Part::kFresh, Part::kBacklog}) {
    for (std::size_t i = 1; i < wire::kLaneCount; ++i) {
      if (!pump_lane(static_cast<wire::Lane>(i), part)) return;
    }
  }
}

bool Uplink::pump_lane(wire::Lane lane, Part part) {
  auto& sender = lanes_[index_of(lane)];
  const std::string subject = "lane " + std::to_string(index_of(lane));
  // Lane 0 has nothing to hold back for.
  const Part share = lane == wire::Lane::kControl ? Part::kFresh : part;
  for (;;) {
    const auto next_seq = spool_.state().next_seq[index_of(lane)];
    const auto due =
        part == Part::kFresh ? sender.next_fresh(next_seq) : sender.next_backlog(next_seq);
    if (!due) return true;
    const auto open = broker_.in_flight();
    if (open >= mqtt::kMaxInFlight) return false;
    if (!credit_allows(kSealOverhead, share)) return share == Part::kBacklog;
    const auto left = credit_of(share) - std::min(credit_of(share), counters_.in_flight_bytes);
    const auto count =
        std::min<std::uint64_t>(mqtt::kMaxInFlight - open, due->last - due->first + 1);
    auto batches = spool_.read(lane, due->first - 1, count, std::min(left, kReadBytes));
    if (!batches) {
      fault(subject, batches.error());
      return true;
    }
    if (batches->empty()) return true;
    for (auto& batch : *batches) {
      if (batch.header.seq > due->last) break;
      if (send(batch, share) == Sending::kFull) return share == Part::kBacklog;
    }
    no_fault(subject);
  }
}

// A batch that no broker takes becomes a loss, or everything behind it would wait for ever. Encoders
// keep bodies far below that, so only a damaged or foreign spool can bring one here.
std::string Uplink::seal(wire::Batch& batch) {
  auto sealed = wire::seal_batch(batch, identity_.keys.up);
  if (sealed.size() <= wire::kMaxSealedBytes) return sealed;
  auto& header = batch.header;
  ++counters_.batches_oversized;
  fault("lane " + std::to_string(index_of(header.lane)),
        Error(Errc::kLimit, "batch " + std::to_string(header.seq) + " of lane " +
                                std::to_string(index_of(header.lane)) + " has " +
                                std::to_string(sealed.size()) +
                                " bytes sealed, more than the broker takes: its " +
                                std::to_string(header.n) + " records are declared lost"));
  wire::LossNotice notice;
  notice.reason = wire::loss_reasons::kOversized;
  for (const auto& count : spool_.counts_of(header.lane, header.seq))
    notice.sources.push_back({count.source, count.records, count.bytes});
  if (notice.sources.empty()) notice.sources = {{wire::loss_reasons::kOversized, header.n, 0}};
  header.codec = wire::Codec::kLost;
  header.n = 0;
  batch.body = wire::encode_loss(notice).value();
  return wire::seal_batch(batch, identity_.keys.up);
}

Uplink::Sending Uplink::send(wire::Batch& batch, Part part) {
  if (!credit_allows(batch.body.size() + kSealOverhead, part)) return Sending::kFull;
  batch.header.agent = identity_.address.agent;  // The spool does not know whose it is.
  batch.header.session = wire::session_tag(session_nonce_);
  auto sealed = seal(batch);
  const auto lane = batch.header.lane;
  const auto seq = batch.header.seq;
  const auto bytes = sealed.size();
  const auto now = clock_.steady_now();
  if (broker_.in_flight() == 0) last_confirmation_ = now;
  const auto sent = broker_.publish(
      {topics::build(identity_.address, topics::lane_channel(lane)), std::move(sealed)},
      [this, lane, seq, now](const Result<void>& taken) {
        lanes_[index_of(lane)].broker_confirmed(seq);
        if (taken) note_confirmed(now);
        pump();
      });
  if (!sent) return Sending::kFull;
  if (lanes_[index_of(lane)].sent(seq, bytes, now, random_())) ++counters_.batches_resent;
  ++counters_.batches_sent;
  counters_.bytes_sent += bytes;
  update_in_flight();
  return Sending::kSent;
}

std::uint64_t Uplink::credit_of(Part part) const {
  return part == Part::kFresh ? credit_ : credit_ / 4 * 3;
}

// One batch may always be on its way while there is any credit: it could be larger than all of it.
bool Uplink::credit_allows(std::uint64_t bytes, Part part) const {
  if (credit_ == 0) return false;
  return counters_.in_flight_bytes == 0 || counters_.in_flight_bytes + bytes <= credit_of(part);
}

bool Uplink::should_send() const {
  if (state_ != UplinkState::kLive || !broker_.connected() || credit_ == 0) return false;
  if (counters_.in_flight_bytes > 0) return false;
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    const auto next_seq = spool_.state().next_seq[i];
    if (lanes_[i].next_fresh(next_seq) || lanes_[i].next_backlog(next_seq)) return true;
  }
  return false;
}

void Uplink::update_in_flight() {
  counters_.in_flight_bytes = 0;
  for (const auto& lane : lanes_) counters_.in_flight_bytes += lane.outstanding_bytes();
}

void Uplink::fault(const std::string& subject, const Error& error) {
  auto& last = faults_[subject];
  if (last == error.message()) return;
  last = error.message();
  events_.on_fault(error);
}

}  // namespace observeai::agent
