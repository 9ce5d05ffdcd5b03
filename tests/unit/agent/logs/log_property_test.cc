// Every line exactly once and in order, whatever the writer, the rotation, crashes of the agent and failing
// commits do. The oracle is shown to notice a checkpoint that is one line off.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>

#include "agent/logs/log_collector.h"
#include "protocol/base/text.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/logs/log_agent.h"
#include "tests/unit/agent/logs/simulated_log.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
using test::Rotation;
using test::SimulatedLog;

namespace {

using Agent = test::LogAgent;
using Store = test::LogStore;

agent::LogCollectorOptions without_idle_flush() {
  LogCollectorOptions options;
  options.idle_flush = 24h;  // Flushing splits lines; it has tests of its own
  return options;
}

struct Outcome {
  test::Comparison comparison;
  std::size_t pieces = 0;
  bool loss_reported = false;
  bool counts_right = false;
};

Outcome run(Rotation rotation, int max_files, unsigned seed) {
  const test::TempDir dir;
  const auto path = dir / "c1-json.log";
  ManualClock clock;
  Store store;
  Agent agent(clock, store, without_idle_flush());
  agent.add_container("c1", path);
  std::mt19937 random(seed * 7919 + 1);

  const auto act = [&] {
    if (!agent.up()) return;
    switch (random() % 8) {
      case 0:
        agent.collector().on_wake();
        break;
      case 1:
        clock.advance(250ms);
        break;
      case 2:
      case 3:
        agent.read_and_commit(1 + random() % 20'000);
        break;
      case 4:
        (void)agent.collector().read(1 + random() % 20'000);
        if (random() % 2 == 0) agent.collector().rollback();
        break;
      default:
        break;
    }
  };
  SimulatedLog log(path, rotation, max_files, seed, act);
  agent.start();
  agent.read_and_commit(1);
  for (int step = 0; step < 400; ++step) {
    const auto dice = random() % 100;
    if (dice < 55) {
      log.write_some();
    } else if (dice < 61) {
      // While the agent is up it hears of each new file before the next rotation; lines of deleted files
      // it holds open are not excused.
      log.rotate();
      if (agent.up()) {
        agent.collector().on_wake();
      } else {
        log.excuse_vanished();
      }
    } else if (dice < 92) {
      act();
    } else if (!agent.up()) {
      agent.start();
    } else if (dice < 94) {
      agent.kill();
      log.excuse_vanished();
    }
  }
  if (!agent.up()) agent.start();
  log.finish_lines();
  agent.drain();

  Outcome out;
  out.comparison = test::compare(log, store.records);
  out.pieces = log.piece_count();
  out.loss_reported = store.has_event("logs.gap") || store.has_event("logs.truncated");
  out.counts_right = store.counted_records == store.records.size();
  return out;
}

// OBSERVEAI_LOG_SEEDS=200 is the long form.
unsigned seeds_of_each() {
  const char* wanted = std::getenv("OBSERVEAI_LOG_SEEDS");
  return wanted == nullptr ? 10 : static_cast<unsigned>(std::atoi(wanted));
}

// Returns how many excused pieces did not come.
std::size_t check_all(Rotation rotation, int max_files) {
  const auto seeds = seeds_of_each();
  std::size_t missing = 0;
  std::size_t pieces = 0;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    const auto outcome = run(rotation, max_files, seed);
    for (const auto& problem : outcome.comparison.problems) FAIL_CHECK(problem);
    CHECK(outcome.pieces > 100);
    CHECK(outcome.counts_right);
    if (outcome.comparison.missing > 0) CHECK(outcome.loss_reported);
    missing += outcome.comparison.missing;
    pieces += outcome.pieces;
  }
  MESSAGE(missing << " of " << pieces << " pieces could not be read by anybody");
  return missing;
}

}  // namespace

TEST_CASE("rename rotation, no file is deleted: nothing is missing") {
  CHECK(check_all(Rotation::kRename, 100) == 0);
}
TEST_CASE("rename rotation, three and five files") {
  check_all(Rotation::kRename, 3);
  check_all(Rotation::kRename, 5);
}
TEST_CASE("unlink rotation (max-file=1)") {
  check_all(Rotation::kUnlink, 1);
}
TEST_CASE("copytruncate, copies are kept") {
  check_all(Rotation::kCopyTruncate, 100);
}
TEST_CASE("copytruncate, copies are deleted") {
  check_all(Rotation::kCopyTruncate, 4);
}

TEST_CASE("the oracle notices a checkpoint that is one line late or early") {
  // The place of stdout is moved by one entry between commit and restart.
  const auto problems_after_shift = [](int lines) {
    const test::TempDir dir;
    const auto path = dir / "c1-json.log";
    ManualClock clock;
    Store store;
    Agent agent(clock, store, without_idle_flush());
    agent.add_container("c1", path);
    SimulatedLog log(path, Rotation::kRename, 3, 5, [] {});
    agent.start();
    for (int i = 0; i < 60; ++i) log.write_some();
    log.finish_lines();
    agent.read_and_commit(1500);
    agent.kill();
    for (auto& [source, state] : store.checkpoints) {
      auto parsed = parse_checkpoint(state);
      REQUIRE(parsed);
      std::ifstream file(path, std::ios::binary);
      const std::string content((std::istreambuf_iterator<char>(file)), {});
      const auto lowest =
          std::min({parsed->streams[0].position.offset, parsed->streams[1].position.offset,
                    parsed->streams[2].position.offset});
      REQUIRE(lowest > 0);
      REQUIRE(lowest < content.size());
      for (auto& stream : parsed->streams) {
        auto& offset = stream.position.offset;
        if (lines > 0) offset = content.find('\n', offset) + 1;
        if (lines < 0) offset = content.rfind('\n', offset - 2) + 1;
      }
      state = encode_checkpoint(*parsed);
    }
    agent.start();
    agent.drain();
    return test::compare(log, store.records).problems;
  };
  CHECK(problems_after_shift(0).empty());
  CHECK_FALSE(problems_after_shift(1).empty());
  CHECK_FALSE(problems_after_shift(-1).empty());
}
