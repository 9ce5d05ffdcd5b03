#include "agent/app/logs_loop.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "protocol/wire/batch_codec.h"
#include "tests/support/memory_spool.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kFileBytes = 60'000;
constexpr std::int64_t kMaxHeld = 100'000;

LogCollectorOptions small_limit() {
  LogCollectorOptions options;
  options.max_held_bytes = kMaxHeld;
  return options;
}

struct Fixture {
  const test::TempDir dir;
  Loop loop;
  ManualAsyncClock clock{loop};
  test::MemorySpool spool;
  Outbox outbox = Outbox::create(spool, clock, [] {}).value();
  LogCollector collector{clock, small_limit()};
  Shedding shedding;
  LogsLoop logs{loop, clock, collector, outbox, 200ms, shedding};
  const std::string log = dir / "c1.log";

  Fixture() {
    std::ofstream(log, std::ios::app);
    ObservedContainer container;
    container.facts.id = "c1";
    container.facts.state = "running";
    container.log_path = log;
    logs.set_containers({container});
  }
  ~Fixture() { loop.shutdown(); }

  void settle() {
    loop.run_until([] { return false; }, 5ms);
  }
  void pass(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock.advance(1s);
      settle();
    }
  }
  // As rotation does that keeps nothing.
  void write_and_delete(std::size_t size = kFileBytes) {
    const std::string line = R"({"log":"x\n","stream":"stdout","time":"2026-01-01T00:00:00Z"})"
                             "\n";
    std::string bytes;
    while (bytes.size() < size) bytes += line;
    std::ofstream(log, std::ios::app) << bytes;
    settle();
    std::filesystem::remove(log);
    std::ofstream(log, std::ios::app);
    for (int i = 0; i < 1'000 && bytes_open(log) < 0; ++i) {
      clock.advance(200ms);
      settle();
    }
    REQUIRE(bytes_open(log) == 0);
    pass(2);
  }
  // Of files of this name that the process holds open, as the kernel names them; -1 = none.
  static std::int64_t bytes_open(const std::string& name) {
    std::int64_t bytes = -1;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      if (std::filesystem::read_symlink(entry.path(), gone) != name || gone) continue;
      struct stat facts {};
      if (::stat(entry.path().c_str(), &facts) == 0)
        bytes = std::max<std::int64_t>(bytes, 0) + facts.st_size;
    }
    return bytes;
  }
  std::int64_t held() const { return std::max<std::int64_t>(bytes_open(log + " (deleted)"), 0); }
  std::uint64_t dropped() {
    const auto entries = spool.ledger().value();
    for (const auto& entry : entries) {
      if (entry.source != "log/container/c1") continue;
      const auto found = entry.bytes_dropped.find("held_limit");
      return found == entry.bytes_dropped.end() ? 0 : found->second;
    }
    return 0;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "while logs are paused deleted files hold no more than the limit") {
  spawn(loop, "logs", logs.run());
  spawn(loop, "log watch", logs.watch());
  spawn(loop, "log limits", logs.keep_limits());
  pass(1);
  shedding.logs = false;
  for (int i = 0; i < 5; ++i) {
    write_and_delete();
    CHECK(held() <= kMaxHeld);
  }
  CHECK(held() > 0);  // inotify went on opening them
  shedding.logs = true;
  pass(10);
  CHECK(dropped() > 0);
  CHECK(held() == 0);
}

TEST_CASE_FIXTURE(Fixture, "in safe mode, where nothing is read, the limit holds as well") {
  shedding.logs = false;
  spawn(loop, "log watch", logs.watch());
  write_and_delete(2 * kMaxHeld);
  REQUIRE(held() > kMaxHeld);
  spawn(loop, "log limits", logs.keep_limits());
  settle();
  pass(1);
  CHECK(held() <= kMaxHeld);
}
