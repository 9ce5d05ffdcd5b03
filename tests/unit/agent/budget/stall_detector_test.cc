#include "agent/budget/stall_detector.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

struct Watch {
  ManualClock clock;
  StallDetector detector;

  // The changes of `seconds` looks at one part.
  std::vector<StallDetector::Change> look(bool waits, std::uint64_t moved, int seconds = 1) {
    std::vector<StallDetector::Change> all;
    for (int i = 0; i < seconds; ++i) {
      clock.advance(1s);
      for (auto& change :
           detector.look({{"uplink", waits, moved, "3 batches", true}}, clock.steady_now()))
        all.push_back(std::move(change));
    }
    return all;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Watch, "work that waits and does not move is a stall, told once, and its end") {
  CHECK(look(true, 1, 20).empty());
  auto changes = look(true, 1, 10);
  REQUIRE(changes.size() == 1);  // Within 30 s, and only once
  CHECK(changes[0].stalled);
  CHECK(changes[0].part == "uplink");
  CHECK(changes[0].detail == "3 batches");
  CHECK(detector.stalled() == 1);
  changes = look(true, 2);
  REQUIRE(changes.size() == 1);
  CHECK_FALSE(changes[0].stalled);
  CHECK(changes[0].lasted >= 29s);
  CHECK(detector.stalled() == 0);
}

TEST_CASE_FIXTURE(Watch, "nothing to do is no stall, and neither is slow progress") {
  CHECK(look(false, 1, 1'000).empty());
  for (std::uint64_t moved = 2; moved < 50; ++moved) CHECK(look(true, moved, 19).empty());
  // What waited for long starts to count when there is work again.
  CHECK(look(false, 50, 1'000).empty());
  CHECK(look(true, 50, 19).empty());
}

TEST_CASE_FIXTURE(Watch, "work that goes away ends a stall") {
  CHECK(look(true, 1, 30).size() == 1);
  const auto changes = look(false, 1);
  REQUIRE(changes.size() == 1);
  CHECK_FALSE(changes[0].stalled);
}

TEST_CASE_FIXTURE(Watch, "after five minutes it is hopeless, and which part") {
  look(true, 1, 299);
  CHECK(detector.hopeless(clock.steady_now()).empty());
  look(true, 1, 5);
  CHECK(detector.hopeless(clock.steady_now()) == "uplink");
  look(true, 2);
  CHECK(detector.hopeless(clock.steady_now()).empty());
}

TEST_CASE_FIXTURE(Watch, "what a restart does not help is told, and never hopeless") {
  for (int i = 0; i < 1'000; ++i) {
    clock.advance(1s);
    (void)detector.look({{"workers", true, 1, "4 calls hang", false}}, clock.steady_now());
  }
  CHECK(detector.stalled() == 1);
  CHECK(detector.hopeless(clock.steady_now()).empty());
}

TEST_CASE_FIXTURE(Watch, "parts are watched each for itself, and forgotten when they go") {
  for (int i = 0; i < 30; ++i) {
    clock.advance(1s);
    (void)detector.look(
        {{"uplink", true, 1, "", true}, {"workers", true, std::uint64_t(i), "", true}},
        clock.steady_now());
  }
  CHECK(detector.stalled() == 1);
  CHECK(detector.look({}, clock.steady_now()).empty());
  CHECK(detector.stalled() == 0);
}
