#include <doctest/doctest.h>

#include "controlplane/ingest/session_tracker.h"

using namespace observeai;
using controlplane::SessionTracker;

namespace {

using Order = SessionTracker::Order;

wire::Hello hello(std::uint8_t nonce, std::uint8_t epoch, const char* agent = "web-1") {
  wire::Hello h;
  h.agent = AgentId::parse(agent).value();
  h.session_nonce.fill(nonce);
  h.epoch.bytes.fill(epoch);
  static std::uint64_t last = 0;
  h.number = ++last;
  return h;
}

}  // namespace

TEST_CASE("restarts and a new spool are no clone") {
  SessionTracker tracker;
  for (std::uint8_t nonce = 1; nonce < 100; ++nonce)
    CHECK_FALSE(tracker.observe(hello(nonce, 1)).clone);
  CHECK_FALSE(tracker.observe(hello(99, 1)).clone);
  CHECK_FALSE(tracker.observe(hello(100, 2)).clone);
  CHECK_FALSE(tracker.observe(hello(100, 2)).clone);
}

TEST_CASE("a session that returns after it was replaced is a clone") {
  SessionTracker tracker;
  CHECK_FALSE(tracker.observe(hello(1, 1)).clone);
  CHECK_FALSE(tracker.observe(hello(2, 1)).clone);
  CHECK(tracker.observe(hello(1, 1)).clone);
  CHECK(tracker.observe(hello(2, 1)).clone);
}

TEST_CASE("a spool that returns after it was replaced, in a new process, is a restored snapshot") {
  SessionTracker tracker;
  CHECK_FALSE(tracker.observe(hello(1, 1)).clone);
  CHECK_FALSE(tracker.observe(hello(2, 2)).clone);
  CHECK_FALSE(tracker.observe(hello(2, 2)).restored);
  const auto finding = tracker.observe(hello(3, 1));
  CHECK(finding.restored);
  CHECK_FALSE(finding.clone);
  // The process on the newer spool lives as well: these are two.
  CHECK(tracker.observe(hello(2, 2)).clone);
}

TEST_CASE("agents do not disturb one another") {
  SessionTracker tracker;
  CHECK_FALSE(tracker.observe(hello(1, 1, "a")).clone);
  CHECK_FALSE(tracker.observe(hello(2, 2, "b")).clone);
  CHECK_FALSE(tracker.observe(hello(1, 1, "a")).clone);
}

TEST_CASE("an old hello that is sent again is known, whatever came after it") {
  SessionTracker tracker;
  const auto old = hello(1, 1);
  CHECK(tracker.order_of(old) == Order::kNew);
  tracker.observe(old);
  CHECK(tracker.order_of(old) == Order::kRepeated);
  const auto passed_on_the_way = hello(1, 1);
  tracker.observe(hello(1, 1));
  CHECK(tracker.order_of(passed_on_the_way) == Order::kEarlier);
  const auto newest = hello(1, 1);
  tracker.observe(newest);
  const auto other = hello(2, 2);
  CHECK(tracker.order_of(other) == Order::kNew);
  tracker.observe(other);
  CHECK(tracker.order_of(old) == Order::kEarlier);
  CHECK(tracker.order_of(newest) == Order::kRepeated);
  CHECK(tracker.order_of(other) == Order::kRepeated);
  CHECK_FALSE(tracker.observe(hello(2, 2)).clone);
}

TEST_CASE("the numbers of hellos ascend under one challenge, and start over under another") {
  SessionTracker tracker;
  const auto resumed = hello(1, 1);
  for (int i = 0; i < 3; ++i) tracker.observe(hello(1, 1));
  CHECK(tracker.order_of(resumed) == Order::kEarlier);
  auto again = resumed;
  again.challenge.fill(7);
  CHECK(tracker.order_of(again) == Order::kNew);
  const auto finding = tracker.observe(again);
  CHECK_FALSE(finding.took_over);
  CHECK_FALSE(finding.clone);
  CHECK_FALSE(finding.restored);
  CHECK(tracker.order_of(again) == Order::kRepeated);
  auto next = again;
  ++next.number;
  CHECK(tracker.order_of(next) == Order::kNew);
}

TEST_CASE("a replaced process that was resumed is a clone, however low its number") {
  SessionTracker tracker;
  auto resumed = hello(1, 1);
  tracker.observe(hello(1, 1));
  tracker.observe(hello(2, 1));
  resumed.challenge.fill(7);
  REQUIRE(tracker.order_of(resumed) == Order::kNew);
  CHECK(tracker.observe(resumed).clone);
}
