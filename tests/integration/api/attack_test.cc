// What hostile clients do, over real sockets. After each attack an honest client is served.
#include <thread>

#include "tests/integration/api/api_server_fixture.h"

namespace observeai::controlplane::api {
namespace {

using namespace std::chrono_literals;

ApiServer::Options impatient() {
  ApiServer::Options options;
  options.deadlines.handshake = 500ms;
  options.deadlines.header = 500ms;
  options.deadlines.body = 500ms;
  options.deadlines.idle = 500ms;
  options.deadlines.write = 1000ms;
  return options;
}

int status_of(ServerFixture& f, std::string_view bytes) {
  RawClient client(f.server->port());
  client.send(bytes);
  return client.status();
}

const std::string kStart = "GET /v1/health HTTP/1.1\r\nHost: x\r\n";

TEST_CASE("64 dripping clients do not stop a healthy one") {
  ServerFixture f;  // The deadlines of production: the drips go on all the while
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 64; ++i)
    slow.push_back(std::make_unique<RawClient>(f.server->port(), i % 4 != 0));
  std::atomic<bool> stop = false;
  std::atomic<std::size_t> rounds = 0;
  std::thread dripping([&] {
    const std::string bytes = kStart + "X: " + std::string(4000, 'x');
    for (std::size_t at = 0; !stop && at < bytes.size(); ++at) {
      for (std::size_t i = 0; i < slow.size(); ++i) {
        if (i % 4 == 0)
          slow[i]->send_plain(at == 0 ? "\x16" : "\x03");  // Half a handshake
        else
          slow[i]->send(std::string_view(bytes).substr(at, 1));
      }
      rounds = at + 1;
      std::this_thread::sleep_for(5ms);
    }
  });
  const auto client = f.client();
  while (rounds < 60) {
    const auto start = std::chrono::steady_clock::now();
    const auto reply = client->send(f.request("/v1/hosts"));
    REQUIRE(reply);
    CHECK(reply->status == 200);
    CHECK(std::chrono::steady_clock::now() - start < 2s);
  }
  stop = true;
  dripping.join();
}

TEST_CASE("every step has its deadline") {
  ServerFixture f(impatient());
  RawClient silent(f.server->port(), false);
  CHECK(silent.plain_is_closed());
  RawClient idle(f.server->port());
  CHECK(idle.receive() == "");
  RawClient half_header(f.server->port());
  half_header.send("GET /v1/health HT");
  CHECK(half_header.receive() == "");
  RawClient half_body(f.server->port());
  half_body.send("POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
  CHECK(half_body.receive() == "");
  RawClient kept(f.server->port());
  kept.send(kStart + "\r\n");
  CHECK(kept.status() == 200);
  CHECK(kept.receive().find("HTTP/1.1") == std::string::npos);  // Idle after its reply
  CHECK(f.server->counters().timeouts == 5);
  CHECK(f.is_healthy());
}

TEST_CASE("a header one byte at a time does not get more time") {
  ServerFixture f(impatient());
  RawClient client(f.server->port());
  const auto start = std::chrono::steady_clock::now();
  std::size_t sent = 0;
  while (client.send(sent < kStart.size() ? std::string_view(kStart).substr(sent, 1) : "x")) {
    ++sent;
    std::this_thread::sleep_for(20ms);
    if (std::chrono::steady_clock::now() - start > 10s) break;
  }
  CHECK(std::chrono::steady_clock::now() - start < 5s);
}

TEST_CASE("headers are bounded") {
  ServerFixture f;
  const auto with_header = [&](std::size_t bytes) {
    const std::string rest = "X: \r\n\r\n";
    return status_of(
        f, kStart + "X: " + std::string(bytes - kStart.size() - rest.size(), 'x') + "\r\n\r\n");
  };
  CHECK(with_header(kMaxHeaderBytes) == 200);
  CHECK(with_header(kMaxHeaderBytes + 1) == 431);
  CHECK(status_of(f, "GET /" + std::string(1U << 20, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n") == 431);
  std::string many = kStart;
  for (int i = 0; i < 5000; ++i) many += "A: b\r\n";
  CHECK(status_of(f, many + "\r\n") == 431);
  CHECK(f.is_healthy());
}

TEST_CASE("bodies are bounded, with a length and chunked, by their endpoint") {
  ServerFixture f;
  const auto with_length = [&](const std::string& path, std::size_t bytes) {
    return status_of(f, "POST " + path +
                            " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) +
                            "\r\n\r\n" + std::string(std::min<std::size_t>(bytes, 2U << 20), ' '));
  };
  CHECK(with_length("/v1/enroll", kMaxBodyBytes) == 202);
  CHECK(with_length("/v1/enroll", kMaxBodyBytes + 1) == 413);
  CHECK(with_length("/v1/login", kMaxBodyBytes) == 400);  // Read, and then it is no login
  CHECK(with_length("/v1/login", kMaxBodyBytes + 1) == 413);
  CHECK(with_length("/v1/login", 1ULL << 62) == 413);

  const auto chunked = [&](const std::string& path, std::size_t bytes) {
    std::string request =
        "POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string chunk = "400\r\n" + std::string(1024, ' ') + "\r\n";
    for (std::size_t sent = 0; sent < bytes; sent += 1024) request += chunk;
    return status_of(f, request + "0\r\n\r\n");
  };
  CHECK(chunked("/v1/enroll", kMaxBodyBytes) == 202);
  CHECK(chunked("/v1/enroll", kMaxBodyBytes + 1024) == 413);
  CHECK(chunked("/v1/login", kMaxBodyBytes + 1024) == 413);
  CHECK(status_of(f,
                  "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                  "chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n") == 413);
  CHECK(f.is_healthy());
}

TEST_CASE("a body is not read for those who may not send it") {
  ServerFixture f(impatient());
  const auto refused = [&](const std::string& path, const std::string& who) {
    std::string head = "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n";
    if (!who.empty()) head += "Authorization: Bearer " + f.world.keys[who] + "\r\n";
    return status_of(f, head + "\r\n");  // Without a byte of the body
  };
  CHECK(refused("/v1/tokens", "") == 401);
  CHECK(refused("/v1/tokens", "viewer") == 403);
  CHECK(refused("/v1/nothing", "admin") == 404);
  CHECK(refused("/v1/hosts", "admin") == 405);
  CHECK(refused("/v1/tokens", "operator") == 0);  // Waited for until the deadline
  CHECK(f.server->counters().requests == 0);
  CHECK(f.is_healthy());
}

TEST_CASE("what two parsers could read in two ways is refused, and nothing after it is run") {
  ServerFixture f;
  const std::string post = "POST /v1/enroll HTTP/1.1\r\nHost: x\r\n";
  const std::string smuggled = "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::vector<std::string> ambiguous = {
      post + "Content-Length: 0\r\nContent-Length: 38\r\n\r\n" + smuggled,
      post + "Content-Length: 38\r\nContent-Length: 38\r\n\r\n" + smuggled,
      post + "Content-Length: 38, 38\r\n\r\n" + smuggled,
      post + "Content-Length: +38\r\n\r\n" + smuggled,
      post + "Content-Length: -1\r\n\r\n" + smuggled,
      post + "Content-Length: 0x10\r\n\r\n" + smuggled,
      post + "Content-Length: 38\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
      post + "Transfer-Encoding: chunked\r\nContent-Length: 38\r\n\r\n0\r\n\r\n" + smuggled,
      post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + smuggled,
      post + "Transfer-Encoding: identity\r\n\r\n" + smuggled,
      post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled,
      post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled,
      post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n" + smuggled,
      post + "Host: y\r\nContent-Length: 0\r\n\r\n" + smuggled,
      "GET /v1/health HTTP/1.1\r\n\r\n" + smuggled,
      "GET /v1/health HTTP/1.1\r\nHost: x\r\nContent-Length: 38\r\n\r\n" + smuggled,
      "GET /v1/health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
          smuggled,
      "GET http://evil/v1/health HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled,
      "GET /v1/health HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n" +
          smuggled,
      "GET /v1/health HTTP/1.1\nHost: x\n\n" + smuggled,
      "GET /v1/health\r\n\r\n" + smuggled,
      "GET  /v1/health HTTP/1.1\r\nHost: x\r\n\r\n" + smuggled,
  };
  for (const auto& bytes : ambiguous) {
    CAPTURE(bytes);
    RawClient client(f.server->port());
    REQUIRE(client.send(bytes));
    const std::string reply = client.receive();
    CHECK(reply.starts_with("HTTP/1.1 400 "));
    CHECK(reply.find("HTTP/1.1 2") == std::string::npos);
    CHECK(reply.find("Connection: close") != std::string::npos);
  }
  CHECK(status_of(f, "GET /v1/health HTTP/1.0\r\nHost: x\r\n\r\n") == 505);
  CHECK(f.server->counters().requests == 0);
  CHECK(f.is_healthy());
}

TEST_CASE("what follows the body proves nothing: trailers are refused, announced or not") {
  ServerFixture f;
  const std::string admin = "Authorization: Bearer " + f.world.keys["admin"] + "\r\n";
  const auto post = [&](const std::string& path, const std::string& header,
                        const std::string& trailer) {
    return "POST " + path + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + header +
           "\r\n2\r\n{}\r\n0\r\n" + trailer + "\r\n";
  };
  CHECK(status_of(f, post("/v1/tokens", "", admin)) == 401);
  CHECK(status_of(f, post("/v1/tokens", "Trailer: Authorization\r\n", admin)) == 400);
  CHECK(status_of(f, post("/v1/tokens", admin, admin)) == 400);
  CHECK(status_of(f, post("/v1/enroll", "", admin)) == 400);
  CHECK(status_of(f, post("/v1/enroll", "", "Last-Event-ID: 1\r\n")) == 400);
  CHECK(status_of(f, post("/v1/enroll", "", "X: y\r\n")) == 400);
  CHECK(status_of(f, kStart + "Trailer: X\r\n\r\n") == 400);
  CHECK_FALSE(f.world.repositories.tokens.find("made").value().has_value());
  CHECK(status_of(f, post("/v1/enroll", "", "")) == 202);
  CHECK(status_of(f, post("/v1/tokens", admin, "")) == 201);
  CHECK(f.is_healthy());
}

TEST_CASE("garbage, before and inside TLS") {
  ServerFixture f(impatient());
  RawClient plain_http(f.server->port(), false);
  plain_http.send_plain("GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(plain_http.plain_is_closed());
  RawClient noise(f.server->port(), false);
  noise.send_plain(std::string(100'000, '\xFF'));
  CHECK(noise.plain_is_closed());
  std::uint32_t seed = 12345;
  for (int i = 0; i < 200; ++i) {
    std::string bytes;
    for (int b = 0; b < 300; ++b) {
      seed = seed * 1664525 + 1013904223;
      bytes += static_cast<char>(seed >> 24U);
    }
    if (i % 2 == 0) bytes = kStart + bytes + "\r\n\r\n";
    RawClient client(f.server->port());
    client.send(bytes);
    const int status = client.status();
    CHECK((status == 0 || status == 400 || status == 200 || status == 431 || status == 505));
  }
  CHECK(f.server->counters().failed_handshakes >= 2);
  CHECK(f.is_healthy());
}

TEST_CASE("clients that vanish in every state leave nothing behind") {
  ServerFixture f;
  const std::string key = f.world.keys["viewer"];
  const std::vector<std::string> beginnings = {
      "",
      "GET /v1",
      kStart,
      kStart + "\r\n",
      "POST /v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
      "GET /v1/logs/follow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + "\r\n\r\n"};
  for (int round = 0; round < 5; ++round) {
    for (const auto& bytes : beginnings) {
      RawClient client(f.server->port());
      client.send(bytes);
      client.close();
    }
  }
  CHECK(eventually([&] { return f.server->counters().connections == 0; }));
  CHECK(eventually([&] { return f.world.live.counters().followers == 0; }));
  CHECK(f.is_healthy());
}

TEST_CASE("connections are limited in all and for one source, and counted") {
  ApiServer::Options options;
  options.max_connections = 10;
  options.max_connections_per_source = 8;
  ServerFixture f(options);
  std::vector<std::unique_ptr<RawClient>> open;
  for (int i = 0; i < 8; ++i) open.push_back(std::make_unique<RawClient>(f.server->port()));
  RawClient refused(f.server->port(), false);
  CHECK(refused.plain_is_closed());
  CHECK(f.server->counters().refused_connections == 1);
  open.pop_back();
  CHECK(eventually([&] { return f.server->counters().connections == 7; }));
  CHECK(f.is_healthy());
}

TEST_CASE("a refusal reaches a client that is still sending") {
  ServerFixture f;
  RawClient client(f.server->port());
  std::string request = "POST /v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 500000000\r\n\r\n";
  request += std::string(512U << 10, 'x');
  client.send(request);
  CHECK(client.status() == 413);
}

}  // namespace
}  // namespace observeai::controlplane::api
