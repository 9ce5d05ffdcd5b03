#include "agent/budget/degrade_ladder.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kMib = 1 << 20;
const BudgetLimits kLimits{20, 64 * kMib, 1024 * kMib, 1000};

OwnUsage cpu(double percent) {
  return {percent, 10 * kMib, 0, 50};
}
OwnUsage memory(std::uint64_t mib) {
  return {1, mib * kMib, 0, 50};
}
const OwnUsage kCalm = cpu(1);

struct Host {
  ManualClock clock;
  DegradeLadder ladder{kLimits};
  std::vector<DegradeLadder::Change> changes;

  void spend(const OwnUsage& usage, std::chrono::seconds how_long) {
    for (auto left = how_long; left > 0s; left -= 1s) {
      clock.advance(1s);
      if (auto change = ladder.measure(usage, clock.steady_now())) changes.push_back(*change);
    }
  }
};

}  // namespace

TEST_CASE_FIXTURE(Host, "steps come in order, each after its patience, and go one by one") {
  spend(kCalm, 300s);
  CHECK(changes.empty());
  spend(memory(70), 10s);
  CHECK(ladder.step() == DegradeStep::kNone);  // Ten seconds are not over yet.
  spend(memory(70), 1s);
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].from == DegradeStep::kNone);
  CHECK(changes[0].to == DegradeStep::kSlowMetrics);
  CHECK(changes[0].reason == "memory: 70 of 64 MiB");
  spend(memory(70), 11s);
  CHECK(ladder.step() == DegradeStep::kSlowestMetrics);
  // Between 70 and 100 % of the limit nothing moves.
  spend(memory(63), 600s);
  CHECK(ladder.step() == DegradeStep::kSlowestMetrics);
  spend(memory(44), 60s);
  CHECK(ladder.step() == DegradeStep::kSlowestMetrics);
  spend(memory(44), 1s);
  CHECK(ladder.step() == DegradeStep::kSlowMetrics);
  CHECK(changes.back().reason.empty());
  spend(memory(44), 61s);
  CHECK(ladder.step() == DegradeStep::kNone);
  spend(kCalm, 600s);
  CHECK(changes.size() == 4);
}

TEST_CASE_FIXTURE(Host, "what takes twice its limit is answered at once, except the processor") {
  spend(memory(128), 3s);
  CHECK(ladder.step() == DegradeStep::kSlowMetrics);
  spend(memory(128), 12s);
  CHECK(ladder.step() == DegradeStep::kPauseLogs);
  // A backlog that is read for a minute is no reason; what lasts is.
  Host busy;
  busy.spend(cpu(100), 60s);
  CHECK(busy.changes.empty());
  busy.spend(cpu(100), 1s);
  REQUIRE(busy.changes.size() == 1);
  CHECK(busy.changes[0].reason == "processor: 100 of 20 % of a core");
}

TEST_CASE_FIXTURE(Host, "a short burst changes nothing") {
  for (int i = 0; i < 100; ++i) {
    spend(memory(90), 2s);
    spend(cpu(90), 30s);
    spend(kCalm, 3s);
  }
  CHECK(changes.empty());
}

TEST_CASE("no resource leads further than its relief") {
  struct Row {
    OwnUsage usage;
    DegradeStep last;
    const char* resource;
  };
  const Row rows[] = {
      {cpu(1000), DegradeStep::kPauseLogs, "processor"},
      {memory(1000), DegradeStep::kRestart, "memory"},
      {{1, kMib, 2000 * kMib, 1}, DegradeStep::kNoProcessDetail, "spool"},
      {{1, kMib, 0, 5000}, DegradeStep::kRestart, "open files"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.resource);
    Host host;
    host.spend(row.usage, 3600s);
    CHECK(host.ladder.step() == row.last);
    CHECK(host.changes.size() == static_cast<std::size_t>(row.last));  // Each step once
    for (const auto& change : host.changes) {
      CHECK(change.reason.substr(0, std::string(row.resource).size()) == row.resource);
    }
    // A step that holds because of one resource is left when that one recovers.
    host.spend(kCalm, 61s * static_cast<int>(row.last));
    CHECK(host.ladder.step() == DegradeStep::kNone);
  }
}

