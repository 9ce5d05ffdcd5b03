// One TLS connection to a server known by its public key; every step ends at a deadline.
// Internal to protocol/http.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/http/http_client.h"

namespace observeai::http {

// Used by one thread at a time.
class TlsConnection {
 public:
  using Stream = boost::asio::ssl::stream<boost::asio::ip::tcp::socket>;

  // Resolves, connects and shakes hands. kUnavailable, kDenied (another key), kTimeout.
  static Result<std::unique_ptr<TlsConnection>> open(const Endpoint& endpoint, SteadyTime deadline);

  // Starts an asynchronous operation and runs it to its end or to the deadline. nullopt = timed
  // out; the connection is closed then.
  template <class Start>
  std::optional<boost::system::error_code> await(SteadyTime deadline, Start start) {
    std::optional<boost::system::error_code> done;
    start([&done](boost::system::error_code error, auto&&...) { done = error; });
    io_.restart();
    while (!done && io_.run_one_until(deadline) > 0) {
    }
    if (done) return done;
    close();
    io_.restart();
    io_.run();  // The cancelled operation refers to `done`.
    return std::nullopt;
  }

  void close();
  Stream& stream() { return stream_; }
  boost::beast::flat_buffer& buffer() { return buffer_; }

 private:
  TlsConnection(const Endpoint& endpoint);
  Result<void> connect(SteadyTime deadline);
  Result<void> handshake(SteadyTime deadline);
  std::string where() const { return endpoint_.host + ":" + std::to_string(endpoint_.port); }

  Endpoint endpoint_;
  std::string seen_spki_;  // Hex, of the key that the server showed
  boost::asio::io_context io_{1};
  boost::asio::ssl::context context_;
  Stream stream_;
  boost::beast::flat_buffer buffer_;

  friend int verify_pin(struct x509_store_ctx_st* store, void* self);
};

}  // namespace observeai::http
