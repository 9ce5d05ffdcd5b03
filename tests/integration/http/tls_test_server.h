// A TLS server on the loopback that does to each connection what a test tells it, hostile or not.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include "protocol/base/clock.h"
#include "protocol/http/http_client.h"
#include "protocol/pki/certificate.h"

namespace observeai::test {

// Blocking view of one accepted connection. Errors show as an empty read or a false write.
class TestPeer {
 public:
  TestPeer(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& context)
      : stream_(std::move(socket), context) {}
  bool handshake() {
    boost::system::error_code error;
    stream_.handshake(boost::asio::ssl::stream_base::server, error);
    return !error;
  }
  std::string read_header() {
    boost::system::error_code error;
    const auto size =
        boost::asio::read_until(stream_, boost::asio::dynamic_buffer(pending_), "\r\n\r\n", error);
    if (error) return "";
    std::string header = pending_.substr(0, size);
    pending_.erase(0, size);
    return header;
  }
  bool write(std::string_view bytes) {
    boost::system::error_code error;
    boost::asio::write(stream_, boost::asio::buffer(bytes.data(), bytes.size()), error);
    return !error;
  }
  bool write_plain(std::string_view bytes) {
    boost::system::error_code error;
    boost::asio::write(stream_.next_layer(), boost::asio::buffer(bytes.data(), bytes.size()),
                       error);
    return !error;
  }
  // Until the other side closes.
  void wait_for_close() {
    std::array<char, 256> bytes{};
    boost::system::error_code error;
    while (!error) stream_.next_layer().read_some(boost::asio::buffer(bytes), error);
  }
  void close() {
    boost::system::error_code error;
    stream_.next_layer().close(error);
  }
  void shutdown() {
    boost::system::error_code error;
    stream_.shutdown(error);
  }

 private:
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_;
  std::string pending_;
};

class TlsTestServer {
 public:
  using Script = std::function<void(TestPeer&)>;

  // `script` runs on a thread for each connection, before any handshake.
  explicit TlsTestServer(Script script)
      : key_(pki::PrivateKey::generate().value()),
        script_(std::move(script)),
        acceptor_(io_, {boost::asio::ip::make_address("127.0.0.1"), 0}) {
    const auto valid = pki::validity_from(SystemClock().unix_ms(), 3'600'000);
    const auto authority_key = pki::PrivateKey::generate().value();
    const pki::Authority authority{authority_key,
                                   pki::make_authority(authority_key, "test", valid).value()};
    const std::vector<std::string> names = {"localhost"};
    const auto certificate = pki::issue_server(authority, key_, names, valid).value();
    context_.use_certificate_chain(boost::asio::buffer(certificate.pem));
    context_.use_private_key(boost::asio::buffer(key_.to_pem()), boost::asio::ssl::context::pem);
    accepting_ = std::thread([this] { accept(); });
  }
  ~TlsTestServer() {
    stopping_ = true;
    boost::system::error_code error;
    boost::asio::ip::tcp::socket(io_).connect(acceptor_.local_endpoint(), error);  // Wakes accept()
    accepting_.join();
    for (auto& thread : peers_) thread.join();
  }
  TlsTestServer(const TlsTestServer&) = delete;
  TlsTestServer& operator=(const TlsTestServer&) = delete;

  http::Endpoint endpoint() const {
    return {"127.0.0.1", acceptor_.local_endpoint().port(), key_.spki_sha256()};
  }
  int connections() const { return connections_; }

 private:
  void accept() {
    while (true) {
      boost::system::error_code error;
      auto socket = acceptor_.accept(error);
      if (stopping_ || error) return;
      ++connections_;
      peers_.emplace_back([this, peer = std::make_shared<TestPeer>(std::move(socket), context_)] {
        script_(*peer);
        peer->close();
      });
    }
  }

  pki::PrivateKey key_;
  Script script_;
  boost::asio::io_context io_;
  boost::asio::ssl::context context_{boost::asio::ssl::context::tls_server};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::thread accepting_;
  std::vector<std::thread> peers_;
};

}  // namespace observeai::test
