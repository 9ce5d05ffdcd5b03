// What the executor holds while it rests and works. Resident: its own pages and those that other programs
// share, which is mostly code. A sanitizer's memory is its own.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "attack_rig.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

using namespace observeai;
using observeai::test::AttackRig;

namespace {

constexpr std::uint64_t kMaxKib = 6 * 1024;
constexpr std::uint64_t kMaxRestKib = 3 * 1024;

// The number of KiB behind `name` in a file of /proc/PID.
std::uint64_t kib_in(const std::string& file, const std::string& name) {
  const auto text = "\n" + *files::read(file);
  const auto at = text.find("\n" + name + ":");
  REQUIRE(at != std::string::npos);
  const auto from = at + name.size() + 2;
  const auto digits = std::string_view(text).substr(from, text.find(" kB", from) - from);
  return text::parse_u64(text::trim(digits)).value_or(0);
}

struct MemoryRig : AttackRig {
  const std::string proc = "/proc/" + std::to_string(pid());
  const std::uint64_t started = resident();
  const std::uint64_t by_start = kib_in(proc + "/status", "VmHWM");

  std::uint64_t resident() const { return kib_in(proc + "/status", "VmRSS"); }

  // Executes `command` from rest; the kernel's highest value is then that of this command alone.
  void measure(const wire::Command& command) {
    std::uint64_t rest = resident();
    for (int i = 0; i < 200 && rest > kMaxRestKib; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      rest = resident();
    }
    std::ofstream(proc + "/clear_refs") << 5 << std::flush;
    const auto result = deliver(sign(command));
    CHECK_MESSAGE(result.outcome == wire::ResultOutcome::kSucceeded, result.message);
    const auto after = resident();
    const auto highest = kib_in(proc + "/status", "VmHWM");
    MESSAGE("KiB when started " << started << " (the start itself " << by_start << "), at rest "
                                << rest << ", at the most in a command " << highest << ", after it "
                                << after << "; then dirty pages of its own "
                                << kib_in(proc + "/smaps_rollup", "Private_Dirty")
                                << ", code of its own "
                                << kib_in(proc + "/smaps_rollup", "Private_Clean"));
    CHECK(rest > 0);
    CHECK(rest <= kMaxRestKib);
    for (const auto one : {by_start, started, highest, after}) {
      CHECK(one > 0);
      CHECK(one <= kMaxKib);
    }
  }
};

// An engine with one container, which can be restarted.
class Engine {
 public:
  explicit Engine(const std::string& path) : listener_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    struct sockaddr_un address {};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 4) == 0);
    thread_ = std::jthread([this] { serve(); });
  }
  ~Engine() {
    ::shutdown(listener_, SHUT_RDWR);  // accept() fails
    thread_.join();
    ::close(listener_);
  }
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  int restarts() const { return restarts_; }

 private:
  void serve() {
    for (;;) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      std::string request;
      char chunk[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const auto got = ::recv(client, chunk, sizeof chunk, 0);
        if (got <= 0) break;
        request.append(chunk, static_cast<std::size_t>(got));
      }
      const auto body = answer(request);
      const auto reply = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
                         "\r\nConnection: close\r\n\r\n" + body;
      (void)::send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
      ::close(client);
    }
  }
  std::string answer(const std::string& request) {
    if (request.starts_with("GET /version")) return R"({"ApiVersion":"1.41"})";
    if (request.starts_with("POST ")) ++restarts_;
    return R"({"Name":"/web","Id":")" + std::string(64, 'a') + R"(","Image":"sha256:)" +
           std::string(64, 'b') +
           R"(","State":{"Status":"running","StartedAt":"2026-11-21T08:00:0)" +
           std::to_string(restarts_) + R"(Z"}})";
  }

  const int listener_;
  std::atomic<int> restarts_ = 0;
  std::jthread thread_;
};

}  // namespace

TEST_CASE_FIXTURE(MemoryRig,
                  "memory of the executor at rest and while it runs a program: at most 6 MiB") {
  // The runbook looks at the executor that waits for it.
  write_program("mark", "grep VmRSS: " + proc + "/status > '" + path("at-work") + "'\n");
  write_policy(site_policy());
  measure(approved_mark());
  const auto at_work = kib_in(path("at-work"), "VmRSS");
  MESSAGE("while the program ran: " << at_work << " KiB");
  CHECK(at_work > 0);
  CHECK(at_work <= kMaxKib);
}

TEST_CASE_FIXTURE(MemoryRig,
                  "memory of the executor while it restarts a container: at most 6 MiB") {
  Engine engine(path("engine.sock"));
  write_policy(
      site_policy("", "[[allow]]\naction = \"docker.restart\"\ntargets = [\"container/web\"]\n"));
  auto intent = keys.intent("docker.restart", {{"container", std::string("web")}});
  intent.timeout_ms = 20'000;
  measure(approved(looked_at(intent)));
  CHECK(engine.restarts() == 1);
}
#endif
