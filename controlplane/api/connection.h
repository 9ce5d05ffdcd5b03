// One accepted connection: handshake, requests one after the other, event streams. Internal to
// controlplane/api. Everything runs on the socket's strand; the object lives as long as its
// coroutine.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "controlplane/api/api_server.h"

namespace observeai::controlplane::api {

struct AtomicCounters {
  std::atomic<std::uint64_t> connections = 0;
  std::atomic<std::uint64_t> accepted = 0;
  std::atomic<std::uint64_t> refused_connections = 0;
  std::atomic<std::uint64_t> failed_handshakes = 0;
  std::atomic<std::uint64_t> timeouts = 0;
  std::atomic<std::uint64_t> bad_requests = 0;
  std::atomic<std::uint64_t> requests = 0;
  std::atomic<std::uint64_t> lagged_followers = 0;
};

// What all connections share; outlives them.
struct ServerShared {
  const ApiServer::Options options;
  Api& api;
  boost::asio::thread_pool workers;
  AtomicCounters counters;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using TlsContext = std::shared_ptr<boost::asio::ssl::context>;
  // `on_gone` is called once, when the connection is destroyed.
  Connection(boost::asio::ip::tcp::socket socket, TlsContext context, std::string remote_ip,
             ServerShared& shared, std::function<void()> on_gone);
  ~Connection();

  void start();
  void close();  // From any thread

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  template <class T>
  using Co = boost::asio::awaitable<T>;

  Co<void> run(std::shared_ptr<Connection> self);
  Co<bool> serve_one();  // False: no further request on this connection
  Co<bool> read_request(Parser& parser, Request& request);
  Co<bool> wait_for_first_byte();
  Co<bool> write(Reply reply, bool keep_alive, bool head_only);
  Co<bool> refuse(Reply reply);
  Co<void> follow(Reply reply);
  Co<bool> end_stream(std::string farewell);
  Co<bool> write_chunk(std::string data);
  Co<bool> write_raw(std::string bytes);
  Co<void> wait_for_frames(std::chrono::steady_clock::time_point at_most);
  Co<void> shut_down();

  Request head_of(const Parser& parser) const;  // All but the body
  void watch_peer();
  void arm(std::chrono::milliseconds patience);
  void disarm();
  void close_now();

  TlsContext context_;
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer wake_;  // Waits for frames or the next keep-alive
  boost::beast::flat_buffer buffer_;
  const std::string remote_ip_;
  ServerShared& shared_;
  std::function<void()> on_gone_;
  bool closed_ = false;
  bool peer_gone_ = false;  // In an event stream
  std::atomic<bool> wake_posted_ = false;
  std::array<char, 64> discard_{};
};

}  // namespace observeai::controlplane::api
