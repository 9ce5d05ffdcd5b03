#include "tests/bench/load/simulated_agent.h"

#include <algorithm>
#include <random>

#include "protocol/mqtt/broker_client.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/sealed.h"

namespace observeai::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstWait(500);  // As agent/uplink
constexpr milliseconds kLastWait(60'000);
constexpr seconds kHelloEvery(300);
constexpr seconds kHelloAgain(2);  // While nothing was answered
constexpr seconds kRetry(15);      // A lane without progress
constexpr seconds kPingEvery(25);

std::uint64_t random_number() {
  static std::mt19937_64 random(std::random_device{}());
  return random();
}

}  // namespace

SimulatedAgent::SimulatedAgent(std::size_t number, const EnrolledAgent& identity, int epoll_fd,
                               SSL_CTX& context, std::uint16_t port, Measures& measures)
    : number_(number),
      identity_(identity),
      port_(port),
      measures_(measures),
      link_(epoll_fd, context, identity.tls, *this),
      backoff_(kFirstWait, kLastWait) {
  signing::random_bytes(epoch_.bytes);
  signing::random_bytes(nonce_);
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    topics_[lane] =
        topics::build(identity.address, topics::lane_channel(static_cast<wire::Lane>(lane)));
  }
}

SealedBatch SimulatedAgent::seal(wire::Lane lane, std::uint32_t signals, std::string body) {
  wire::Batch batch;
  batch.header.agent = identity_.address.agent;
  batch.header.epoch = epoch_;
  batch.header.lane = lane;
  batch.header.seq = lanes_[static_cast<std::size_t>(lane)].next_seq++;
  batch.header.n = signals;
  batch.header.session = wire::session_tag(nonce_);
  batch.body = std::move(body);
  return {lane, batch.header.seq, wire::seal_batch(batch, identity_.keys.up), signals, 0};
}

void SimulatedAgent::offer(SealedBatch batch) {
  Lane& lane = lanes_[static_cast<std::size_t>(batch.lane)];
  lane.waiting.push_back({std::move(batch), {}});
  pump();
}

bool SimulatedAgent::is_settled() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const Lane& lane) { return lane.waiting.empty(); });
}

void SimulatedAgent::connect() {
  is_down_ = false;
  if (const auto opened = link_.open(port_); !opened) on_closed(opened.error().message());
}

void SimulatedAgent::tick(SteadyTime now) {
  if (is_down_) {
    if (now >= reconnect_at_) connect();
    return;
  }
  if (!link_.is_up()) return;
  if (now >= next_hello_) say_hello();
  if (now >= next_ping_) {
    next_ping_ = now + kPingEvery;
    link_.ping();
  }
  for (auto& lane : lanes_) {
    if (lane.sent == 0 || now - lane.progress_at < kRetry) continue;
    for (std::size_t i = 0; i < lane.sent; ++i)
      bytes_in_flight_ -= lane.waiting[i].batch.bytes.size();
    measures_.batches_resent += lane.sent;
    lane.sent = 0;
  }
  pump();
}

void SimulatedAgent::on_connected() {
  link_.subscribe(topics::agent_filter(identity_.address));
}

void SimulatedAgent::on_subscribed() {
  say_hello();
}

void SimulatedAgent::say_hello() {
  wire::Hello hello;
  hello.agent = identity_.address.agent;
  hello.epoch = epoch_;
  hello.session_nonce = nonce_;
  hello.challenge = challenge_;
  hello.number = ++hellos_;
  hello.agent_version = OBSERVEAI_VERSION;
  hello.boot_id = "bench";
  hello.wall_time_ms = SystemClock().unix_ms();
  hello.series_known = series_known_;
  hello.inventory_digest = inventory_digest_;
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    hello.next_seq[i] = lanes_[i].next_seq;
    hello.oldest_seq[i] = lanes_[i].contiguous + 1;
  }
  const auto bytes = wire::seal_hello(hello, identity_.keys.up);
  const auto topic = topics::build(identity_.address, topics::Channel::kHello);
  measures_.bytes_sent += bytes.size() + topic.size();
  ++unconfirmed_;
  const auto now = SystemClock().steady_now();
  next_hello_ = now + (is_live_ ? kHelloEvery : kHelloAgain);
  next_ping_ = now + kPingEvery;
  link_.publish(topic, bytes);
}

