#include <doctest/doctest.h>

#include "protocol/http/http_client.h"
#include "tests/integration/http/tls_test_server.h"

namespace observeai::http {
namespace {

using namespace std::chrono_literals;
using test::TestPeer;
using test::TlsTestServer;

Request get(std::string path, std::chrono::milliseconds timeout = 5s) {
  Request request;
  request.path = std::move(path);
  request.timeout = timeout;
  return request;
}

std::string reply(std::string_view body, std::string_view headers = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

// Answers every request with its own first line, on one connection.
void echo(TestPeer& peer) {
  if (!peer.handshake()) return;
  while (true) {
    const std::string header = peer.read_header();
    if (header.empty()) return;
    if (!peer.write(reply(header, "X-Mixed: Yes\r\n"))) return;
  }
}

double seconds_since(SteadyTime start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST_CASE("requests reach the server as asked, on one kept connection") {
  TlsTestServer server(echo);
  const auto client = make_https_client(server.endpoint());
  Request request = get("/v1/x?a=b%20c");
  request.headers["Authorization"] = "Bearer k";
  for (int i = 0; i < 3; ++i) {
    const auto response = client->send(request);
    REQUIRE(response);
    CHECK(response->status == 200);
    CHECK(response->headers.at("x-mixed") == "Yes");
    CHECK(response->body.starts_with("GET /v1/x?a=b%20c HTTP/1.1\r\n"));
    CHECK(response->body.find("Authorization: Bearer k\r\n") != std::string::npos);
    CHECK(response->body.find("Host: 127.0.0.1:") != std::string::npos);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a body goes out as JSON on a connection of its own") {
  TlsTestServer server(echo);
  const auto client = make_https_client(server.endpoint());
  REQUIRE(client->send(get("/")));
  Request request = get("/v1/login");
  request.method = "POST";
  request.body = "{}";
  const auto response = client->send(request);
  REQUIRE(response);
  CHECK(response->body.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(response->body.find("Content-Length: 2\r\n") != std::string::npos);
  CHECK(server.connections() == 2);
}

TEST_CASE("another key gets no byte of the request") {
  std::atomic<bool> shook_hands = true;
  std::string got = "unset";
  {
    TlsTestServer server([&](TestPeer& peer) {
      shook_hands = peer.handshake();
      got = peer.read_header();
    });
    auto endpoint = server.endpoint();
    const std::string real = endpoint.spki_sha256;
    endpoint.spki_sha256 = std::string(64, 'a');
    const auto response = make_https_client(endpoint)->send(get("/secret"));
    REQUIRE_FALSE(response);
    CHECK(response.error().code() == Errc::kDenied);
    CHECK(response.error().message().find(real) != std::string::npos);
    CHECK(response.error().message().find(endpoint.spki_sha256) != std::string::npos);
  }
  CHECK(got == "");
}

TEST_CASE("the pin may be written in capitals; without one nothing is sent") {
  TlsTestServer server(echo);
  auto endpoint = server.endpoint();
  for (char& c : endpoint.spki_sha256) c = static_cast<char>(std::toupper(c));
  CHECK(make_https_client(endpoint)->send(get("/")));
  for (const std::string pin : {"", "abc", "zz"}) {
    endpoint.spki_sha256 = pin;
    const auto response = make_https_client(endpoint)->send(get("/"));
    REQUIRE_FALSE(response);
    CHECK(response.error().code() == Errc::kInvalid);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a kept connection that the server closed is replaced") {
  std::atomic<int> served = 0;
  TlsTestServer server([&](TestPeer& peer) {
    if (!peer.handshake() || peer.read_header().empty()) return;
    ++served;
    peer.write(reply("once"));
  });
  const auto client = make_https_client(server.endpoint());
  for (int i = 1; i <= 3; ++i) {
    const auto response = client->send(get("/"));
    REQUIRE(response);
    CHECK(response->body == "once");
    CHECK(served == i);
  }
}

TEST_CASE("a request that cannot be written safely is refused") {
  TlsTestServer server(echo);
  const auto client = make_https_client(server.endpoint());
  Request bad_path = get("/a\r\nX: y");
  Request no_slash = get("v1");
  Request bad_method = get("/");
  bad_method.method = "GET /x";
  Request bad_name = get("/");
  bad_name.headers["a: b\r\nc"] = "d";
  Request bad_value = get("/");
  bad_value.headers["a"] = "b\r\nc: d";
  for (const auto& request : {bad_path, no_slash, bad_method, bad_name, bad_value}) {
    const auto response = client->send(request);
    REQUIRE_FALSE(response);
    CHECK(response.error().code() == Errc::kInvalid);
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("the deadline holds wherever the server stands still") {
  const auto drip = [](TestPeer& peer, std::string_view bytes) {
    for (const char c : bytes) {
      if (!peer.write({&c, 1})) return;
      std::this_thread::sleep_for(20ms);  // The server drips; the test does not wait for it
    }
  };
  const std::string long_header = "HTTP/1.1 200 OK\r\nX: " + std::string(5000, 'x');
  const std::string long_body =
      "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + std::string(5000, 'x');
  const std::map<std::string, TlsTestServer::Script> servers = {
      {"before the handshake", [](TestPeer& peer) { peer.wait_for_close(); }},
      {"after the handshake",
       [](TestPeer& peer) {
         if (peer.handshake()) peer.wait_for_close();
       }},
      {"drips its header",
       [&](TestPeer& peer) {
         if (peer.handshake() && !peer.read_header().empty()) drip(peer, long_header);
       }},
      {"drips its body",
       [&](TestPeer& peer) {
         if (peer.handshake() && !peer.read_header().empty()) drip(peer, long_body);
       }},
  };
  for (const auto& entry : servers) {
    CAPTURE(entry.first);
    TlsTestServer server(entry.second);
    const auto start = std::chrono::steady_clock::now();
    const auto response = make_https_client(server.endpoint())->send(get("/", 300ms));
    REQUIRE_FALSE(response);
    CHECK(response.error().code() == Errc::kTimeout);
    CHECK(seconds_since(start) < 2.0);
  }
}

TEST_CASE("nothing listens, and something else listens") {
  std::uint16_t free_port = 0;
  {
    TlsTestServer gone(echo);
    free_port = gone.endpoint().port;
  }
  const auto refused =
      make_https_client({"127.0.0.1", free_port, std::string(64, '0')})->send(get("/"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kUnavailable);
  CHECK(refused.error().message().find("127.0.0.1:" + std::to_string(free_port)) !=
        std::string::npos);

  TlsTestServer plain([](TestPeer& peer) {
    peer.write_plain("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.wait_for_close();
  });
  const auto not_tls = make_https_client(plain.endpoint())->send(get("/"));
  REQUIRE_FALSE(not_tls);
  CHECK(not_tls.error().code() == Errc::kUnavailable);
  CHECK(not_tls.error().message().find("right port") != std::string::npos);

  const auto no_name =
      make_https_client({"no-such-host.invalid", 1, std::string(64, '0')})->send(get("/", 2s));
  REQUIRE_FALSE(no_name);
  CHECK((no_name.error().code() == Errc::kUnavailable || no_name.error().code() == Errc::kTimeout));
}

TEST_CASE("a reply is bounded, with a length and without") {
  const std::string mebibyte(1U << 20, 'x');
  const auto announced = [](TestPeer& peer) {
    if (!peer.handshake() || peer.read_header().empty()) return;
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kMaxResponseBytes + 1) +
               "\r\n\r\nx");
    peer.wait_for_close();
  };
  const auto chunked = [&](TestPeer& peer) {
    if (!peer.handshake() || peer.read_header().empty()) return;
    if (!peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")) return;
    while (peer.write("100000\r\n" + mebibyte + "\r\n")) {
    }
  };
  const auto endless = [&](TestPeer& peer) {
    if (!peer.handshake() || peer.read_header().empty()) return;
    if (!peer.write("HTTP/1.1 200 OK\r\n\r\n")) return;
    while (peer.write(mebibyte)) {
    }
  };
  const auto header = [&](TestPeer& peer) {
    if (!peer.handshake() || peer.read_header().empty()) return;
    peer.write("HTTP/1.1 200 OK\r\nX: " + mebibyte);
  };
  for (const TlsTestServer::Script& script :
       {TlsTestServer::Script(announced), TlsTestServer::Script(chunked),
        TlsTestServer::Script(endless), TlsTestServer::Script(header)}) {
    TlsTestServer server(script);
    const auto response = make_https_client(server.endpoint())->send(get("/", 20s));
    REQUIRE_FALSE(response);
    CHECK(response.error().code() == Errc::kLimit);
  }
}

TEST_CASE("a reply that ends early is an error, not a short reply") {
  for (const std::string head : {"Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n", ""}) {
    CAPTURE(head);
    TlsTestServer server([&](TestPeer& peer) {
      if (!peer.handshake() || peer.read_header().empty()) return;
      peer.write("HTTP/1.1 200 OK\r\n" + head + "\r\n" +
                 (head.starts_with('T') ? "3\r\nabc\r\n" : "abc"));
    });
    const auto response = make_https_client(server.endpoint())->send(get("/"));
    REQUIRE_FALSE(response);
    CHECK(response.error().code() == Errc::kUnavailable);
  }
}

TEST_CASE("a stream delivers events as they come and ends when told") {
  TlsTestServer server([](TestPeer& peer) {
    if (!peer.handshake() || peer.read_header().empty()) return;
    peer.write(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer.write("15\r\nevent: log\ndata: one\n\r\n");
    peer.write("1\r\n\n\r\n");
    peer.write("e\r\n\nid:2\ndata:2\n\n\r\n");
    peer.wait_for_close();
  });
  const auto client = make_https_client(server.endpoint());
  std::vector<ServerSentEvent> events;
  const auto done = client->stream(
      get("/v1/logs/follow"),
      [&](const ServerSentEvent& event) {
        events.push_back(event);
        return events.size() < 2;
      },
      5s);
  REQUIRE(done);
  CHECK(done->status == 200);
  REQUIRE(events.size() == 2);
  CHECK(events[0].event == "log");
  CHECK(events[0].data == "one");
  CHECK(events[1].id == "2");

  const auto idle = client->stream(
      get("/"), [](const auto&) { return true; }, 100ms);
  REQUIRE_FALSE(idle);
  CHECK(idle.error().code() == Errc::kTimeout);
}

TEST_CASE("comments keep a stream alive; its end and its refusal are told apart") {
  TlsTestServer server([](TestPeer& peer) {
    if (!peer.handshake()) return;
    const std::string header = peer.read_header();
    if (header.starts_with("GET /refused")) {
      peer.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}");
      return;
    }
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 8; ++i) {
      std::this_thread::sleep_for(100ms);  // The server's pace
      peer.write("3\r\n:\n\n\r\n");
    }
    peer.write("9\r\ndata: x\n\n\r\n0\r\n\r\n");
  });
  const auto client = make_https_client(server.endpoint());
  int events = 0;
  const auto ended = client->stream(
      get("/"),
      [&](const auto&) {
        ++events;
        return true;
      },
      600ms);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code() == Errc::kUnavailable);
  CHECK(ended.error().message() == "the server ended the stream");
  CHECK(events == 1);

  const auto refused = client->stream(
      get("/refused"), [](const auto&) { return true; }, 1s);
  REQUIRE(refused);
  CHECK(refused->status == 401);
  CHECK(refused->body == "{}");
}

TEST_CASE("calls on one client run side by side") {
  TlsTestServer server(echo);
  const auto client = make_https_client(server.endpoint());
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i) {
        const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
        const auto response = client->send(get(path));
        if (response && response->body.starts_with("GET " + path + " ")) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(good == 40);
}

TEST_CASE("percent encoding keeps the unreserved characters") {
  CHECK(percent_encode("aZ09-._~") == "aZ09-._~");
  CHECK(percent_encode("a b&c=d/\xC3\xA9%\n") == "a%20b%26c%3Dd%2F%C3%A9%25%0A");
}

}  // namespace
}  // namespace observeai::http
