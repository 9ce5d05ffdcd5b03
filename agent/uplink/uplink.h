// Brings the spool's batches to the control plane through a broker that may lose, delay, repeat,
// reorder or forge anything. A batch leaves the spool only on an authenticated Ack; a PUBACK frees
// the window and means nothing else.
//
//   state        leaves for       when
//   idle         connecting       start()
//   connecting   subscribing      connected
//   subscribing  greeting         subscribed to down/#; the hello is published
//   greeting     live             first authenticated Ack to this process's hello; one that asks for
//                                 another hello, with a challenge, is answered at once
//   live         greeting         an Ack that knows no hello of ours: the control plane has started
//                                 anew, or a copy of this host speaks; or our spool is the copy
//   live         -                hello every 5 minutes
//   backing off  connecting       a random time below 4 s .. 60 s, growing until live is reached again
//   any but idle backing off      refused, lost, or no answer within a step's patience (greeting:
//                                 five minutes of hellos; the next broker may reach further)
//   any          idle             stop()
//
// Batches flow in live only: what is sent before the control plane listens would be lost and cost a
// resend. Lane 0 goes first and in order; then what is fresh of lanes 1 to 3; then their backlog, with
// three quarters of the credit, so that fresh data finds a place at once.
//
// Nothing of an Ack is believed that does not echo our nonce. One that does speaks of batches of this
// very spool: ingest takes those of one session only, and compares the spool when it says hello. Where
// an Ack contradicts the spool all the same, the spool is a copy (docs/adr/0010): it begins a new epoch
// before anything of that Ack is applied.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/spool/spool.h"
#include "agent/uplink/lane_sender.h"
#include "protocol/base/backoff.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/mqtt/broker_client.h"
#include "protocol/signing/sealing.h"
#include "protocol/topics/topics.h"
#include "protocol/wire/command.h"
#include "protocol/wire/messages.h"

