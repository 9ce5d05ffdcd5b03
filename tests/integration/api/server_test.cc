#include <thread>

#include "tests/integration/api/api_server_fixture.h"

namespace observeai::controlplane::api {
namespace {

using namespace std::chrono_literals;

TEST_CASE("requests are answered over TLS, one connection for many") {
  ServerFixture f;
  const auto client = f.client();
  for (int i = 0; i < 5; ++i) {
    const auto reply = client->send(f.request("/v1/whoami"));
    REQUIRE(reply);
    CHECK(reply->status == 200);
    CHECK(boost::json::parse(reply->body).as_object().at("user").as_string() == "viewer");
  }
  CHECK(f.server->counters().accepted == 1);
  CHECK(f.server->counters().requests == 5);
}

TEST_CASE("replies carry the headers that keep browsers safe") {
  ServerFixture f;
  const auto reply = f.client()->send(f.request("/v1/hosts/nope"));
  REQUIRE(reply);
  CHECK(reply->status == 404);
  CHECK(reply->headers.at("content-type") == "application/json");
  CHECK(reply->headers.at("cache-control") == "no-store");
  CHECK(reply->headers.at("x-content-type-options") == "nosniff");
  CHECK(reply->headers.at("x-frame-options") == "DENY");
  CHECK(reply->headers.at("content-security-policy").starts_with("default-src 'none'"));
  CHECK(reply->headers.count("server") == 0);
}

TEST_CASE("the address that handlers see is the socket's, whatever headers say") {
  ServerFixture f;
  auto request = f.request("/v1/enroll", "");
  request.method = "POST";
  request.body = "{}";
  request.headers["X-Forwarded-For"] = "1.2.3.4";
  request.headers["REMOTE_ADDR"] = "1.2.3.4";
  const auto reply = f.client()->send(request);
  REQUIRE(reply);
  CHECK(reply->body == R"({"got":2,"from":"127.0.0.1"})");
}

TEST_CASE("a used port is said with its number") {
  ServerFixture f;
  auto options = f.options;
  options.port = f.server->port();
  const auto second = ApiServer::start(options, f.world.api);
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == Errc::kUnavailable);
  CHECK(second.error().message().find("127.0.0.1:" + std::to_string(options.port)) !=
        std::string::npos);
  CHECK(second.error().message().find("another program uses this port") != std::string::npos);
}

TEST_CASE("wrong certificates and addresses are said with their file") {
  ServerFixture f;
  auto options = f.options;
  options.cert_file = f.directory / "missing.pem";
  CHECK(ApiServer::start(options, f.world.api).error().message().find("missing.pem") !=
        std::string::npos);
  options = f.options;
  std::ofstream(f.directory / "other.key") << pki::PrivateKey::generate()->to_pem();
  options.key_file = f.directory / "other.key";
  const auto mismatch = ApiServer::start(options, f.world.api);
  REQUIRE_FALSE(mismatch);
  CHECK(mismatch.error().message().find("other.key") != std::string::npos);
  options = f.options;
  options.address = "not-an-address";
  CHECK(ApiServer::start(options, f.world.api).error().code() == Errc::kInvalid);
}

TEST_CASE("a new certificate is used after reload, a broken one never") {
  ServerFixture f;
  const std::string before = f.spki;
  f.issue();
  CHECK_FALSE(f.is_healthy());  // Still the certificate of the start
  REQUIRE(f.server->reload_certificate());
  CHECK(f.is_healthy());
  std::ofstream(f.directory / "https.pem") << "garbage";
  CHECK_FALSE(f.server->reload_certificate());
  CHECK(f.is_healthy());
}

TEST_CASE("TLS 1.1 is refused") {
  ServerFixture f;
  boost::asio::io_context io;
  boost::asio::ssl::context context(boost::asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(context.native_handle(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(context.native_handle(), "ALL:@SECLEVEL=0");
  boost::asio::ssl::stream<boost::asio::ip::tcp::socket> stream(io, context);
  stream.next_layer().connect({boost::asio::ip::make_address("127.0.0.1"), f.server->port()});
  boost::system::error_code error;
  stream.handshake(boost::asio::ssl::stream_base::client, error);
  CHECK(error);
  CHECK(eventually([&] { return f.server->counters().failed_handshakes == 1; }));
}

TEST_CASE("pipelined requests are answered in order; Connection: close is honoured") {
  ServerFixture f;
  RawClient client(f.server->port());
  REQUIRE(
      client.send("GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/nope HTTP/1.1\r\nHost: "
                  "x\r\nConnection: close\r\n\r\n"));
  const std::string replies = client.receive();
  const auto first = replies.find("HTTP/1.1 200");
  const auto second = replies.find("HTTP/1.1 404");
  CHECK(first == 0);
  CHECK(second != std::string::npos);
  CHECK(replies.find("Connection: close") > second);
}

TEST_CASE("chunked bodies are read") {
  ServerFixture f;
  RawClient client(f.server->port());
  REQUIRE(
      client.send("POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n3\r\n{} \r\n0\r\n\r\n"));
  CHECK(client.receive("}").find(R"({"got":3)") != std::string::npos);
}

TEST_CASE("the server stops with connections open and a request under way") {
  auto f = std::make_unique<ServerFixture>();
  RawClient idle(f->server->port());
  RawClient half(f->server->port());
  REQUIRE(half.send("GET /v1/hea"));
  RawClient follower(f->server->port());
  REQUIRE(follower.send("GET /v1/logs/follow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                        f->world.keys["viewer"] + "\r\n\r\n"));
  follower.receive("event: live");
  const auto start = std::chrono::steady_clock::now();
  f->server.reset();
  CHECK(std::chrono::steady_clock::now() - start < 5s);
  CHECK(idle.receive() == "");
}

TEST_CASE("many clients at once") {
  ServerFixture f;
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      const auto client = f.client();
      for (int i = 0; i < 20; ++i) {
        const auto reply = client->send(f.request("/v1/containers"));
        if (reply && reply->status == 200) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 16 * 20);
  CHECK(eventually([&] { return f.server->counters().connections == 0; }));
}

}  // namespace
}  // namespace observeai::controlplane::api
