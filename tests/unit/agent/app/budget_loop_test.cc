#include "agent/app/budget_loop.h"

#include <doctest/doctest.h>

#include "agent/runtime/co.h"
#include "tests/unit/agent/app/loop_world.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kMib = 1 << 20;

struct Fixture : test::LoopWorld {
  LoopWatchdog watchdog{[](std::chrono::seconds) { FAIL("the loop turns"); }};
  OwnUsage usage{1, 10 * kMib, 0, 10};
  std::vector<StallDetector::Progress> parts;
  std::vector<std::string> stuck;
  int collected = 0;
  int changed = 0;
  std::vector<std::string> restarts;
  std::unique_ptr<BudgetLoop> budget;

  ~Fixture() { loop.shutdown(); }

  std::int64_t start(std::int64_t told_ms = 0) {
    BudgetSources sources;
    sources.usage = [this](SteadyTime) -> Result<OwnUsage> { return usage; };
    sources.progress = [this] { return parts; };
    sources.stuck = [this] { return stuck; };
    sources.collect = [this] { ++collected; };
    sources.restart = [this](const std::string& reason) { restarts.push_back(reason); };
    sources.changed = [this] { ++changed; };
    budget =
        std::make_unique<BudgetLoop>(clock, outbox, shedding, BudgetLimits{20, 64 * kMib, 0, 0},
                                     dir / "restarts", std::move(sources));
    const std::int64_t newest = budget->begin(told_ms);
    spawn(loop, "budget", budget->run(watchdog, ServiceManager("", 0us)));
    loop.poll();
    return newest;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "each step is an event within two seconds, and so is the way back") {
  start();
  clock.advance(60s);
  CHECK(events().empty());
  usage.memory_bytes = 70 * kMib;
  clock.advance(14s);
  auto told = events();
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == "agent.degraded");
  CHECK(told[0].message ==
        "saves: metrics every 30 s, processes and ports every 15 s (memory: 70 of 64 MiB)");
  CHECK(shedding.step == DegradeStep::kSlowMetrics);
  CHECK(shedding.least_metrics_interval == 30s);
  CHECK(changed == 1);
  usage.memory_bytes = 10 * kMib;
  clock.advance(70s);
  CHECK(kinds() == std::vector<std::string>{"agent.degraded", "agent.recovered"});
  CHECK(shedding.step == DegradeStep::kNone);
  CHECK(restarts.empty());
}

TEST_CASE_FIXTURE(Fixture, "when nothing else helps the program ends, and the next one says why") {
  start();
  usage.memory_bytes = 200 * kMib;
  clock.advance(60s);
  REQUIRE_FALSE(restarts.empty());
  CHECK(restarts[0] == "memory: 200 of 64 MiB");
  CHECK(load_restarts(dir / "restarts")->all().size() == restarts.size());
  CHECK(events().size() == static_cast<std::size_t>(DegradeStep::kPauseLogs));

  Fixture next;
  REQUIRE(store_restarts(next.dir / "restarts", *load_restarts(dir / "restarts")));
  const auto told = next.start();
  CHECK(next.kinds() == std::vector<std::string>{"agent.restarted"});
  CHECK(next.shedding.step == DegradeStep::kNone);
  Fixture later;  // Told once
  REQUIRE(store_restarts(later.dir / "restarts", *load_restarts(dir / "restarts")));
  later.start(told);
  CHECK(later.events().empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "restarts under a clock that was a year ahead: an hour of safe mode at most") {
  const std::int64_t ahead = clock.unix_ms() + 365LL * 24 * 3'600'000;
  RestartHistory history;
  for (int i = 0; i < 3; ++i) history.add({ahead + i, "memory"});
  REQUIRE(store_restarts(dir / "restarts", history));
  start(ahead + 2);
  CHECK(budget->safe_mode());
  CHECK(kinds() == std::vector<std::string>{"agent.degraded"});  // The restart was told before
  const auto stored = load_restarts(dir / "restarts");
  REQUIRE(stored);
  CHECK(stored->all().back().at_ms <= clock.unix_ms());
  clock.advance(59min);
  CHECK(budget->safe_mode());
  clock.advance(2min);
  CHECK_FALSE(budget->safe_mode());
}

TEST_CASE_FIXTURE(Fixture, "after three restarts in an hour: safe mode, no restart, and its end") {
  RestartHistory history;
  for (int i = 3; i > 0; --i) history.add({clock.unix_ms() - i * 60'000, "memory"});
  REQUIRE(store_restarts(dir / "restarts", history));
  start();
  CHECK(budget->safe_mode());
  CHECK(shedding.step == DegradeStep::kSafeMode);
  CHECK_FALSE(shedding.metrics);
  CHECK(kinds() == std::vector<std::string>{"agent.restarted", "agent.degraded"});
  usage.memory_bytes = 500 * kMib;  // Not even this makes it end again.
  parts = {{"uplink", true, 1, "", true}};
  clock.advance(50min);
  CHECK(restarts.empty());
  CHECK(collected == 0);
  usage.memory_bytes = kMib;
  parts.clear();
  clock.advance(8min);
  CHECK(collected == 1);
  CHECK_FALSE(budget->safe_mode());
  CHECK(kinds().back() == "agent.recovered");
}

TEST_CASE_FIXTURE(Fixture, "a restart that cannot be remembered does not happen") {
  std::filesystem::create_directory(dir / "restarts");  // Not a file
  start();
  usage.memory_bytes = 200 * kMib;
  clock.advance(10min);
  CHECK(restarts.empty());
  CHECK(shedding.step == DegradeStep::kPauseLogs);
  // As soon as it can be remembered it does.
  std::filesystem::remove(dir / "restarts");
  clock.advance(5s);
  CHECK_FALSE(restarts.empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a stall is told within 30 s, its end too, and ended after five minutes") {
  start();
  parts = {{"uplink", true, 1, "3 batches wait", true}};
  clock.advance(30s);
  auto told = events();
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == "agent.stalled");
  CHECK(told[0].message == "stands still for 20 s: uplink (3 batches wait)");
  CHECK(budget->stalled_parts() == 1);
  parts[0].moved = 2;
  clock.advance(2s);
  CHECK(kinds().back() == "agent.resumed");
  CHECK(restarts.empty());
  clock.advance(310s);
  REQUIRE_FALSE(restarts.empty());
  CHECK(restarts[0] == "uplink stands still for 300 s");
}

TEST_CASE_FIXTURE(Fixture, "what hangs is told once, and when it answers again") {
  start();
  stuck = {"/mnt/dead", "systemd"};
  clock.advance(10s);
  stuck = {"systemd"};
  clock.advance(2s);
  const auto told = events();
  REQUIRE(told.size() == 3);
  CHECK(told[0].kind == "agent.resource_stuck");
  CHECK(told[0].message == "/mnt/dead does not answer; it is left alone until it does");
  CHECK(told[1].kind == "agent.resource_stuck");
  CHECK(told[2].kind == "agent.resource_returned");
  CHECK(told[2].message == "/mnt/dead answers again");
  CHECK(budget->stuck_resources() == 1);
}
