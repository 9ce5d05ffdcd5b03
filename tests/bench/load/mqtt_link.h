// The least of MQTT 3.1.1 that a simulated agent needs, over non-blocking TLS with a certificate of its
// own: connect, subscribe, publish with QoS 1, receive. Thousands of them share one thread and one epoll.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::bench {

class MqttListener {
 public:
  virtual ~MqttListener() = default;
  virtual void on_connected() = 0;  // CONNACK with 0
  virtual void on_subscribed() = 0;
  virtual void on_message(std::string_view topic, std::string_view payload) = 0;
  virtual void on_confirmed() = 0;  // One PUBACK
  virtual void on_closed(const std::string& why) = 0;
};

struct TlsIdentity {
  std::string client_id;
  std::string certificate_pem;
  std::string key_pem;
};

struct FreeTls {
  void operator()(SSL* tls) const { ::SSL_free(tls); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;

// For clients that trust only `server_ca_pem`.
Result<TlsContext> make_client_context(const std::string& server_ca_pem);

// One connection after the other to 127.0.0.1 as "localhost". Handlers run inside ready() and must not
// destroy the link. Not thread-safe.
class MqttLink {
 public:
  // `listener`, `context` and `identity` outlive it; `epoll_fd` reports to ready() with `this` as data.
  MqttLink(int epoll_fd, SSL_CTX& context, const TlsIdentity& identity, MqttListener& listener);
  ~MqttLink();
  MqttLink(const MqttLink&) = delete;
  MqttLink& operator=(const MqttLink&) = delete;

  Result<void> open(std::uint16_t port);
  void ready();
  void subscribe(std::string_view filter);
  void publish(std::string_view topic, std::string_view payload);
  void ping();
  void close();  // Without on_closed()
  bool is_up() const { return state_ == State::kUp; }
  std::uint64_t bytes_sent() const { return bytes_sent_; }

 private:
  enum class State { kClosed, kTcp, kTls, kMqtt, kUp };

  bool advance_handshake();
  void fail(const std::string& why);
  void read_all();
  void take_packets();
  void take_packet(std::uint8_t type, std::string_view body);
  void put_packet(std::uint8_t first_byte, std::string_view head, std::string_view body);
  void flush();

  const int epoll_fd_;
  SSL_CTX& context_;
  const TlsIdentity& identity_;
  MqttListener& listener_;
  State state_ = State::kClosed;
  int fd_ = -1;
  std::unique_ptr<SSL, FreeTls> tls_;
  std::string in_;
  std::string out_;
  std::size_t out_at_ = 0;
  std::uint16_t next_packet_id_ = 1;
  std::uint64_t bytes_sent_ = 0;
};

}  // namespace observeai::bench
