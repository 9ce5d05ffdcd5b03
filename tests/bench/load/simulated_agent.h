// One agent of a bench: a connection, what it still has to send, and the rules of agent/uplink about
// windows, credit, acks and sending again. What it sends is sealed like the real thing.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "protocol/base/backoff.h"
#include "protocol/base/clock.h"
#include "protocol/wire/messages.h"
#include "tests/bench/load/mqtt_link.h"
#include "tests/bench/load/roster.h"

namespace observeai::bench {

// What all agents of a run have seen; one thread.
struct Measures {
  std::vector<float> ack_ms;  // First publish of a batch until the ack that covers it
  std::uint64_t batches_acked = 0;
  std::uint64_t samples_acked = 0;
  std::uint64_t log_records_acked = 0;
  std::uint64_t log_bytes_acked = 0;  // Text of the lines, before compression
  std::uint64_t batches_resent = 0;
  std::uint64_t bytes_sent = 0;  // Sealed batches and hellos with their topics
  std::uint64_t connections_lost = 0;
  std::string last_loss;
};

struct SealedBatch {
  wire::Lane lane = wire::Lane::kControl;
  std::uint64_t seq = 0;
  std::string bytes;
  std::uint32_t signals = 0;
  std::uint32_t log_bytes = 0;
};

// One thread.
class SimulatedAgent final : private MqttListener {
 public:
  SimulatedAgent(std::size_t number, const EnrolledAgent& identity, int epoll_fd, SSL_CTX& context,
                 std::uint16_t port, Measures& measures);

  // Makes the next batch of a lane and seals it; offer() hands it over for sending.
  SealedBatch seal(wire::Lane lane, std::uint32_t signals, std::string body);
  void offer(SealedBatch batch);

  void connect();
  void tick(SteadyTime now);                 // About every 20 ms
  bool is_live() const { return is_live_; }  // The first ack of this connection is here
  bool is_settled() const;                   // All that was offered is acknowledged
  std::size_t number() const { return number_; }
  const Epoch& epoch() const { return epoch_; }
  void set_inventory_digest(std::string digest) { inventory_digest_ = std::move(digest); }
  void set_series_known(std::uint64_t count) { series_known_ = count; }

 private:
  struct Waiting {
    SealedBatch batch;
    SteadyTime first_sent{};  // Zero: not yet
  };
  struct Lane {
    std::uint64_t next_seq = 1;
    std::uint64_t contiguous = 0;
    std::deque<Waiting> waiting;  // Ascending from contiguous + 1
    std::size_t sent = 0;         // Of `waiting`
    SteadyTime progress_at{};
  };

  void on_connected() override;
  void on_subscribed() override;
  void on_message(std::string_view topic, std::string_view payload) override;
  void on_confirmed() override;
  void on_closed(const std::string& why) override;

  void say_hello();
  void pump();
  bool send_next(Lane& lane);
  void take_ack(const wire::Ack& ack);
  void count_acked(const Waiting& waiting, SteadyTime now);

  const std::size_t number_;
  const EnrolledAgent& identity_;
  const std::uint16_t port_;
  Measures& measures_;
  MqttLink link_;
  Epoch epoch_;
  wire::Nonce16 nonce_{};
  wire::Nonce16 challenge_{};
  std::uint64_t hellos_ = 0;
  std::array<std::string, wire::kLaneCount> topics_;
  std::array<Lane, wire::kLaneCount> lanes_;
  std::string inventory_digest_;
  std::uint64_t series_known_ = 0;
  std::uint64_t credit_ = 0;
  std::uint64_t bytes_in_flight_ = 0;
  std::size_t unconfirmed_ = 0;
  bool is_live_ = false;
  bool is_down_ = false;
  Backoff backoff_;
  SteadyTime reconnect_at_{};
  SteadyTime next_hello_{};
  SteadyTime next_ping_{};
};

}  // namespace observeai::bench
