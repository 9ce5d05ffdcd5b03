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
  return h;
}

}  // namespace

TEST_CASE("restarts and a new spool are no clone") {
  SessionTracker tracker;
  for (std::uint8_t nonce = 1; nonce < 100; ++nonce) CHECK_FALSE(tracker.observe(hello(nonce, 1)));
  CHECK_FALSE(tracker.observe(hello(99, 1)));
  CHECK_FALSE(tracker.observe(hello(100, 2)));
  CHECK_FALSE(tracker.observe(hello(100, 2)));
}

TEST_CASE("a session that returns after it was replaced is a clone") {
  SessionTracker tracker;
  CHECK_FALSE(tracker.observe(hello(1, 1)));
  CHECK_FALSE(tracker.observe(hello(2, 1)));
  CHECK(tracker.observe(hello(1, 1)));
  CHECK(tracker.observe(hello(2, 1)));
}

TEST_CASE("a spool that returns after it was replaced is a clone or a restored snapshot") {
  SessionTracker tracker;
  CHECK_FALSE(tracker.observe(hello(1, 1)));
  CHECK_FALSE(tracker.observe(hello(2, 2)));
  CHECK(tracker.observe(hello(3, 1)));
}

TEST_CASE("agents do not disturb one another") {
  SessionTracker tracker;
  CHECK_FALSE(tracker.observe(hello(1, 1, "a")));
  CHECK_FALSE(tracker.observe(hello(2, 2, "b")));
  CHECK_FALSE(tracker.observe(hello(1, 1, "a")));
}