namespace observeai::agent {

enum class UplinkState { kIdle, kConnecting, kSubscribing, kGreeting, kLive, kBackingOff };
const char* to_string(UplinkState state);  // "idle", "backing off", ...

struct UplinkCounters {
  std::uint64_t connects = 0;    // Attempts
  std::uint64_t reconnects = 0;  // Connections that were lost or given up
  std::uint64_t hellos = 0;
  std::uint64_t batches_sent = 0;  // Given to the broker, resent ones included
  std::uint64_t batches_resent = 0;
  std::uint64_t bytes_sent = 0;  // Sealed
  std::uint64_t batches_acked = 0;
  std::uint64_t acks = 0;         // Authenticated, of this epoch
  std::uint64_t forged_acks = 0;  // Not ours, changed, or undecodable: ignored
  std::uint64_t foreign_epoch_acks = 0;
  std::uint64_t other_session_acks = 0;  // Or of none: answered by a hello
  std::uint64_t forks = 0;               // This spool was found to be a copy
  std::uint64_t batches_oversized = 0;   // Declared lost: no broker would take them
  std::uint64_t commands = 0;            // Sealed for this host; repeated ones included
  std::uint64_t metas = 0;
  std::uint64_t forged_messages = 0;      // Commands and meta: not ours, changed, or undecodable
  std::uint64_t unexpected_messages = 0;  // On a topic nobody here handles
  std::uint64_t in_flight_bytes = 0;      // Sent, not acknowledged by the control plane
};

// Called on the owner's thread from inside tick() and the broker's handlers. Must not call stop()
// or destroy the uplink.
class UplinkEvents {
 public:
  virtual ~UplinkEvents() = default;
  virtual void on_need_series() = 0;     // Put all series definitions on lane 0 again
  virtual void on_need_inventory() = 0;  // Put the whole inventory on lane 0 again
  // The spool has begun a new epoch: numbers, series and ledger that were known of it are void.
  virtual void on_new_epoch() = 0;
  virtual void on_state_changed(UplinkState state, const std::string& reason) = 0;
  // Authenticated and of this process's session, but the broker may have delayed it.
  virtual void on_server_time(std::int64_t unix_ms) = 0;
  // A signed command, sealed for this host. Nothing of it is verified here: for the executor alone.
  virtual void on_command(std::string envelope) = 0;
  virtual void on_meta(const wire::Meta& meta) = 0;
  // What a person should know: a batch that cannot be sent, a spool that cannot be read or is a copy.
  virtual void on_fault(const Error& error) = 0;
};

struct UplinkIdentity {
  topics::AgentAddress address;
  signing::SessionKeys keys;
  // Read again for each connection: certificates are renewed while we run.
  std::function<Result<mqtt::Identity>()> broker;
  // What only the rest of the agent knows (versions, digests, command state, counters); the uplink
  // fills in agent, epoch, nonce, time, sequence numbers, series_known and spool_bytes, and adds
  // its own counters as "uplink_...".
  std::function<wire::Hello()> hello;
};

// One thread: the owner's, on which the broker client also runs its handlers. Nothing blocks except
// the spool. The owner calls tick() about every 200 ms.
class Uplink {
 public:
  static constexpr std::chrono::seconds kHelloEvery{300};
  // A hello may come before the control plane listens, at a start of both: it is cheap to ask
  // again.
  static constexpr std::chrono::milliseconds kFirstHelloRetry{1'000};
  static constexpr std::chrono::milliseconds kFirstWait{4'000};
  static constexpr std::chrono::milliseconds kLastWait{60'000};
  static constexpr std::chrono::seconds kGreetingPatience{300};
  // A broker that takes no message for so long is given up, or one that passes over a message while it
  // takes what was sent after it: a slow link keeps the order.
  static constexpr std::chrono::seconds kBrokerPatience{60};
  // The control plane forgot us: what was on its way is sent again, but not more often than this,
  // whatever old Acks a broker repeats.
  static constexpr std::chrono::seconds kResendEvery{5};

  Uplink(Spool& spool, mqtt::BrokerClient& broker, const Clock& clock, UplinkEvents& events,
         UplinkIdentity identity, std::function<std::uint64_t()> random);
  ~Uplink();
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  void start();
  void stop();  // Disconnects; nothing is lost.
  void tick();
  void on_spool_grew();  // After Spool::commit(): sends at once what may be sent.

  // The next tick says hello again, for what the control plane should know of us has changed.
  void hello_soon() { next_hello_ = {}; }
  // Something waits, all that was sent is acknowledged, and there is credit: a stall, if it lasts.
  bool should_send() const;

  UplinkState state() const { return state_; }
  const UplinkCounters& counters() const { return counters_; }
  const wire::Nonce16& session_nonce() const { return session_nonce_; }

 private:
  enum class Sending { kSent, kFull };
  enum class Part { kFresh, kBacklog };

  void become(UplinkState state, const std::string& reason);
  bool connected() const;
  void connect();
  void subscribe();
  void greet();
  void give_up(const std::string& reason);
  void forget_connection();
  void tick_connected(SteadyTime now);
  void note_confirmed(SteadyTime sent_at);
  bool is_passed_over(SteadyTime now) const;
  void say_hello();
  wire::Hello make_hello();

  void pump();
  bool pump_lane(wire::Lane lane, Part part);  // False when no lane may send now
  Sending send(wire::Batch& batch, Part part);
  std::string seal(wire::Batch& batch);
  std::uint64_t credit_of(Part part) const;
  bool credit_allows(std::uint64_t bytes, Part part) const;
  void update_in_flight();

  void take_message(const mqtt::Message& message);
  void take_command(const std::string& sealed);
  void take_meta(const std::string& sealed);
  void take_ack_message(const std::string& sealed);
  void take_ack(const wire::Ack& ack);
  bool take_challenge(const wire::Nonce16& challenge);
  void answer_challenge();
  void ask_anew(const std::string& reason);
  Result<bool> is_contradicted(const wire::Ack& ack);
  void begin_epoch();
  void take_orders(const wire::Ack& ack);
  void settle();
  void fault(const std::string& subject, const Error& error);
  void no_fault(const std::string& subject) { faults_.erase(subject); }

  Spool& spool_;
  mqtt::BrokerClient& broker_;
  const Clock& clock_;
  UplinkEvents& events_;
  const UplinkIdentity identity_;
  const std::function<std::uint64_t()> random_;

  UplinkState state_ = UplinkState::kIdle;
  SteadyTime deadline_{};  // Patience of a step, or the end of backing off
  Backoff backoff_{kFirstWait, kLastWait};
  SteadyTime next_hello_{};
  Backoff hello_retry_{2 * kFirstHelloRetry, LaneSender::kLastRetry};
  SteadyTime last_confirmation_{};  // Of any publish by the broker
  SteadyTime confirmed_through_{};  // When the newest was sent that it confirmed
  wire::Nonce16 session_nonce_{};
  wire::Nonce16 challenge_{};        // Newest that was told
  std::uint64_t hello_number_ = 0;   // Of the last one
  bool answered_challenge_ = false;  // Since greeting began
  std::array<LaneSender, wire::kLaneCount> lanes_;
  std::array<std::uint64_t, wire::kLaneCount> settled_{};  // What the spool has been told
  // Compared with the spool already.
  std::array<wire::CommittedContent, wire::kLaneCount> compared_;
  bool is_copy_ = false;   // A new epoch is due: nothing is sent or settled before it
  bool tell_tags_ = true;  // With the next hello
  bool resend_ = false;    // When the control plane knows us again
  std::optional<SteadyTime> resent_at_;
  std::optional<SteadyTime> last_hello_;
  std::uint64_t credit_ = 0;         // None before the first Ack of a connection
  std::int64_t server_time_ms_ = 0;  // Newest told, on this connection
  bool asked_series_ = false;        // Since the last hello
  bool asked_inventory_ = false;
  std::map<std::string, std::string>
      faults_;  // By subject, the last one told: not again on each tick
  UplinkCounters counters_;
};

}  // namespace observeai::agent
