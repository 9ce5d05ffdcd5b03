// Verify, open, dedupe, commit, ack: what happens to a message from the broker. The broker is not
// believed: tenant and shard come from the registry row of the agent id, content only from under
// the agent's seal. Nothing is acknowledged that is not committed.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/ingest/session_tracker.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"
#include "protocol/mqtt/broker_client.h"
#include "protocol/signing/sealing.h"
#include "protocol/topics/topics.h"

namespace observeai::controlplane {

struct IngestCounters {
  std::uint64_t messages = 0;
  std::uint64_t hellos = 0;
  std::uint64_t batches_stored = 0;
  std::uint64_t batches_duplicate = 0;
  std::array<std::uint64_t, wire::kLaneCount>
      signals_stored{};  // By lane: samples, log records ...
  std::uint64_t bytes_received = 0;
  // Refused, by reason: bad_topic, unknown_agent, revoked, topic_mismatch, forged, corrupt,
  // conflict, need_series, store_error. A refused batch stays on the agent's disk unless it was not
  // the agent's.
  std::map<std::string, std::uint64_t> refused;
};

struct IngestLimits {
  std::uint64_t credit_bytes =
      4U << 20;  // In flight for one agent; bounds memory with 10,000 agents
};

// One thread. Reads the registry through a cache that forget() clears (revocation, renewal).
class IngestPipeline {
 public:
  IngestPipeline(model::AgentRegistry& registry, model::TelemetryWriter& writer,
                 model::AlertRepository& alerts, const Clock& clock, signing::KeyAgreementPair keys,
                 IngestLimits limits);

  // Processes a group with one commit and returns the sealed acks to publish, at most one for an
  // agent.
  std::vector<mqtt::Message> process(const std::vector<mqtt::Message>& group);

  // The next message of this agent is checked against the registry again.
  void forget(const AgentId& agent) { known_.erase(agent); }
  const IngestCounters& counters() const { return counters_; }

 private:
  struct Known {
    topics::AgentAddress address;
    signing::SessionKeys keys;
    std::int64_t seen_written_ms = 0;
  };
  struct PendingAck {
    Epoch epoch;
    wire::Nonce16 session_nonce{};
    bool need_series = false;
    bool need_inventory = false;
  };

  Known* admit(const topics::AgentAddress& claimed);
  void take_hello(Known& known, const std::string& payload);
  void take_batch(Known& known, const std::string& payload);
  void commit_group();
  void settle(const wire::Batch& batch, const Result<model::CommitOutcome>& outcome);
  std::vector<mqtt::Message> make_acks();
  void refuse(const char* reason) { ++counters_.refused[reason]; }
  void alert(const char* kind, const AgentId& agent, const std::string& message);

  model::AgentRegistry& registry_;
  model::TelemetryWriter& writer_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  const signing::KeyAgreementPair keys_;
  const IngestLimits limits_;
  std::unordered_map<AgentId, Known> known_;
  SessionTracker sessions_;
  IngestCounters counters_;
  // Of the group in hand.
  std::vector<wire::Batch> batches_;
  std::map<AgentId, PendingAck> acks_;
};

}  // namespace observeai::controlplane
