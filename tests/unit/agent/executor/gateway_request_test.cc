#include "agent/executor/gateway_request.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "agent/discovery/docker_json.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

const std::string kId(64, 'a');
const std::string kEnd = "\r\nHost: docker\r\nUser-Agent: observeai-agent/0.1.0\r\n\r\n";

// "403", or what the engine is asked.
std::string judged(const std::string& bytes) {
  const auto verdict = judge_request(bytes);
  if (!verdict) return "more";
  if (verdict->request) return verdict->request->target;
  CHECK_FALSE(verdict->refusal.empty());
  return std::to_string(verdict->status);
}
std::string got(const std::string& target) {
  return judged("GET " + target + " HTTP/1.1" + kEnd);
}
std::string with(const std::string& header) {
  return judged("GET /_ping HTTP/1.1\r\nHost: docker\r\n" + header + "\r\n\r\n");
}
// As discovery writes them: everything but lower-case letters and "_" encoded.
std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || c == '_') {
      out.push_back(c);
    } else {
      char hex[4];
      std::snprintf(hex, sizeof hex, "%%%02x", static_cast<unsigned char>(c));
      out += hex;
    }
  }
  return out;
}
std::string events(const std::string& filters, const std::string& more = "") {
  return got("/v1.41/events?filters=" + encoded(filters) + more);
}

}  // namespace

TEST_CASE("what discovery asks is passed on") {
  CHECK(got("/version") == "/version");
  CHECK(got("/_ping") == "/_ping");
  CHECK(got("/v1.41/containers/json?all=1") == "/v1.41/containers/json?all=1");
  CHECK(got("/v1.44/containers/" + kId + "/json") == "/v1.44/containers/" + kId + "/json");
  const auto kind = [](const std::string& target) {
    return judge_request("GET " + target + " HTTP/1.1" + kEnd)->request->kind;
  };
  CHECK(kind("/containers/" + kId + "/json") == AnswerKind::kContainer);
  CHECK(kind("/containers/json") == AnswerKind::kPlain);
  const std::string filters =
      R"({"type":["container"],"event":["create","start","die","oom","destroy","rename","update",)"
      R"("health_status","pause","unpause"]})";
  const std::string passed = events(filters, "&since=1700000000.123456789");
  CHECK(passed.rfind("/v1.41/events?filters=%7b%22type%22", 0) == 0);
  CHECK(passed.find("&since=1700000000.123456789") != std::string::npos);
  CHECK(kind("/events?filters=" + encoded(R"({"type":["container"],"event":["die"]})")) ==
        AnswerKind::kStream);
}

TEST_CASE("nothing but GET, and nothing but what is listed") {
  for (const char* method :
       {"POST", "DELETE", "PUT", "HEAD", "OPTIONS", "CONNECT", "PATCH", "get"}) {
    CHECK(judged(std::string(method) + " /_ping HTTP/1.1" + kEnd) == "403");
  }
  for (const std::string& target :
       std::vector<std::string>{std::string("/containers/create"),
                                "/containers/" + kId + "/start",
                                "/containers/" + kId + "/logs",
                                "/containers/" + kId + "/archive?path=/etc/shadow",
                                "/containers/" + kId + "/export",
                                "/containers/" + kId + "/attach/ws",
                                "/containers/" + kId + "/top",
                                "/containers/" + kId + "/stats",
                                "/containers/" + kId + "/json?size=1",
                                "/containers/web/json",
                                "/containers/" + kId + "0/json",
                                "/containers/" + std::string(64, 'A') + "/json",
                                std::string("/containers/../images/json"),
                                std::string("/containers/json?all=1&size=1"),
                                std::string("/containers/json?filters=x"),
                                std::string("/containers/json?"),
                                std::string("/images/json"),
                                std::string("/images/x/get"),
                                std::string("/info"),
                                std::string("/networks"),
                                std::string("/volumes"),
                                std::string("/secrets"),
                                std::string("/configs"),
                                std::string("/swarm/unlockkey"),
                                std::string("/system/df"),
                                std::string("/session"),
                                std::string("/grpc"),
                                std::string("/exec/x/json"),
                                std::string("/plugins"),
                                std::string("/"),
                                std::string("//_ping"),
                                std::string("/_ping/"),
                                std::string("/%5fping"),
                                std::string("/_ping%00"),
                                std::string("/_ping?x=1"),
                                std::string("/v1.41/v1.41/_ping"),
                                std::string("/v2.0/_ping"),
                                std::string("/v1./_ping"),
                                std::string("/v1.4444/_ping"),
                                std::string("/v1.41%2f_ping"),
                                std::string("_ping"),
                                std::string("http://docker/_ping"),
                                std::string("*"),
                                std::string("/version#x")}) {
    CHECK_MESSAGE(got(target) == "403", target);
  }
}

