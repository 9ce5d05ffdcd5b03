// A pipeline with its world in memory, and one agent.
#pragma once

#include <doctest/doctest.h>

#include <set>

#include "controlplane/ingest/pipeline.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/sealed.h"
#include "tests/support/memory_repositories.h"

namespace observeai::ingest_test {

using controlplane::IngestPipeline;

inline constexpr const char* kPoison = "poison";
inline constexpr const char* kTooMuch = "beyond a limit";

// Commits into memory with the contract's outcomes; can refuse, as a full disk does.
class MemoryWriter final : public model::TelemetryWriter {
 public:
  std::map<std::tuple<AgentId, Epoch, wire::Lane, std::uint64_t>, std::string> stored;
  std::set<std::uint64_t> need_series_for;  // Sequence numbers of lane 1
  bool broken = false;
  std::string digest = "d";
  model::SpoolComparison comparison;
  bool cannot_compare = false;

  Result<model::CommitOutcome> commit(const wire::Batch& batch) override {
    const auto& h = batch.header;
    const auto key = std::tuple(h.agent, h.epoch, h.lane, h.seq);
    if (const auto found = stored.find(key); found != stored.end()) {
      return found->second == batch.body ? model::CommitOutcome::kDuplicate
                                         : model::CommitOutcome::kConflict;
    }
    if (batch.body == kPoison) return Error(Errc::kCorrupt, "not a body");
    if (batch.body == kTooMuch) return Error(Errc::kInvalid, "too many gaps");
    if (h.lane == wire::Lane::kMetrics && need_series_for.contains(h.seq))
      return model::CommitOutcome::kNeedSeries;
    stored[key] = batch.body;
    return model::CommitOutcome::kStored;
  }
  Result<std::vector<Result<model::CommitOutcome>>> commit_all(
      const std::vector<wire::Batch>& batches) override {
    if (broken) return Error(Errc::kUnavailable, "disk is full");
    std::vector<Result<model::CommitOutcome>> outcomes;
    for (const auto& batch : batches) outcomes.push_back(commit(batch));
    return outcomes;
  }
  Result<model::LaneCursors> cursors(const AgentId& agent, const Epoch& epoch) override {
    model::LaneCursors out;
    for (const auto& [key, body] : stored) {
      const auto& [of_agent, of_epoch, lane, seq] = key;
      if (of_agent != agent || of_epoch != epoch) continue;
      auto& contiguous = out.contiguous[static_cast<std::size_t>(lane)];
      auto& runs = out.runs[static_cast<std::size_t>(lane)];
      if (seq == contiguous + 1)
        contiguous = seq;
      else if (!runs.empty() && runs.back().last + 1 == seq)
        runs.back().last = seq;
      else
        runs.push_back({seq, seq});
    }
    return out;
  }
  Result<model::SpoolComparison> compare(const wire::Hello&) override {
    if (cannot_compare) return Error(Errc::kUnavailable, "disk is away");
    return comparison;
  }
  Result<std::string> inventory_digest(const AgentId&) override { return digest; }
  Result<std::uint64_t> series_known(const AgentId&, const Epoch&) override { return 5; }
  Result<void> give_up(const wire::Batch& batch) override {
    const auto& h = batch.header;
    stored[std::tuple(h.agent, h.epoch, h.lane, h.seq)] = "";
    return {};
  }
  void on_committed(std::function<void(const model::Committed&)>) override {}
};

class CountingAlerts final : public model::AlertRepository {
 public:
  test::MemoryAlertRepository kept;
  int writes = 0;
  bool broken = false;

  Result<void> raise(const model::Alert& alert) override {
    if (broken) return Error(Errc::kUnavailable, "disk is full");
    ++writes;
    return kept.raise(alert);
  }
  Result<void> clear(const std::string& kind, const AgentId& agent,
                     const std::string& object) override {
    return kept.clear(kind, agent, object);
  }
  Result<std::vector<model::Alert>> open() override { return kept.open(); }
};

struct Fixture {
  ManualClock clock;
  test::MemoryAgentRegistry registry;
  CountingAlerts alerts;
  MemoryWriter writer;
  signing::KeyAgreementPair plane = signing::generate_key_agreement_pair();
  signing::KeyAgreementPair agent_keys = signing::generate_key_agreement_pair();
  signing::SessionKeys keys = signing::agent_session_keys(agent_keys, plane.public_key).value();
  topics::AgentAddress address{TenantId::parse("default").value(), 7,
                               AgentId::parse("web-1").value()};
  Epoch epoch;
  IngestPipeline pipeline{registry, writer, alerts, clock, plane, {}};
  wire::Nonce16 challenge{};     // Newest that an ack told
  std::uint64_t last_hello = 0;  // Number of it

  explicit Fixture(model::AgentState state = model::AgentState::kActive) {
    epoch.bytes.fill(9);
    model::AgentRecord record;
    record.id = address.agent;
    record.tenant = address.tenant;
    record.shard = address.shard;
    record.state = state;
    record.sealing_public_key = agent_keys.public_key;
    registry.insert(record);
    if (state == model::AgentState::kActive) learn_challenge();
  }
  // The process of hello() is the one whose batches are taken.
  void greet() { process({message(hello())}); }

  // By a hello that does not know it.
  void learn_challenge() {
    challenge = {};
    process({message(hello())});
  }
  wire::Batch batch(wire::Lane lane, std::uint64_t seq, std::string body = "body") const {
    wire::Batch b;
    b.header.agent = address.agent;
    b.header.epoch = epoch;
    b.header.lane = lane;
    b.header.seq = seq;
    b.header.n = 1;
    b.header.session = wire::session_tag(hello_nonce());
    b.body = std::move(body);
    return b;
  }
  mqtt::Message message(const wire::Batch& b) const {
    return {topics::build(address, topics::lane_channel(b.header.lane)),
            wire::seal_batch(b, keys.up)};
  }
  static wire::Nonce16 hello_nonce() {
    wire::Nonce16 nonce;
    nonce.fill(3);
    return nonce;
  }
  wire::Hello hello() {
    wire::Hello h;
    h.agent = address.agent;
    h.epoch = epoch;
    h.session_nonce = hello_nonce();
    h.challenge = challenge;
    h.number = ++last_hello;
    h.next_seq = {1, 1, 1, 1};
    h.series_known = 5;
    h.inventory_digest = "d";
    return h;
  }
  mqtt::Message message(const wire::Hello& h) const {
    return {topics::build(address, topics::Channel::kHello), wire::seal_hello(h, keys.up)};
  }
  std::vector<mqtt::Message> process(const std::vector<mqtt::Message>& group) {
    pipeline.process(group);
    return taken();
  }
  std::vector<mqtt::Message> taken() {
    auto out = pipeline.take_acks(100);
    for (const auto& one : out) {
      const auto opened = wire::open_ack(one.payload, address.agent, keys.down);
      if (opened) challenge = opened->challenge;
    }
    return out;
  }
  wire::Ack ack(const std::vector<mqtt::Message>& out) const {
    REQUIRE(out.size() == 1);
    CHECK(out[0].topic == topics::build(address, topics::Channel::kAck));
    return wire::open_ack(out[0].payload, address.agent, keys.down).value();
  }
  std::uint64_t refused(const char* reason) const {
    const auto& all = pipeline.counters().refused;
    return all.contains(reason) ? all.at(reason) : 0;
  }
  bool alerted(const std::string& kind) {
    const auto open = alerts.open().value();
    return std::any_of(open.begin(), open.end(),
                       [&](const auto& alert) { return alert.kind == kind; });
  }
};

}  // namespace observeai::ingest_test
