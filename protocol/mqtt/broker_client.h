// The broker as a lossy pipe: at-least-once at best, and nothing else is relied on.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::mqtt {

// Paho throws after ~100 unacknowledged messages and Mosquitto drops such a client: our own window.
inline constexpr std::size_t kMaxInFlight = 16;
// Of a client that answers a whole fleet: with 16 its acks are as slow as the broker's PUBACKs.
inline constexpr std::size_t kMaxInFlightOfService = 64;

struct Message {
  std::string topic;
  std::string payload;
};

struct Identity {
  std::string host;  // Verified against the broker's certificate
  std::uint16_t port = 8883;
  std::string client_id;
  std::string ca_file;  // PEM: trusts only these
  std::string certificate_file;
  std::string key_file;
  std::chrono::seconds keep_alive{60};
  std::chrono::seconds connect_timeout{10};
  std::size_t window = kMaxInFlight;  // Open publishes; at most kMaxInFlightOfService
};

// One connection at a time; never reconnects by itself, never stores anything. All methods are
// called on one thread (the owner's); handlers are run through `post`, which must hand the function
// to that same thread and never run it inline. After disconnect() or destruction no handler runs.
class BrokerClient {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Done = std::function<void(Result<void>)>;

  virtual ~BrokerClient() = default;
  // kUnavailable: refused, unreachable; kDenied: TLS or broker says no (message tells which);
  // kTimeout.
  // An empty certificate_file presents none (for tests of a broker).
  virtual void connect(const Identity& identity, Done done) = 0;
  virtual void subscribe(const std::vector<std::string>& filters, Done done) = 0;  // QoS 1
  // QoS 1; `done` on PUBACK, which frees the window and means nothing else. kLimit at once when
  // Identity::window are open, kUnavailable when not connected; then `done` is not called. When the
  // connection is lost, open publishes end with kUnavailable before on_disconnected runs.
  virtual Result<void> publish(Message message, Done done) = 0;
  virtual void disconnect() = 0;
  virtual std::size_t in_flight() const = 0;
  virtual bool connected() const = 0;
  // Arrived but not handed on: the owner was too slow (bounded, see paho_session.h). Harmless to a
  // protocol that trusts no broker, but worth a counter.
  virtual std::uint64_t dropped_messages() const { return 0; }

  virtual void on_message(std::function<void(Message)> handler) = 0;
  virtual void on_disconnected(std::function<void(Error)> handler) = 0;  // Not after disconnect()
};

std::unique_ptr<BrokerClient> make_paho_client(BrokerClient::Post post);

// Connecting takes Paho one to two seconds; after this a tenth of that, for all clients of the
// process, at the price of one connection of the process to itself over loopback. For the control
// plane, whose canaries are many and in a hurry.
void enable_prompt_connects();

}  // namespace observeai::mqtt