TEST_CASE(
    "events: only of containers, only the ones that discovery wants, never of processes in them") {
  CHECK(got("/events") == "403");
  CHECK(got("/events?since=1") == "403");
  CHECK(events(R"({"type":["container"]})") == "403");
  CHECK(events(R"({"type":["container"],"event":[]})") == "403");
  CHECK(events(R"({"type":["container"],"event":["exec_create"]})") == "403");
  CHECK(events(R"({"type":["container"],"event":["die","exec_start"]})") == "403");
  CHECK(events(R"({"type":["network"],"event":["create"]})") == "403");
  CHECK(events(R"({"type":["container","network"],"event":["create"]})") == "403");
  CHECK(events(R"({"type":["container"],"event":["die"],"image":["x"]})") == "403");
  CHECK(events(R"({"type":["container"],"event":[1]})") == "403");
  CHECK(events(R"(["container"])") == "403");
  CHECK(events("{") == "403");
  const std::string fine = R"({"type":["container"],"event":["die"]})";
  CHECK(events(fine).rfind("/v1.41/events?filters=", 0) == 0);
  CHECK(events(fine, "&since=1&since=2") == "403");
  CHECK(events(fine, "&filters=" + encoded(fine)) == "403");
  CHECK(events(fine, "&until=1") == "403");
  CHECK(events(fine, "&since=-1") == "403");
  CHECK(events(fine, "&since=1h") == "403");
  CHECK(events(fine, "&since=1.") == "403");
  CHECK(events(fine, "&since=" + std::string(33, '1')) == "403");
  CHECK(events(fine, "&") == "403");
  CHECK(got("/events?filters=%zz") == "403");
  CHECK(got("/events?filters=%7") == "403");
}

TEST_CASE("no second request, no body, no other protocol") {
  const std::string ping = "GET /_ping HTTP/1.1" + kEnd;
  CHECK(judged(ping) == "/_ping");
  CHECK(judged(ping + "G") == "400");
  CHECK(judged(ping + "POST /containers/create HTTP/1.1\r\n\r\n") == "400");
  CHECK(with("Content-Length: 0") == "403");
  CHECK(with("content-length: 44") == "403");
  CHECK(with("Transfer-Encoding: chunked") == "403");
  CHECK(with("Transfer-Encoding : chunked") == "403");
  CHECK(with(" Transfer-Encoding: chunked") == "403");
  CHECK(with("X: y\r\n Content-Length: 1") == "403");
  CHECK(with("Upgrade: tcp") == "403");
  CHECK(with("Upgrade: h2c") == "403");
  CHECK(with("Expect: 100-continue") == "403");
  CHECK(with("X-Registry-Auth: x") == "403");
  CHECK(with("Connection: Upgrade") == "403");
  CHECK(with("Connection: keep-alive, Upgrade") == "403");
  CHECK(with("Connection: close") == "/_ping");
  CHECK(with("no colon") == "403");
  CHECK(with("") == "400");  // An empty line in the middle is the end: bytes follow
}

