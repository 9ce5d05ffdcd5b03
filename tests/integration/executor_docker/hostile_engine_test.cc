// Whoever answers on the engine's socket may answer anything, or nothing.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "agent/executor/docker_api.h"
#include "protocol/base/clock.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using namespace std::chrono_literals;

namespace {

// Gives the same bytes to every connection, then closes it; without bytes it keeps silent.
class Engine {
 public:
  explicit Engine(std::string answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path().c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 4) == 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Engine() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string path() const { return dir_ / "docker.sock"; }

 private:
  void serve() {
    std::vector<int> silent;
    for (int peer; (peer = ::accept(listener_, nullptr, nullptr)) >= 0;) {
      char head[4096];
      if (::read(peer, head, sizeof head) <= 0 || answer_.empty()) {
        silent.push_back(peer);
        continue;
      }
      for (std::size_t sent = 0; sent < answer_.size();) {
        const auto now = ::send(peer, answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
        if (now <= 0) break;
        sent += static_cast<std::size_t>(now);
      }
      ::close(peer);
    }
    for (const int peer : silent) ::close(peer);
  }

  test::TempDir dir_;
  const std::string answer_;
  int listener_ = -1;
  std::thread thread_;
};

std::string ask(const std::string& path, std::chrono::milliseconds limit = 10s) {
  SystemClock clock;
  Run run(clock, clock.steady_now() + limit, 1000);
  DockerApi api(path, run);
  const auto answer = api.get("/_ping");
  return answer ? "ok: " + *answer : std::string(to_string(answer.error().code()));
}
std::string answered(const std::string& bytes) {
  Engine engine(bytes);
  return ask(engine.path());
}
std::string with_length(std::size_t length) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("an engine that answers something else") {
  const std::string version = R"({"ApiVersion":"1.41"})";
  CHECK(answered(with_length(version.size()) + version) == "ok: " + version);
  CHECK(answered("SSH-2.0-OpenSSH_9\r\n\r\n") == "corrupt");
  CHECK(answered(with_length(2) + "[]") == "corrupt");
  CHECK(answered("HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\n\r\n") == "unavailable");
  CHECK(answered("HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n") ==
        "unavailable");
  CHECK(answered("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") == "not_found");
}

TEST_CASE("an answer that is too long, or has no end") {
  CHECK(answered(with_length(DockerApi::kMaxAnswerBytes + 1) + "{") == "limit");
  CHECK(answered("HTTP/1.1 200 OK\r\n\r\n" + std::string(DockerApi::kMaxAnswerBytes + 1, ' ')) ==
        "limit");
  CHECK(answered("HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n") == "limit");
  CHECK(answered(with_length(100) + "{") == "unavailable");
}

TEST_CASE("no engine, one that says nothing, one that accepts nobody") {
  CHECK(ask("/nonexistent/docker.sock") == "unavailable");
  CHECK(ask("/" + std::string(120, 'x')) == "invalid");
  Engine engine("");
  const auto began = std::chrono::steady_clock::now();
  CHECK(ask(engine.path(), 300ms) == "timeout");
  CHECK(std::chrono::steady_clock::now() - began < 5s);
  CHECK(ask(engine.path(), 0ms) == "timeout");
}
