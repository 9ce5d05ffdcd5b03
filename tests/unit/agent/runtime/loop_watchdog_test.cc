#include "agent/runtime/loop_watchdog.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/runtime/service_manager.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
using Verdict = LoopWatch::Verdict;

TEST_CASE("a loop that turns is never accused") {
  LoopWatch watch;
  for (std::uint64_t turn = 1; turn < 1'000; ++turn) {
    CHECK(watch.tick(turn, 1s) == Verdict::kTurns);
    for (int i = 0; i < 19; ++i) CHECK(watch.tick(turn, 1s) == Verdict::kTurns);
  }
}

TEST_CASE("one that does not turn is noticed after 20 s, and given up after two minutes") {
  LoopWatch watch;
  CHECK(watch.tick(1, 1s) == Verdict::kTurns);
  for (int i = 0; i < 19; ++i) CHECK(watch.tick(1, 1s) == Verdict::kTurns);
  CHECK(watch.tick(1, 1s) == Verdict::kStalled);
  CHECK(watch.silent_for() == 20s);
  SUBCASE("it turns again") {
    CHECK(watch.tick(1, 1s) == Verdict::kStillStalled);
    CHECK(watch.tick(2, 1s) == Verdict::kTurnsAgain);
    CHECK(watch.tick(3, 1s) == Verdict::kTurns);
    CHECK(watch.silent_for() == 0s);
  }
  SUBCASE("it does not") {
    for (int i = 21; i < 120; ++i) CHECK(watch.tick(1, 1s) == Verdict::kStillStalled);
    CHECK(watch.tick(1, 1s) == Verdict::kHopeless);
    // Nobody could end it: once more, until somebody can.
    for (int again = 0; again < 3; ++again) {
      for (int i = 1; i < 30; ++i) CHECK(watch.tick(1, 1s) == Verdict::kStillStalled);
      CHECK(watch.tick(1, 1s) == Verdict::kHopeless);
    }
    CHECK(watch.tick(2, 1s) == Verdict::kTurnsAgain);
    CHECK(watch.tick(3, 1s) == Verdict::kTurns);
    for (int i = 1; i < 120; ++i) CHECK(watch.tick(3, 1s) != Verdict::kHopeless);
    CHECK(watch.tick(3, 1s) == Verdict::kHopeless);
  }
}

TEST_CASE("time in which the whole process was stopped does not count against the loop") {
  LoopWatch watch;
  CHECK(watch.tick(1, 1s) == Verdict::kTurns);
  for (int i = 0; i < 9; ++i) CHECK(watch.tick(1, 1h) == Verdict::kTurns);
  CHECK(watch.silent_for() == 18s);
}

TEST_CASE("the watchdog's thread starts, ends at once and hears the loop") {
  LoopWatchdog watchdog([](std::chrono::seconds) { FAIL("nothing hangs"); });
  CHECK_FALSE(watchdog.turned());
}

TEST_CASE("systemd hears of readiness by a datagram") {
  const test::TempDir dir;
  const std::string path = dir / "notify";
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const ServiceManager manager(path, 30s);
  CHECK(manager.alive_every() == 15s);
  manager.ready();
  manager.alive();
  manager.status("degraded");
  std::array<char, 64> buffer;
  for (const char* expected : {"READY=1", "WATCHDOG=1", "STATUS=degraded"}) {
    const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
    REQUIRE(got > 0);
    CHECK(std::string(buffer.data(), static_cast<std::size_t>(got)) == expected);
  }
  ::close(fd);
  manager.ready();  // Nobody listens any more.
  CHECK_FALSE(ServiceManager("", 30s).alive_every());
  const std::string pid = std::to_string(::getpid());
  CHECK(ServiceManager::from_environment(path, "4000000", pid).alive_every() == 2s);
  CHECK(ServiceManager::from_environment(path, "4000000", "").alive_every() == 2s);
  CHECK_FALSE(ServiceManager::from_environment(path, "4000000", "1").alive_every());
  CHECK_FALSE(ServiceManager::from_environment(path, "soon", pid).alive_every());
  CHECK_FALSE(ServiceManager::from_environment("", "4000000", pid).alive_every());
  CHECK_FALSE(ServiceManager(path, 0s).alive_every());
  ServiceManager("", 30s).ready();
  ServiceManager(std::string(200, 'x'), 30s).ready();
}
