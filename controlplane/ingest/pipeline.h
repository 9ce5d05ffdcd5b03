// Verify, open, dedupe, commit, ack: what happens to a message from the broker. The broker is not
// believed: tenant and shard come from the registry row of the agent id, content only from under
// the agent's seal. Nothing is acknowledged that is not committed.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "controlplane/ingest/credit_book.h"
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
  std::uint64_t challenged = 0;  // Hellos that did not echo the challenge; they are said again
  std::uint64_t batches_stored = 0;
  std::uint64_t batches_duplicate = 0;
  std::uint64_t batches_lost = 0;  // Loss notices that settled a number
  std::uint64_t forks = 0;         // Sessions that were told to begin a new epoch
  std::uint64_t asked = 0;         // Agents asked for a hello by ask_for_hellos()
  std::array<std::uint64_t, wire::kLaneCount>
      signals_stored{};  // By lane: samples, log records ...
  std::uint64_t bytes_received = 0;
  // Refused, by reason: bad_topic, unknown_agent, revoked, topic_mismatch, forged, corrupt, replayed,
  // conflict, forked, other_session, need_series, over_limit, store_error. A refused batch stays on the
  // agent's disk unless it was not the agent's.
  std::map<std::string, std::uint64_t> refused;
  std::uint64_t batches_given_up = 0;  // Sealed, but never decoded: see kRefusalsUntilGivenUp
};

struct IngestLimits {
  CreditLimits credit;
};

// One thread. Reads the registry through a cache that forget() clears (revocation, renewal).
class IngestPipeline {
 public:
  IngestPipeline(model::AgentRegistry& registry, model::TelemetryWriter& writer,
                 model::AlertRepository& alerts, const Clock& clock, signing::KeyAgreementPair keys,
                 IngestLimits limits);

  // The same bytes under the same number this often: they will not decode the next time either, and
  // everything behind them waits on the agent's disk.
  static constexpr std::uint32_t kRefusalsUntilGivenUp = 5;

  // Called for each hello that counts, on the pipeline's thread; reads at most a row. Any number of
  // listeners, before the first process().
  using OnHello = std::function<void(const AgentId&, const wire::Hello&)>;
  void on_hello(OnHello listener) { hello_listeners_.push_back(std::move(listener)); }

  // Processes a group with one commit; what is to be answered is added to the waiting acks.
  void process(const std::vector<mqtt::Message>& group);
  // Ingest listens anew: what agents sent meanwhile is gone, and so no session is believed any more.
  // Every active agent is asked for a hello, kAskedPerSecond of them, by take_acks(); one that sends a
  // batch before that is asked at once. Whoever connects says hello anyway.
  void ask_for_hellos();
  static constexpr int kAskedPerSecond = 500;

  // Takes up to `most` of the waiting acks, sealed: one for each (agent, epoch), with the cursors of
  // this moment and everything asked of the agent since its last one. One that cannot be made because
  // the store does not answer waits on.
  // `drained`: no message waits to be processed (see CreditBook::due).
  std::vector<mqtt::Message> take_acks(std::size_t most, bool drained = true);
  // Writes what was collected of alerts whose time has come; process() does it too. Call it also when
  // nothing arrives, at least every few seconds.
  void tick();
  // Writes all that was collected: before the end.
  void write_collected_alerts();

  // One alert (kind, agent) is written at once, and what follows of it once in this time: who sends
  // rubbish decides neither how much is written nor how much is logged.
  static constexpr std::chrono::seconds kAlertEvery{10};
  // Told apart at most; beyond it they are counted by kind, under no agent.
  static constexpr std::size_t kMaxAlertsApart = 10'000;

  // An agent is given no more than one new challenge in this time for hellos that a broker repeats.
  static constexpr std::chrono::seconds kQuestionEvery{10};

  // The next message of this agent is checked against the registry again; a waiting ack is not sent.
  void forget(const AgentId& agent);
  const IngestCounters& counters() const { return counters_; }
  const CreditBook& credits() const { return credits_; }

