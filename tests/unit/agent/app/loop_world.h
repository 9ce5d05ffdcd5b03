// What the agent's loops stand on: a loop under a clock of the test's, workers, a spool in memory.
#pragma once

#include "agent/app/outbox.h"
#include "agent/budget/shedding.h"
#include "agent/runtime/blocking_pool.h"
#include "agent/runtime/co.h"
#include "tests/support/memory_spool.h"
#include "tests/support/spooled.h"
#include "tests/support/temp_dir.h"

namespace observeai::test {

struct LoopWorld {
  TempDir dir;
  agent::Loop loop;
  agent::ManualAsyncClock clock{loop};
  agent::BlockingPool pool{loop, clock};
  MemorySpool spool;
  agent::Outbox outbox = agent::Outbox::create(spool, clock, [] {}).value();
  agent::Shedding shedding;

  std::vector<wire::Event> events() { return spooled_events(spool); }
  std::vector<std::string> kinds() {
    std::vector<std::string> all;
    for (const auto& event : events()) all.push_back(event.kind);
    return all;
  }
};

}  // namespace observeai::test
