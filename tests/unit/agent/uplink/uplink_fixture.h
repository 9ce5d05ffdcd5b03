// An uplink with its world: spool, broker and a model of the control plane's ingest, all in memory.
#pragma once

#include <doctest/doctest.h>

#include "agent/uplink/uplink.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/sealed.h"
#include "tests/support/fake_broker.h"
#include "tests/support/memory_spool.h"

namespace observeai::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline constexpr std::uint64_t kModelCredit = 4U << 20;

// Does what ingest promises: takes the batches of the newest session, commits each once, then
// acknowledges what is contiguous and what lies above.
class ModelIngest {
 public:
  ModelIngest(FakeBroker& broker, topics::AgentAddress address, signing::SessionKeys keys)
      : address_(std::move(address)), keys_(std::move(keys)), client_(broker.client()) {
    client_->on_message([this](const mqtt::Message& m) { take(m); });
  }

  std::uint64_t credit = kModelCredit;
  bool answers = true;
  bool need_series = false;
  bool need_inventory = false;
  std::int64_t server_time_ms = 5'000'000;
  Epoch epoch{{1}};
  std::vector<wire::Hello> hellos;
  wire::Nonce16 session{};    // Of the newest hello; zeros after it has started anew
  wire::Nonce16 challenge{};  // To be echoed, unless it is zeros
  bool forked = false;
  std::uint64_t other_session = 0;
  std::array<std::map<std::uint64_t, std::string>, wire::kLaneCount> committed;
  std::vector<std::pair<int, std::uint64_t>> order;  // Of first arrivals: lane, seq
  std::vector<wire::LossNotice> losses;
  std::uint64_t duplicates = 0;

  void connect(FakeBroker& broker) {
    mqtt::Identity identity;
    identity.client_id = "cp-ingest-0";
    client_->connect(identity, [this](const Result<void>&) {
      client_->subscribe({topics::ingest_filter(std::nullopt)}, [](const Result<void>&) {});
    });
    broker.run();
  }
  std::uint64_t contiguous(std::size_t lane) const {
    std::uint64_t upto = 0;
    for (const auto& [seq, body] : committed[lane]) {
      if (seq != upto + 1) break;
      upto = seq;
    }
    return upto;
  }
  std::vector<wire::Run> runs(std::size_t lane) const {
    std::vector<wire::Run> out;
    for (auto at = committed[lane].upper_bound(contiguous(lane)); at != committed[lane].end();
         ++at) {
      if (!out.empty() && out.back().last + 1 == at->first)
        out.back().last = at->first;
      else
        out.push_back({at->first, at->first});
    }
    if (out.size() > wire::kMaxAckRuns) out.resize(wire::kMaxAckRuns);
    return out;
  }
  // As a new process: what it said hello to is forgotten, what it committed is not.
  void start_anew() {
    session = {};
    send(ack());
  }
  wire::Ack ack() const {
    wire::Ack ack;
    ack.agent = address_.agent;
    ack.epoch = epoch;
    for (std::size_t i = 0; i < wire::kLaneCount; ++i) ack.contiguous[i] = contiguous(i);
    ack.credit_bytes = credit;
    ack.server_time_ms = server_time_ms;
    for (std::size_t i = 0; i < wire::kLaneCount; ++i) ack.runs[i] = runs(i);
    ack.session_nonce = session;
    ack.challenge = challenge;
    ack.forked = forked;
    ack.need_series = need_series;
    ack.need_inventory = need_inventory;
    return ack;
  }
  mqtt::Message sealed(const wire::Ack& ack) const {
    return {topics::build(address_, topics::Channel::kAck), wire::seal_ack(ack, keys_.down)};
  }
  void send(const wire::Ack& ack) {
    ignore(client_->publish(sealed(ack), nullptr), "the pipe may be full");
  }

 private:
  void take(const mqtt::Message& message) {
    const auto topic = topics::parse(message.topic);
    REQUIRE(topic);
    wire::Ack reply;
    if (topic->channel == topics::Channel::kHello) {
      const auto hello = wire::open_hello(message.payload, topic->address.agent, keys_.up);
      REQUIRE(hello);
      hellos.push_back(*hello);
      if (hello->challenge != challenge) {
        reply = ack();
        reply.session_nonce = {};
        if (answers) send(reply);
        return;
      }
      session = hello->session_nonce;
      if (hello->epoch != epoch) {
        epoch = hello->epoch;
        forked = false;
        for (auto& lane : committed) lane.clear();
      }
      reply = ack();
    } else {
      const auto batch = wire::open_batch(message.payload, keys_.up);
      REQUIRE(batch);
      REQUIRE(batch->header.agent == address_.agent);
      const auto lane = static_cast<std::size_t>(batch->header.lane);
      REQUIRE(topic->channel == topics::lane_channel(batch->header.lane));
      if (batch->header.session != wire::session_tag(session) || batch->header.epoch != epoch) {
        ++other_session;
      } else if (committed[lane].emplace(batch->header.seq, batch->body).second) {
        order.emplace_back(static_cast<int>(lane), batch->header.seq);
        if (batch->header.codec == wire::Codec::kLost)
          losses.push_back(wire::decode_loss(batch->body).value());
      } else {
        ++duplicates;
      }
      reply = ack();
    }
    if (answers) send(reply);
  }

