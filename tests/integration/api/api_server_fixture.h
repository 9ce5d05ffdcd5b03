// A running listener with a fresh certificate, and raw clients that may misbehave.
#pragma once

#include <fstream>
#include <memory>
#include <string>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include "controlplane/api/api_server.h"
#include "protocol/http/http_client.h"
#include "protocol/pki/certificate.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {

inline SystemClock& system_clock() {
  static SystemClock clock;
  return clock;
}

struct ServerFixture {
  explicit ServerFixture(ApiServer::Options changed = {}) : world(&system_clock()) {
    issue();
    changed.address = "127.0.0.1";
    changed.port = 0;
    changed.cert_file = directory / "https.pem";
    changed.key_file = directory / "https.key";
    options = changed;
    auto started = ApiServer::start(options, world.api);
    INFO((started ? "" : started.error().message()));
    REQUIRE(started);
    server = std::move(*started);
  }

  void issue() {
    const auto valid = pki::validity_from(system_clock().unix_ms(), 3'600'000);
    const auto authority_key = pki::PrivateKey::generate().value();
    const pki::Authority authority{authority_key,
                                   pki::make_authority(authority_key, "test", valid).value()};
    const auto key = pki::PrivateKey::generate().value();
    const std::vector<std::string> names = {"localhost"};
    const auto certificate = pki::issue_server(authority, key, names, valid).value();
    std::ofstream(directory / "https.pem") << certificate.pem;
    std::ofstream(directory / "https.key") << key.to_pem();
    spki = key.spki_sha256();
  }
  std::unique_ptr<http::HttpClient> client() const {
    return http::make_https_client({"127.0.0.1", server->port(), spki});
  }
  http::Request request(const std::string& path, const std::string& who = "viewer") const {
    http::Request out;
    out.path = path;
    out.timeout = std::chrono::seconds(20);
    if (!who.empty()) out.headers["Authorization"] = "Bearer " + world.keys.at(who);
    return out;
  }
  bool is_healthy() const {
    const auto reply = client()->send(request("/v1/health", ""));
    return reply && reply->status == 200;
  }

  test::TempDir directory;
  Fixture world;
  std::string spki;
  ApiServer::Options options;
  std::unique_ptr<ApiServer> server;
};

// A blocking TLS client that sends what it is told, byte by byte if need be.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, bool shake_hands = true)
      : context_(boost::asio::ssl::context::tls_client), stream_(io_, context_) {
    stream_.next_layer().connect({boost::asio::ip::make_address("127.0.0.1"), port});
    if (shake_hands) stream_.handshake(boost::asio::ssl::stream_base::client);
  }
  bool send(std::string_view bytes) {
    boost::system::error_code error;
    boost::asio::write(stream_, boost::asio::buffer(bytes.data(), bytes.size()), error);
    return !error;
  }
  bool send_plain(std::string_view bytes) {
    boost::system::error_code error;
    boost::asio::write(stream_.next_layer(), boost::asio::buffer(bytes.data(), bytes.size()),
                       error);
    return !error;
  }
  // What comes until `mark` was seen or the other side closes.
  std::string receive(std::string_view mark = "") {
    std::string out;
    boost::system::error_code error;
    while (!error && (mark.empty() || out.find(mark) == std::string::npos)) {
      std::array<char, 4096> bytes{};
      const auto size = stream_.read_some(boost::asio::buffer(bytes), error);
      out.append(bytes.data(), size);
    }
    return out;
  }
  // The status code of the next reply; 0 when the connection was closed instead.
  int status() {
    const std::string reply = receive("\r\n\r\n");
    return reply.starts_with("HTTP/1.1 ") ? std::stoi(reply.substr(9, 3)) : 0;
  }
  bool plain_is_closed() {
    std::array<char, 4096> bytes{};
    boost::system::error_code error;
    while (!error) stream_.next_layer().read_some(boost::asio::buffer(bytes), error);
    return true;
  }
  void close() {
    boost::system::error_code ignored;
    stream_.next_layer().close(ignored);
  }

 private:
  boost::asio::io_context io_;
  boost::asio::ssl::context context_;
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream_;
};

// Waits for a counter that another thread moves; false after a generous time.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace observeai::controlplane::api
