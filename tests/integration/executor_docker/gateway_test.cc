// The gateway between discovery's own client and a real daemon, and against who would misuse it.
#include "agent/executor/gateway.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "agent/discovery/docker_loop.h"
#include "agent/executor/gateway_request.h"
#include "agent/runtime/co.h"
#include "tests/integration/executor_docker/docker_rig.h"

using namespace observeai;
using namespace observeai::test;
using namespace std::chrono_literals;
using agent::executor::GatewayOptions;
using agent::executor::UniqueFd;

namespace {

class Gateway {
 public:
  explicit Gateway(GatewayOptions options) : options_(std::move(options)) {
    auto listener = agent::executor::listen_for_group(path(), ::getegid());
    REQUIRE(listener);
    listener_ = std::move(*listener);
    stop_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    thread_ = std::thread([this] {
      ended_ = agent::executor::run_gateway(listener_.get(), stop_.get(), clock_, options_);
    });
  }
  ~Gateway() {
    const std::uint64_t one = 1;
    CHECK(::write(stop_.get(), &one, sizeof one) == sizeof one);
    thread_.join();
    CHECK(ended_);
  }
  std::string path() const { return dir_ / "gateway.sock"; }

  UniqueFd connect() const {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const timeval limit{10, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return socket;
  }
  static void send(const UniqueFd& socket, const std::string& bytes) {
    CHECK(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  }
  // Until the end, "timeout" when there is none.
  static std::string rest(const UniqueFd& socket) {
    std::string out;
    char piece[4096];
    for (ssize_t got; (got = ::recv(socket.get(), piece, sizeof piece, 0)) != 0;) {
      if (got < 0) return errno == ECONNRESET ? out : "timeout";
      out.append(piece, static_cast<std::size_t>(got));
    }
    return out;
  }
  std::string ask(const std::string& bytes) const {
    const UniqueFd socket = connect();
    send(socket, bytes);
    return rest(socket);
  }
  std::string get(const std::string& target) const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: docker\r\n\r\n");
  }

 private:
  TempDir dir_;
  const GatewayOptions options_;
  SystemClock clock_;
  UniqueFd listener_;
  UniqueFd stop_;
  Result<void> ended_;
  std::thread thread_;
};

struct Fixture : DockerRig {
  Gateway gateway{options()};
  GatewayOptions options() const {
    GatewayOptions out;
    out.docker_socket = socket();
    out.head_deadline = 700ms;
    return out;
  }
};

std::string status_of(const std::string& answer) {
  return answer.size() > 12 ? answer.substr(9, 3) : answer;
}

struct Sink final : agent::DiscoverySink {
  std::map<std::string, agent::ObservedContainer> containers;
  std::vector<std::string> events;
  std::string status;
  void containers_changed(wire::SectionUpdate<agent::ObservedContainer> update) override {
    for (auto& item : update.upserts) containers[item.facts.name] = std::move(item);
  }
  void event(wire::Event item) override { events.push_back(item.kind); }
  void docker_status(std::string text) override { status = std::move(text); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "discovery sees through the gateway what it sees without it") {
  const agent::RedactText as_is = [](std::string_view text) { return std::string(text); };
  const auto watch = [&](const std::string& path, const std::string& name) {
    agent::Loop loop;
    agent::SystemAsyncClock async_clock;
    agent::DockerClient client(loop, async_clock, {path}, as_is);
    Sink sink;
    agent::DockerWatcher watcher(loop, async_clock, client, sink);
    agent::spawn(loop, "docker", watcher.run());
    CHECK(loop.run_until([&] { return !sink.status.empty(); }, 10s));
    docker("run -d --network none --name " + name + " -e TOKEN=hunter2 -m 32m obs:base sleep 1000");
    CHECK(loop.run_until([&] { return sink.containers[name].facts.pid > 0; }, 10s));
    docker("rm -f " + name);
    CHECK(loop.run_until(
        [&] { return std::count(sink.events.begin(), sink.events.end(), "container.exit") > 0; },
        10s));
    auto seen = sink.containers[name];
    const auto status = sink.status;
    loop.shutdown();
    return std::pair(seen, status);
  };
  const auto direct = watch(socket(), "web");
  const auto through = watch(gateway.path(), "web");
  CHECK(through.second == direct.second);
  CHECK(through.first.facts.image_id == direct.first.facts.image_id);
  CHECK(through.first.facts.command == direct.first.facts.command);
  CHECK(through.first.facts.memory_limit_bytes == (32U << 20));
  CHECK(through.first.log_path.size() == direct.first.log_path.size());
}

TEST_CASE_FIXTURE(Fixture, "the environment of a container stays here") {
  const auto id = docker("run -d --network none --name web -e TOKEN=hunter2 obs:base sleep 1000");
  const auto answer = gateway.get("/v1.41/containers/" + id + "/json");
  CHECK(status_of(answer) == "200");
  CHECK(answer.find(id) != std::string::npos);
  CHECK(answer.find("hunter2") == std::string::npos);
  CHECK(answer.find("Env") == std::string::npos);
  CHECK(gateway.get("/containers/json?all=1").find("hunter2") == std::string::npos);
  CHECK(status_of(gateway.get("/v1.41/containers/" + std::string(64, '0') + "/json")) == "404");
}

TEST_CASE_FIXTURE(Fixture, "nothing can be changed or read beyond the list") {
  const auto id = docker("run -d --network none --name web obs:base sleep 1000");
  for (const std::string& request : std::vector<std::string>{
           "POST /containers/" + id + "/stop HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
           "DELETE /containers/" + id + "?force=1 HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /containers/" + id + "/archive?path=/bin HTTP/1.1\r\nHost: x\r\n\r\n",
           "GET /containers/" + id + "/logs?stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n",
           std::string("GET /images/json HTTP/1.1\r\nHost: x\r\n\r\n"),
           std::string("GET /events HTTP/1.1\r\nHost: x\r\n\r\n"),
           "GET /_ping HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n" +
               std::string()}) {
    const auto answer = gateway.ask(request);
    CHECK_MESSAGE(status_of(answer) == "403", request);
    CHECK(answer.find("\"message\":\"the gateway ") != std::string::npos);
  }
  // One request hidden behind another.
  CHECK(status_of(gateway.ask("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nPOST /containers/" + id +
                              "/stop HTTP/1.1\r\nHost: x\r\n\r\n")) == "400");
  CHECK(status_of(gateway.ask("GET /_ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "0\r\n\r\nPOST /containers/" +
                              id + "/stop HTTP/1.1\r\n\r\n")) == "400");
  CHECK(status_of(gateway.ask("GET /_ping HTTP/1.1\r\nX: " + std::string(9'000, 'x'))) == "431");
  CHECK(inspect("web", "{{.State.Status}}") == "running");
  CHECK(status_of(gateway.get("/_ping")) == "200");
}

TEST_CASE_FIXTURE(Fixture, "a second request on a connection is not answered") {
  const UniqueFd socket = gateway.connect();
  Gateway::send(socket,
                "GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B"
                "%22die%22%5D%7D HTTP/1.1\r\nHost: x\r\n\r\n");
  char head[12];
  REQUIRE(::recv(socket.get(), head, sizeof head, MSG_WAITALL) == sizeof head);
  CHECK(std::string(head + 9, 3) == "200");
  Gateway::send(socket, "GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(Gateway::rest(socket).find("OK\r\n\r\nOK") == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture,
                  "who says nothing, or half a request, loses the connection; others wait not") {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 31; ++i) silent.push_back(gateway.connect());
  Gateway::send(silent[0], "GET /_ping HTTP/1.1\r\nHost");
  CHECK(status_of(gateway.get("/_ping")) == "200");
  silent.push_back(gateway.connect());
  CHECK(status_of(Gateway::rest(gateway.connect())) == "503");  // The 33rd
  for (const auto& socket : silent) CHECK(Gateway::rest(socket).empty());
  CHECK(status_of(gateway.get("/_ping")) == "200");
}

TEST_CASE_FIXTURE(Fixture, "an event stream outlives every deadline, and ends with its reader") {
  const auto follow = [&] {
    UniqueFd socket = gateway.connect();
    Gateway::send(socket,
                  "GET /events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C%22event%22%3A%5B"
                  "%22start%22%5D%7D HTTP/1.1\r\nHost: x\r\n\r\n");
    return socket;
  };
  // Forty one after the other: a stream that nobody reads any more holds no place.
  for (int i = 0; i < 40; ++i) {
    const UniqueFd socket = follow();
    char byte;
    CHECK(::recv(socket.get(), &byte, 1, 0) == 1);
  }
  const UniqueFd socket = follow();
  std::this_thread::sleep_for(1s);  // Beyond the deadline of heads
  docker("run -d --network none --name web obs:base sleep 1000");
  std::string seen;
  char piece[1024];
  while (seen.find("\"start\"") == std::string::npos) {
    const auto got = ::recv(socket.get(), piece, sizeof piece, 0);
    REQUIRE(got > 0);
    seen.append(piece, static_cast<std::size_t>(got));
  }
}

TEST_CASE("no engine, one that floods, one that says nothing; the socket is the agent's and ours") {
  GatewayOptions options;
  options.docker_socket = "/nonexistent/docker.sock";
  options.answer_deadline = 500ms;
  Gateway none(options);
  CHECK(status_of(none.get("/_ping")) == "502");
  struct stat info {};
  REQUIRE(::stat(none.path().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0660);

  TempDir dir;
  options.docker_socket = dir / "docker.sock";
  auto engine = agent::executor::listen_for_group(options.docker_socket, ::getegid());
  REQUIRE(engine);
  Gateway silent(options);
  CHECK(silent.get("/_ping").empty());
  std::thread flood([&] {
    ::close(::accept(engine->get(), nullptr, nullptr));  // The silent one's
    UniqueFd peer(::accept(engine->get(), nullptr, nullptr));
    for (int i = 0; !peer && i < 500; ++i) {
      std::this_thread::sleep_for(10ms);
      peer = UniqueFd(::accept(engine->get(), nullptr, nullptr));
    }
    const std::string head = "HTTP/1.0 200 OK\r\n\r\n{\"Id\":\"";
    ::send(peer.get(), head.data(), head.size(), MSG_NOSIGNAL);
    const std::string piece(64U << 10, 'x');
    while (::send(peer.get(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  options.answer_deadline = 10s;
  CHECK(silent.get("/containers/" + std::string(64, 'a') + "/json").find("502") !=
        std::string::npos);
  flood.join();
}
