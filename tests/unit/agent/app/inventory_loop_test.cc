#include "agent/app/inventory_loop.h"

#include <doctest/doctest.h>

#include "tests/unit/agent/app/loop_world.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

struct Fixture : test::LoopWorld {
  int told = 0;
  std::vector<ObservedContainer> containers;
  InventoryLoop inventory{loop,
                          clock,
                          pool,
                          outbox,
                          options(),
                          nullptr,
                          [this](std::vector<ObservedContainer> all) {
                            ++told;
                            containers = std::move(all);
                          },
                          shedding};

  Fixture() { spawn(loop, "news", inventory.report_news()); }
  ~Fixture() { loop.shutdown(); }

  InventoryLoop::Options options() const {
    InventoryLoop::Options options;
    options.paths.proc = options.paths.sys = options.paths.root = dir.path();
    return options;
  }
  void start(int number) {
    wire::SectionUpdate<ObservedContainer> update;
    update.upserts.emplace_back();
    update.upserts[0].facts.id = std::to_string(number);
    inventory.containers_changed(std::move(update));
    wire::Event event;
    event.kind = "container.start";
    inventory.event(std::move(event));
  }
  std::vector<wire::ControlBatch> reported() { return test::spooled_control(spool); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what comes together is one commit, at once") {
  loop.poll();
  const int before = spool.commits;
  for (int i = 0; i < 64; ++i) start(i);
  loop.poll();
  CHECK(spool.commits == before + 1);
  CHECK(told == 1);
  CHECK(containers.size() == 64);
  const auto batches = reported();
  REQUIRE_FALSE(batches.empty());
  CHECK(batches.back().events.size() == 64);
  REQUIRE(batches.back().inventory.size() == 1);
  CHECK(batches.back().inventory[0].containers.upserts.size() == 64);
}

TEST_CASE_FIXTURE(Fixture, "while the spool is full one update waits, the rest in the tracker") {
  spool.bound = 0;
  for (int i = 0; i < 10; ++i) {
    start(i);
    loop.poll();
  }
  inventory.resend();
  loop.poll();
  spool.bound = UINT64_MAX;
  clock.advance(FullPause::kAskEvery);
  start(10);
  loop.poll();
  std::size_t updates = 0;
  std::size_t newest = 0;
  for (const auto& batch : reported()) {
    updates += batch.inventory.size();
    if (!batch.inventory.empty()) newest = batch.inventory.back().containers.upserts.size();
  }
  CHECK(updates == 2);  // The one that waited, then the whole
  CHECK(newest == 11);
}
