#include "agent/uplink/uplink.h"

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
    lanes_[i].start_from(settled_[i]);
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
  deadline_ = clock_.steady_now() + backoff_.next(random_());
  become(UplinkState::kBackingOff, reason);
}

void Uplink::forget_connection() {
  credit_ = 0;
  server_time_ms_ = 0;
  hello_retry_.reset();
  for (auto& lane : lanes_) lane.forget_sent();
  update_in_flight();
}

void Uplink::tick_connected(SteadyTime now) {
  if (broker_.in_flight() > 0 && now - last_confirmation_ > kBrokerPatience) {
    give_up("the broker confirms no message");
    return;
  }
  if (now >= next_hello_) say_hello();
  for (auto& lane : lanes_) lane.retry_due(now, random_());
  update_in_flight();
  pump();
}

// Until the control plane answers, and while it gives no credit, the hello is what asks again.
void Uplink::say_hello() {
  const auto now = clock_.steady_now();
  if (broker_.in_flight() == 0) last_confirmation_ = now;
  const auto sent =
      broker_.publish({topics::build(identity_.address, topics::Channel::kHello),
                       wire::seal_hello(make_hello(), identity_.keys.up)},
                      [this](const Result<void>&) { last_confirmation_ = clock_.steady_now(); });
  if (!sent) return;  // Window full or just disconnected: the next tick tries again.
  ++counters_.hellos;
  asked_series_ = asked_inventory_ = false;
  const bool waiting = state_ == UplinkState::kGreeting || credit_ == 0;
  next_hello_ = now + (waiting ? hello_retry_.next(random_()) : milliseconds(kHelloEvery));
}

wire::Hello Uplink::make_hello() const {
  wire::Hello hello = identity_.hello();
  const auto& spool = spool_.state();
  hello.agent = identity_.address.agent;
  hello.epoch = spool.epoch;
  hello.session_nonce = session_nonce_;
  hello.wall_time_ms = clock_.unix_ms();
  hello.series_known = spool_.next_series_id() == 0 ? 0 : spool_.next_series_id() - 1;
  hello.next_seq = spool.next_seq;
  hello.oldest_seq = spool.oldest_seq;
  hello.spool_bytes = spool.bytes;
  const auto put = [&hello](const char* name, std::uint64_t value) {
    hello.counters[name] = static_cast<std::int64_t>(value);
  };
  put("uplink_reconnects", counters_.reconnects);
  put("uplink_batches_sent", counters_.batches_sent);
  put("uplink_batches_resent", counters_.batches_resent);
  put("uplink_forged_acks", counters_.forged_acks);
  put("uplink_impossible_acks", counters_.impossible_acks);
  put("uplink_unexpected_messages", counters_.unexpected_messages);
  return hello;
}

// ---- sending -----------------------------------------------------------------------------------

void Uplink::pump() {
  if (state_ != UplinkState::kLive || !broker_.connected()) return;
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    if (!pump_lane(static_cast<wire::Lane>(i))) break;
  }
}

bool Uplink::pump_lane(wire::Lane lane) {
  auto& sender = lanes_[index_of(lane)];
  const std::string subject = "lane " + std::to_string(index_of(lane));
  while (sender.cursor() + 1 < spool_.state().next_seq[index_of(lane)]) {
    const auto open = broker_.in_flight();
    if (open >= mqtt::kMaxInFlight || !credit_allows(kSealOverhead)) return false;
    auto batches = spool_.read(lane, sender.cursor(), mqtt::kMaxInFlight - open,
                               std::min(credit_left(), kReadBytes));
    if (!batches) {
      fault(subject, batches.error());
      return true;
    }
    if (batches->empty()) return true;
    for (auto& batch : *batches) {
      batch.header.agent = identity_.address.agent;  // The spool does not know whose it is.
      switch (send(batch)) {
        case Sending::kSent:
          break;
        case Sending::kLaneStuck:
          return true;
        case Sending::kFull:
          return false;
      }
    }
    no_fault(subject);
  }
  return true;
}

