#include "agent/app/oom_loop.h"

#include <doctest/doctest.h>

#include "tests/support/memory_spool.h"
#include "tests/support/spooled.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

TEST_CASE("a kernel log that cannot be read is an event") {
  const test::TempDir dir;
  Loop loop;
  ManualAsyncClock clock{loop};
  test::MemorySpool spool;
  Outbox outbox = Outbox::create(spool, clock, [] {}).value();
  const std::vector<ObservedContainer> containers;
  const OomLoop oom(loop, clock, outbox, Paths{}, dir / "kmsg", containers);
  REQUIRE(outbox.flush());
  const auto told = test::spooled_events(spool);
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == "logs.unreadable");
  CHECK(told[0].message.find("kmsg: No such file") != std::string::npos);
}