void SimulatedAgent::on_confirmed() {
  if (unconfirmed_ > 0) --unconfirmed_;
  pump();
}

void SimulatedAgent::on_closed(const std::string& why) {
  ++measures_.connections_lost;
  measures_.last_loss = why;
  is_live_ = false;
  is_down_ = true;
  credit_ = bytes_in_flight_ = unconfirmed_ = 0;
  for (auto& lane : lanes_) lane.sent = 0;
  reconnect_at_ = SystemClock().steady_now() + backoff_.next(random_number());
}

void SimulatedAgent::pump() {
  if (!is_live_) return;
  for (auto& lane : lanes_) {
    while (lane.sent < lane.waiting.size()) {
      if (!send_next(lane)) return;
    }
  }
}

// As agent/uplink: one batch may be on its way while there is any credit.
bool SimulatedAgent::send_next(Lane& lane) {
  Waiting& next = lane.waiting[lane.sent];
  const std::size_t bytes = next.batch.bytes.size();
  if (!link_.is_up() || unconfirmed_ >= mqtt::kMaxInFlight || credit_ == 0) return false;
  if (bytes_in_flight_ > 0 && bytes_in_flight_ + bytes > credit_) return false;
  const auto now = SystemClock().steady_now();
  if (next.first_sent == SteadyTime{}) next.first_sent = now;
  if (lane.sent == 0) lane.progress_at = now;
  ++lane.sent;
  ++unconfirmed_;
  bytes_in_flight_ += bytes;
  const auto& topic = topics_[static_cast<std::size_t>(next.batch.lane)];
  measures_.bytes_sent += bytes + topic.size();
  link_.publish(topic, next.batch.bytes);
  return true;
}

void SimulatedAgent::on_message(std::string_view topic, std::string_view payload) {
  if (!topic.ends_with("/ack")) return;
  const auto ack = wire::open_ack(payload, identity_.address.agent, identity_.keys.down);
  if (ack && ack->epoch == epoch_) take_ack(*ack);
}

void SimulatedAgent::take_ack(const wire::Ack& ack) {
  const auto now = SystemClock().steady_now();
  const bool is_challenged = ack.challenge != challenge_;
  challenge_ = ack.challenge;
  if (ack.session_nonce != nonce_) {  // As agent/uplink, without its patience
    if (is_challenged || is_live_) {
      is_live_ = false;
      say_hello();
    }
    return;
  }
  if (!is_live_) next_hello_ = now + kHelloEvery;
  is_live_ = true;
  backoff_.reset();
  credit_ = ack.credit_bytes;
  for (std::size_t i = 0; i < wire::kLaneCount; ++i) {
    Lane& lane = lanes_[i];
    if (ack.contiguous[i] <= lane.contiguous) continue;
    lane.contiguous = ack.contiguous[i];
    lane.progress_at = now;
    while (!lane.waiting.empty() && lane.waiting.front().batch.seq <= lane.contiguous) {
      count_acked(lane.waiting.front(), now);
      if (lane.sent > 0) {
        bytes_in_flight_ -= lane.waiting.front().batch.bytes.size();
        --lane.sent;
      }
      lane.waiting.pop_front();
    }
  }
  pump();
}

void SimulatedAgent::count_acked(const Waiting& waiting, SteadyTime now) {
  ++measures_.batches_acked;
  measures_.ack_ms.push_back(
      std::chrono::duration<float, std::milli>(now - waiting.first_sent).count());
  if (waiting.batch.lane == wire::Lane::kMetrics) measures_.samples_acked += waiting.batch.signals;
  if (waiting.batch.lane == wire::Lane::kLogs) {
    measures_.log_records_acked += waiting.batch.signals;
    measures_.log_bytes_acked += waiting.batch.log_bytes;
  }
}

}  // namespace observeai::bench