 private:
  // The process whose batches of an epoch are taken: the one of its newest hello. So all that is
  // committed of an epoch after a hello that agreed with it is of one spool, and an ack under the nonce of
  // that hello speaks of nothing else.
  struct Session {
    Epoch epoch;
    wire::Nonce16 nonce{};
    bool believed = true;  // Until ingest listens anew; then from its next hello on
    bool forked = false;   // Its spool is a copy: told in each ack until it comes with a new epoch
    std::array<wire::CommittedContent, wire::kLaneCount> newest;  // At its hello
    // Of each lane: the highest number that it sent and that is settled, or had given out at a hello.
    std::array<std::uint64_t, wire::kLaneCount> highest{};
  };
  struct Known {
    topics::AgentAddress address;
    signing::SessionKeys keys;
    SteadyTime seen_written{};
    std::vector<Session> sessions;  // At most one for each epoch, kMaxSessions in all; newest last
    // What a hello must echo to count: one that does was made after it. Random; a new one when another
    // process takes over, whenever it is forgotten what was sent since, and by question().
    wire::Nonce16 challenge{};
    SteadyTime next_question{};  // No new challenge for an earlier hello before this

    Session* any_session_of(const Epoch& epoch);
    Session* session_of(const Epoch& epoch);  // Only if it is believed
  };
  static constexpr std::size_t kMaxSessions = 8;  // Clones alive at one time
  struct PendingAck {
    bool need_series = false;
    bool need_inventory = false;
    bool ask = false;  // For a hello that echoes the challenge
  };

  using AckKey = std::pair<AgentId, Epoch>;
  using BatchKey = std::tuple<Epoch, wire::Lane, std::uint64_t>;
  struct Refusals {
    std::size_t content = 0;  // Hash of the body
    std::uint32_t count = 0;
  };
  using AlertKey = std::pair<std::string, AgentId>;
  struct CollectedAlert {
    model::Alert row;  // What is not written yet; count 0 = nothing
    SteadyTime next_write{};
  };

  Known* admit(const topics::AgentAddress& claimed);
  Known* know(const AgentId& agent, const char*& why_not);
  Session& begin_session(Known& known, const wire::Hello& hello);
  void judge(Known& known, const wire::Hello& hello, const model::SpoolComparison& comparison,
             const SessionTracker::Finding& finding);
  void question(Known& known, const wire::Hello& hello);
  bool is_of_session(Known& known, const wire::BatchHeader& header);
  void note_settled(const wire::BatchHeader& header);
  void settle_conflict(const wire::BatchHeader& header);
  void alert_loss(const wire::Batch& batch);
  void ask_next();
  void take_hello(Known& known, const std::string& payload);
  void take_batch(Known& known, const std::string& payload);
  void commit_group();
  void settle(const wire::Batch& batch, const Result<model::CommitOutcome>& outcome);
  void settle_corrupt(const wire::Batch& batch, const Error& why);
  bool is_hopeless(const wire::Batch& batch);
  Result<mqtt::Message> make_ack(const AckKey& key, const PendingAck& pending, Known& known);
  void refuse(const char* reason) { ++counters_.refused[reason]; }
  void note_store(const Result<void>& commit);
  void note_seen(const AgentId& agent);
  void alert(const char* kind, const AgentId& agent, const std::string& message);
  void write_alert(CollectedAlert& collected);

  model::AgentRegistry& registry_;
  model::TelemetryWriter& writer_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  const signing::KeyAgreementPair keys_;
  std::unordered_map<AgentId, Known> known_;
  std::vector<OnHello> hello_listeners_;
  SessionTracker sessions_;
  CreditBook credits_;
  IngestCounters counters_;
  std::unordered_map<AgentId, std::map<BatchKey, Refusals>> unreadable_;
  std::map<AlertKey, CollectedAlert> collected_alerts_;
  SteadyTime next_tick_{};
  std::deque<AgentId> to_ask_;
  SteadyTime next_ask_{};
  bool store_refuses_ = true;          // Or may have, before this program started
  std::map<AckKey, PendingAck> acks_;  // Waiting to be taken
  AckKey next_ack_;                    // Whose turn it is: nobody waits for ever behind the others
  std::vector<wire::Batch> batches_;   // Of the group in hand
};

}  // namespace observeai::controlplane