TEST_CASE_FIXTURE(Host, "the resource with the highest share is named, another may go further") {
  spend({30, 70 * kMib, 0, 1}, 11s);  // Memory's patience is the shorter one.
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].reason == "processor: 30 of 20 % of a core");
  spend({30, 70 * kMib, 0, 1}, 11s * 4);
  CHECK(ladder.step() == DegradeStep::kPauseLogs);
  // The processor can lead no further, memory can.
  spend({30, 70 * kMib, 0, 1}, 11s);
  CHECK(ladder.step() == DegradeStep::kRestart);
  CHECK(changes.back().reason == "memory: 70 of 64 MiB");
}

TEST_CASE("limits of 0 are no limits, and measurements that are no numbers count as nothing") {
  DegradeLadder ladder{BudgetLimits{}};
  ManualClock clock;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (int i = 0; i < 1000; ++i) {
    clock.advance(1s);
    CHECK_FALSE(
        ladder.measure(OwnUsage{1e9, UINT64_MAX, UINT64_MAX, UINT64_MAX}, clock.steady_now()));
  }
  DegradeLadder limited(kLimits);
  for (int i = 0; i < 1000; ++i) {
    clock.advance(1s);
    CHECK_FALSE(limited.measure(OwnUsage{nan, 0, 0, 0}, clock.steady_now()));
  }
}

// Whatever is measured whenever: one step at a time, in the promised rhythm, never beyond a restart.
TEST_CASE("properties of the ladder under random loads") {
  std::mt19937 random(7);
  for (int run = 0; run < 200; ++run) {
    Host host;
    std::optional<SteadyTime> last;
    DegradeStep before = DegradeStep::kNone;
    for (int i = 0; i < 2'000; ++i) {
      host.clock.advance(std::chrono::milliseconds(500 + random() % 3'000));
      const OwnUsage usage{static_cast<double>(random() % 60), random() % (200 * kMib),
                           random() % (2'000 * kMib), random() % 2'000};
      const auto change = host.ladder.measure(usage, host.clock.steady_now());
      if (!change) {
        CHECK(host.ladder.step() == before);
        continue;
      }
      const int up = static_cast<int>(change->to) - static_cast<int>(change->from);
      CHECK((up == 1 || up == -1));
      CHECK(change->from == before);
      CHECK(change->to <= DegradeStep::kRestart);
      CHECK(change->reason.empty() == (up < 0));
      if (last) {
        CHECK(host.clock.steady_now() - *last >=
              (up > 0 ? DegradeLadder::kUrgentPatience : DegradeLadder::kRelief));
      }
      last = host.clock.steady_now();
      before = change->to;
    }
  }
}

TEST_CASE("each step keeps what those before it gave up") {
  Shedding before = shedding_at(DegradeStep::kNone);
  CHECK(before.least_metrics_interval == 0ms);
  CHECK((before.metrics && before.process_detail && before.logs && before.scans));
  CHECK(before.keep_one_log_in == 1);
  for (int i = 1; i <= static_cast<int>(kLastStep); ++i) {
    const auto step = static_cast<DegradeStep>(i);
    const Shedding now = shedding_at(step);
    CAPTURE(std::string(to_string(step)));
    CHECK(now.step == step);
    CHECK(now.least_metrics_interval >= before.least_metrics_interval);
    CHECK(now.least_scan_interval >= before.least_scan_interval);
    CHECK(now.keep_one_log_in >= before.keep_one_log_in);
    CHECK(now.process_detail <= before.process_detail);
    CHECK(now.logs <= before.logs);
    CHECK(now.metrics <= before.metrics);
    CHECK_FALSE(to_string(step).empty());
    CHECK_FALSE(description(step).empty());
    before = now;
  }
  CHECK_FALSE(before.metrics);
}
