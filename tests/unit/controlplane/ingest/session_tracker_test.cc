#include <doctest/doctest.h>

#include "controlplane/ingest/session_tracker.h"

using namespace observeai;
using controlplane::SessionTracker;

namespace {

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

TEST_CASE("an old hello that is sent again is a replay, whatever came after it") {
  SessionTracker tracker;
  const auto old = hello(1, 1);
  CHECK_FALSE(tracker.observe(old).is_replay);
  CHECK(tracker.observe(old).is_replay);  // The broker may deliver twice.
  const auto later = hello(1, 1);
  CHECK_FALSE(tracker.observe(hello(1, 1)).is_replay);
  CHECK(tracker.observe(later).is_replay);  // It was passed on the way
  CHECK_FALSE(tracker.observe(hello(2, 2)).is_replay);
  for (int i = 0; i < 2; ++i) {
    const auto again = tracker.observe(old);
    CHECK(again.is_replay);
    CHECK_FALSE(again.clone);
  }
  CHECK_FALSE(tracker.observe(hello(2, 2)).clone);
}