Uplink::Sending Uplink::send(const wire::Batch& batch) {
  if (!credit_allows(batch.body.size() + kSealOverhead)) return Sending::kFull;
  const auto lane = batch.header.lane;
  auto sealed = wire::seal_batch(batch, identity_.keys.up);
  const auto bytes = sealed.size();
  if (bytes > wire::kMaxSealedBytes) {
    fault("lane " + std::to_string(index_of(lane)),
          Error(Errc::kInternal, "batch " + std::to_string(batch.header.seq) + " of lane " +
                                     std::to_string(index_of(lane)) + " has " +
                                     std::to_string(bytes) +
                                     " bytes sealed, more than the broker takes; the lane waits"));
    return Sending::kLaneStuck;
  }
  const auto now = clock_.steady_now();
  if (broker_.in_flight() == 0) last_confirmation_ = now;
  const auto sent = broker_.publish(
      {topics::build(identity_.address, topics::lane_channel(lane)), std::move(sealed)},
      [this, lane](const Result<void>&) {
        lanes_[index_of(lane)].broker_confirmed();
        last_confirmation_ = clock_.steady_now();
        pump();
      });
  if (!sent) return Sending::kFull;
  if (lanes_[index_of(lane)].sent(batch.header.seq, bytes, now, random_()))
    ++counters_.batches_resent;
  ++counters_.batches_sent;
  counters_.bytes_sent += bytes;
  update_in_flight();
  return Sending::kSent;
}

// One batch may always be on its way while there is any credit: it could be larger than all of it.
bool Uplink::credit_allows(std::uint64_t bytes) const {
  if (credit_ == 0) return false;
  return counters_.in_flight_bytes == 0 || counters_.in_flight_bytes + bytes <= credit_;
}

std::uint64_t Uplink::credit_left() const {
  return credit_ > counters_.in_flight_bytes ? credit_ - counters_.in_flight_bytes : 0;
}

bool Uplink::should_send() const {
  if (state_ != UplinkState::kLive || !broker_.connected() || credit_ == 0) return false;
  if (counters_.in_flight_bytes > 0) return false;
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    if (lanes_[i].cursor() + 1 < spool_.state().next_seq[i]) return true;
  }
  return false;
}

void Uplink::update_in_flight() {
  counters_.in_flight_bytes = 0;
  for (const auto& lane : lanes_) counters_.in_flight_bytes += lane.outstanding_bytes();
}

// ---- receiving ---------------------------------------------------------------------------------

void Uplink::take_message(const mqtt::Message& message) {
  const auto topic = topics::parse(message.topic);
  if (!topic || !(topic->address == identity_.address) || topic->channel != topics::Channel::kAck) {
    ++counters_.unexpected_messages;
    return;
  }
  const auto ack = wire::open_ack(message.payload, identity_.address.agent, identity_.keys.down);
  if (!ack || ack->agent != identity_.address.agent) {
    ++counters_.forged_acks;
    return;
  }
  if (ack->epoch != spool_.state().epoch) {
    ++counters_.foreign_epoch_acks;
    return;
  }
  if (!connected() || !is_possible(*ack)) return;
  ++counters_.acks;
  take_ack(*ack);
}

// True for every ack that an honest control plane can have sent to this spool.
bool Uplink::is_possible(const wire::Ack& ack) {
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    if (ack.contiguous[i] == 0 || ack.contiguous[i] < spool_.state().next_seq[i]) continue;
    ++counters_.impossible_acks;
    fault(
        "ack",
        Error(
            Errc::kCorrupt,
            "the control plane has batch " + std::to_string(ack.contiguous[i]) + " of lane " +
                std::to_string(i) +
                ", which this spool has not written: the spool is an older copy or is used twice"));
    return false;
  }
  no_fault("ack");
  return true;
}

void Uplink::take_ack(const wire::Ack& ack) {
  const auto now = clock_.steady_now();
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    const auto before = lanes_[i].contiguous();
    if (lanes_[i].acknowledged(ack.contiguous[i], now, random_())) {
      counters_.batches_acked += ack.contiguous[i] - before;
    }
  }
  update_in_flight();
  settle();
  take_orders(ack);
  pump();
}

// A replayed ack may bring old orders: a credit that the next ack corrects (or the hello, at credit
// 0), and a resend of definitions, once for each hello. The broker could do no less by dropping
// messages.
void Uplink::take_orders(const wire::Ack& ack) {
  const bool was_paused = state_ == UplinkState::kLive && credit_ == 0;
  credit_ = ack.credit_bytes;
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
  if (ack.session_nonce == session_nonce_ && ack.server_time_ms > server_time_ms_) {
    server_time_ms_ = ack.server_time_ms;
    events_.on_server_time(server_time_ms_);
  }
}

// Tells the spool what it may forget; again on each tick until it has worked.
void Uplink::settle() {
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

void Uplink::fault(const std::string& subject, const Error& error) {
  auto& last = faults_[subject];
  if (last == error.message()) return;
  last = error.message();
  events_.on_fault(error);
}

}  // namespace observeai::agent