  const topics::AgentAddress address_;
  const signing::SessionKeys keys_;
  std::unique_ptr<FakeBrokerClient> client_;
};

struct RecordedEvents final : agent::UplinkEvents {
  void on_need_series() override { ++need_series; }
  void on_need_inventory() override { ++need_inventory; }
  void on_new_epoch() override { ++new_epochs; }
  void on_state_changed(agent::UplinkState state, const std::string& reason) override {
    states.push_back(agent::to_string(state));
    last_reason = reason;
  }
  void on_server_time(std::int64_t ms) override { server_times.push_back(ms); }
  void on_command(std::string envelope) override { commands.push_back(std::move(envelope)); }
  void on_meta(const wire::Meta& meta) override { metas.push_back(meta); }
  void on_fault(const Error& error) override { faults.push_back(error.message()); }

  int need_series = 0;
  int need_inventory = 0;
  int new_epochs = 0;
  std::vector<std::string> commands;
  std::vector<wire::Meta> metas;
  std::vector<std::string> states;
  std::string last_reason;
  std::vector<std::int64_t> server_times;
  std::vector<std::string> faults;
};

// The invariant of the whole module, checked on every call: never beyond what ingest has committed.
class GuardedSpool {
 public:
  static void check(const MemorySpool& spool, const ModelIngest& ingest) {
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      if (spool.state().epoch != ingest.epoch) continue;
      const auto forgotten = spool.state().oldest_seq[lane] - 1;
      REQUIRE(forgotten <= ingest.contiguous(lane));
    }
  }
};

struct World {
  explicit World(std::uint64_t seed = 1) : broker(seed), random(seed) { ingest.connect(broker); }

  topics::AgentAddress address{TenantId::parse("home").value(), 7,
                               AgentId::parse("agent-1").value()};
  signing::KeyAgreementPair agent_pair = signing::generate_key_agreement_pair();
  signing::KeyAgreementPair server_pair = signing::generate_key_agreement_pair();
  ManualClock clock;
  MemorySpool spool;
  FakeBroker broker;
  std::mt19937_64 random;
  ModelIngest ingest{
      broker, address,
      signing::controlplane_session_keys(server_pair, agent_pair.public_key).value()};
  std::unique_ptr<FakeBrokerClient> client = broker.client();
  RecordedEvents events;
  std::optional<Error> identity_error;
  std::string certificate = "first.pem";
  agent::UplinkIdentity identity{
      address, signing::agent_session_keys(agent_pair, server_pair.public_key).value(),
      [this]() -> Result<mqtt::Identity> {
        if (identity_error) return *identity_error;
        mqtt::Identity id;
        id.host = "broker";
        id.client_id = "agent-1";
        id.certificate_file = certificate;
        return id;
      },
      [] {
        wire::Hello hello;
        hello.agent_version = "1.2.3";
        hello.counters["own"] = 4;
        return hello;
      }};
  std::unique_ptr<agent::Uplink> uplink = make();

  std::unique_ptr<agent::Uplink> make() {
    return std::make_unique<agent::Uplink>(spool, *client, clock, events, identity,
                                           [this] { return random(); });
  }
  // A new process on the same spool.
  void restart() {
    uplink.reset();
    client = broker.client();
    uplink = make();
    uplink->start();
    settle();
  }
  void settle() {
    broker.run();
    GuardedSpool::check(spool, ingest);
  }
  void run(milliseconds time, milliseconds step = milliseconds(200)) {
    for (auto done = milliseconds(0); done < time; done += step) {
      clock.advance(step);
      uplink->tick();
      settle();
    }
  }
  void go_live() {
    uplink->start();
    settle();
    REQUIRE(uplink->state() == agent::UplinkState::kLive);
  }
  std::vector<std::uint64_t> write(wire::Lane lane, const std::string& body) {
    agent::CommitUnit unit;
    unit.batches.push_back({lane, 1, 1000, 2000, body});
    const auto seqs = spool.commit(unit);
    REQUIRE(seqs);
    return *seqs;
  }
  void write_many(wire::Lane lane, int count, std::size_t bytes = 100) {
    for (int i = 0; i < count; ++i)
      write(lane, std::string(bytes, static_cast<char>('a' + i % 26)));
  }
  std::size_t committed(wire::Lane lane) const {
    return ingest.committed[static_cast<std::size_t>(lane)].size();
  }
  bool spool_is_empty() const { return spool.state().oldest_seq == spool.state().next_seq; }
};

}  // namespace observeai::test