TEST_CASE("other ways to end a line, and characters that are none") {
  CHECK(judged("GET /_ping HTTP/1.1\nHost: x\n\n") == "more");
  CHECK(judged("GET /_ping HTTP/1.1\nContent-Length: 1\r\n\r\n") == "400");
  CHECK(judged("GET /_ping HTTP/1.1\r\nHost: a\rb\r\n\r\n") == "400");
  CHECK(judged("GET /_ping HTTP/1.1\r\nHost:\ta\r\n\r\n") == "400");
  CHECK(judged(std::string("GET /_ping HTTP/1.1\r\nHost: a\0b\r\n\r\n", 34)) == "400");
  CHECK(judged("GET /_p\xc3\xadng HTTP/1.1\r\n\r\n") == "400");
  CHECK(judged("GET  /_ping HTTP/1.1\r\n\r\n") == "400");
  CHECK(judged("GET /_ping HTTP/1.1 \r\n\r\n") == "400");
  CHECK(judged("GET /_ping\r\n\r\n") == "400");
  CHECK(judged("GET /_ping HTTP/2.0\r\n\r\n") == "400");
  CHECK(judged("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == "400");
  CHECK(judged("\r\n\r\n") == "400");
}

TEST_CASE("the head ends within its limit") {
  const std::string start = "GET /_ping HTTP/1.1\r\nUser-Agent: ";
  const auto sized = [&](std::size_t size) {
    return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
  };
  CHECK(judged(sized(kMaxRequestHead)) == "/_ping");
  CHECK(judged(sized(kMaxRequestHead + 1)) == "431");
  CHECK(judged(std::string(kMaxRequestHead - 1, 'x')) == "more");
  CHECK(judged(std::string(kMaxRequestHead, 'x')) == "431");
}

TEST_CASE("of a container the agent sees what it reads, and no secret") {
  const std::string inspect =
      R"({"Id":")" + kId +
      R"(","Name":"/web","Image":"sha256:x","Path":"sleep","Args":["1"],"Created":"2026-01-01T00:00:00Z",
      "RestartCount":3,"LogPath":"/log","HostnamePath":"SECRET",
      "Config":{"Image":"web:1","Env":["TOKEN=SECRET"],"Labels":{"a":"b"},
        "Healthcheck":{"Test":["CMD","curl","SECRET"]}},
      "HostConfig":{"Memory":5,"PidsLimit":7,"Binds":["SECRET:/x"],
        "LogConfig":{"Type":"json-file","Config":{"splunk-token":"SECRET"}}},
      "State":{"Status":"running","Pid":9,"ExitCode":1,"OOMKilled":true,"Error":"SECRET",
        "Health":{"Status":"healthy","Log":[{"Output":"SECRET"}]}},
      "Mounts":[{"Source":"SECRET"}],"GraphDriver":{"Data":"SECRET"},
      "NetworkSettings":{"Ports":{"80/tcp":null},"SandboxKey":"SECRET"}})";
  const auto reduced = reduced_container(inspect);
  REQUIRE(reduced);
  CHECK(reduced->find("SECRET") == std::string::npos);
  // Discovery understands it as it does the whole.
  const agent::RedactText as_is = [](std::string_view text) { return std::string(text); };
  const auto whole = agent::parse_inspect(inspect, as_is);
  const auto part = agent::parse_inspect(*reduced, as_is);
  REQUIRE(whole);
  REQUIRE(part);
  CHECK(part->facts == whole->facts);
  CHECK(part->log_path == whole->log_path);
  CHECK(part->facts.health == "healthy");
  CHECK(part->facts.pid == 9);
}

TEST_CASE("what the engine answers, for the agent") {
  const auto status = [](const std::string& answer) {
    return container_answer(answer).substr(9, 3);
  };
  CHECK(status("HTTP/1.0 200 OK\r\nA: b\r\n\r\n{\"Id\":\"x\"}") == "200");
  CHECK(status("HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"No such container\"}") == "404");
  CHECK(status("HTTP/1.0 500 Oh\r\n\r\n{}") == "502");
  CHECK(status("HTTP/1.0 200 OK\r\n\r\n{\"Id\":") == "502");
  CHECK(status("HTTP/1.0 200 OK\r\n") == "502");
  CHECK(status("") == "502");
  CHECK(status("SSH-2.0\r\n\r\n") == "502");
  const std::string refused = refusal_answer(403, "no \"x\"\r\nSet-Cookie: a");
  CHECK(refused.find("{\"message\":\"no \\\"x\\\"\\r\\nSet-Cookie: a\"}") != std::string::npos);
}
