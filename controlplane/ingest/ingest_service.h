// The thread between the broker and the store: connects, subscribes, feeds the pipeline in groups,
// publishes the acks, reconnects with back-off.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "controlplane/ingest/pipeline.h"
#include "protocol/base/backoff.h"
#include "protocol/base/thread_annotations.h"
#include "protocol/mqtt/broker_client.h"

namespace observeai::controlplane {

struct IngestStatus {
  bool connected = false;
  std::string last_error;     // Why not connected
  std::int64_t since_ms = 0;  // Of this state of the connection
  std::uint64_t reconnects = 0;
  // Messages dropped because the queue was full; agents send them again.
  std::uint64_t overflowed = 0;
  std::uint64_t outgoing_dropped = 0;  // Of send()
  IngestCounters counters;
};

class IngestService {
 public:
  // Bounds what the broker may push while the store is slow. Agents keep within their credits, which
  // are less together (credit_book.h); a hello of each of 10,000 agents fits too.
  static constexpr std::size_t kMaxQueuedMessages = 16'384;
  static constexpr std::size_t kMaxQueuedBytes = 64U << 20;

  using MakeClient = std::function<std::unique_ptr<mqtt::BrokerClient>(mqtt::BrokerClient::Post)>;

  // Starts the thread. `identity` is asked before each connection (renewed certificates).
  IngestService(std::unique_ptr<IngestPipeline> pipeline, MakeClient make_client,
                std::function<mqtt::Identity()> identity, const Clock& clock);
  ~IngestService();  // Stops and joins.
  IngestService(const IngestService&) = delete;
  IngestService& operator=(const IngestService&) = delete;

  // Thread-safe. The registry is asked again before anything more of this agent is stored; returns
  // when that is in force.
  void forget(const AgentId& agent);
  IngestStatus status();
  // Thread-safe, never blocks: what others have for agents, sent before acks as the window allows. May be
  // lost; beyond kMaxOutgoing the oldest are.
  void send(mqtt::Message message);
  static constexpr std::size_t kMaxOutgoing = 4'096;

 private:
  // Of one commit: as much as makes its flush to the disk cheap, and an ack not late.
  static constexpr std::size_t kGroupMessages = 256;
  static constexpr std::size_t kGroupBytes = 8U << 20;

  void run();
  void take_in(mqtt::Message message);
  std::vector<mqtt::Message> next_group();
  void post(std::function<void()> task);
  bool run_tasks();
  void start_connecting();
  void connection_failed(const std::string& why);
  void publish_outgoing();
  void publish_acks();

  std::unique_ptr<IngestPipeline> pipeline_;
  const std::function<mqtt::Identity()> identity_;
  const Clock& clock_;
  std::unique_ptr<mqtt::BrokerClient> client_;
  Backoff backoff_;

  // Only on the thread.
  std::deque<mqtt::Message> incoming_;
  std::size_t incoming_bytes_ = 0;
  SteadyTime retry_at_{};
  bool connecting_ = false;
  bool sending_is_held_up_ = false;  // Not connected, or the window is full

  Mutex mutex_;
  ConditionVariable wake_;
  std::vector<std::function<void()>> tasks_ GUARDED_BY(mutex_);
  std::deque<mqtt::Message> outgoing_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  IngestStatus status_ GUARDED_BY(mutex_);

  std::thread thread_;  // Last: starts when everything above is there
};

}  // namespace observeai::controlplane
