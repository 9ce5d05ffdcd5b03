#include "agent/app/oom_loop.h"

#include <doctest/doctest.h>

#include "protocol/wire/batch_codec.h"
#include "tests/support/memory_spool.h"
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
  const auto batches = spool.read(wire::Lane::kControl, 0, 100, SIZE_MAX).value();
  REQUIRE(batches.size() == 1);
  const auto control = wire::decode_control(batches[0].body, batches[0].header.codec).value();
  REQUIRE(control.events.size() == 1);
  CHECK(control.events[0].kind == "logs.unreadable");
  CHECK(control.events[0].message.find("kmsg: No such file") != std::string::npos);
}
