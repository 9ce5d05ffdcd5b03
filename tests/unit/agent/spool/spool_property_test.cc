// The spool against a simple model: random operations, crashes at every point, faults at every site.
#include <cstdlib>

#include "tests/support/fault_vfs.h"
#include "tests/unit/agent/spool/spool_model.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using test::IoFault;

namespace {

constexpr std::uint64_t kQuota = 16U << 20;

}  // namespace

TEST_CASE("random operations, crashes and restarts: the spool is what the model says") {
  test::FaultVfs without_syncs;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    test::TempDir dir;
    SpoolModel model;
    auto spool = open_spool(dir / "spool", limits_of(kQuota));
    for (int i = 0; i < 400; ++i) {
      CAPTURE(i);
      model.step(*spool, random);
      const auto dice = random() % 40;
      if (dice == 0) {
        spool.reset();
        spool = open_spool(dir / "spool", limits_of(kQuota));
        model.check(*spool, false);
      } else if (dice == 1) {
        copy_files(dir / "spool", dir / "copy");
        const auto copy = open_spool(dir / "copy", limits_of(kQuota));
        CHECK(copy->take_notices().empty());
        model.check(*copy, true);
      } else if (dice == 2) {
        model.check(*spool, false);
      }
    }
  }
}

TEST_CASE("the model notices a batch that is gone, one too many, and an old checkpoint") {
  // Shown on a spool that was given one unit more, or one less, than the model.
  for (const int how : {0, 1}) {
    test::TempDir dir;
    auto spool = open_spool(dir.path());
    SpoolModel model;
    REQUIRE(model.commit(*spool, unit_of(wire::Lane::kLogs, "a")));
    if (how == 0) REQUIRE(spool->commit(unit_of(wire::Lane::kLogs, "b")));
    if (how == 1) REQUIRE(spool->acknowledge({0, 0, 1, 0}));
    const auto batches = all_batches(*spool, wire::Lane::kLogs);
    CHECK(batches.size() != 1);
  }
}

namespace {

// Forty operations with a fault at the site, a crash and a restart. Returns the sites passed.
std::uint64_t run_with(IoFault fault, bool for_good, std::uint64_t site) {
  CAPTURE(static_cast<int>(fault));
  CAPTURE(for_good);
  CAPTURE(site);
  test::TempDir dir;
  test::FaultVfs vfs;
  std::mt19937_64 random(7);
  SpoolModel model;
  model.metrics_may_be_evicted = fault == IoFault::kFull;
  auto spool = open_spool(dir / "spool", limits_of(kQuota));
  vfs.fail(fault, site, for_good);
  int refusals = 0;
  for (int i = 0; i < 40; ++i) {
    if (!model.step(*spool, random) && ++refusals == 3) vfs.heal();
  }
  const std::uint64_t sites = vfs.sites();
  if (fault != IoFault::kNone) CHECK(vfs.faults() > 0);
  // A crash while the disk still fails, and the living one once it works again.
  copy_files(dir / "spool", dir / "copy");
  vfs.heal();
  {
    const auto copy = open_spool(dir / "copy", limits_of(kQuota));
    model.check_crashed(*copy);
  }
  for (int i = 0; i < 5; ++i) CHECK(model.step(*spool, random));
  model.check(*spool, false);
  spool.reset();
  spool = open_spool(dir / "spool", limits_of(kQuota));
  model.check(*spool, false);
  return sites;
}

}  // namespace

// All sites with OBSERVEAI_LONG_TESTS set, some minutes; else about a hundred of them.
TEST_CASE("writes, syncs and truncations fail, in each way: nothing lost, nothing twice") {
  const std::uint64_t sites = run_with(IoFault::kNone, false, 0);
  CHECK(sites > 100);
  const std::uint64_t stride =
      std::getenv("OBSERVEAI_LONG_TESTS") != nullptr ? 1 : std::max<std::uint64_t>(1, sites / 12);
  std::uint64_t offset = 0;
  for (const IoFault fault :
       {IoFault::kError, IoFault::kShort, IoFault::kFull, IoFault::kDoneButError}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t site = offset % stride; site < sites * 3 / 4; site += stride)
        run_with(fault, for_good, site);
      offset += 13;
    }
  }
}

namespace {

// A unit of a batch of lane 0, a checkpoint and perhaps a batch, with a fault from the site on, then one
// of `after`, and what a process leaves that is killed then. False: past the last site.
bool run_into_doubt(std::uint64_t site, bool with_batch, wire::Lane after, int& doubts) {
  CAPTURE(site);
  CAPTURE(with_batch);
  CAPTURE(static_cast<int>(after));
  test::TempDir dir;
  test::FaultVfs vfs;
  auto spool = open_spool(dir / "spool", limits_of(kQuota));
  REQUIRE(spool->commit(unit_of(wire::Lane::kLogs, "before")));
  CommitUnit unit = unit_of(wire::Lane::kControl, "a gap");
  if (with_batch) unit.batches.push_back(batch_of(wire::Lane::kLogs, "behind the gap"));
  unit.checkpoints = {{"file", "behind the gap"}};
  vfs.fail(IoFault::kDoneButError, site, true);  // Also while it closes the segment
  const bool done = bool(spool->commit(unit));
  const bool passed = vfs.faults() == 0;
  vfs.heal();
  if (passed) return false;
  REQUIRE(spool->commit(unit_of(after, "after")));
  copy_files(dir / "spool", dir / "copy");
  const auto copy = open_spool(dir / "copy", limits_of(kQuota));
  const auto bodies = [&copy](wire::Lane lane) {
    std::vector<std::string> out;
    const auto batches = all_batches(*copy, lane);
    for (const auto& batch : batches) out.push_back(batch.body);
    return out;
  };
  std::vector<std::string> control;
  std::vector<std::string> logs{"before"};
  if (done) control.push_back("a gap");
  if (done && with_batch) logs.push_back("behind the gap");
  (after == wire::Lane::kLogs ? logs : control).push_back("after");
  CHECK(bodies(wire::Lane::kControl) == control);
  CHECK(bodies(wire::Lane::kLogs) == logs);
  CHECK(copy->checkpoints().value().empty() == !done);
  if (!done) ++doubts;
  return true;
}

}  // namespace

TEST_CASE("a unit whose COMMIT failed, but is on the disk, does not come back in part") {
  int doubts = 0;
  for (const bool with_batch : {true, false}) {
    for (const auto after : {wire::Lane::kControl, wire::Lane::kLogs}) {
      std::uint64_t site = 0;
      while (run_into_doubt(site, with_batch, after, doubts)) ++site;
      CHECK(site > 5);
    }
  }
  CHECK(doubts > 5);
}

TEST_CASE("a new epoch that failed half-way harms nothing that is written afterwards") {
  for (std::uint64_t site = 0; site < 400; site += 19) {
    CAPTURE(site);
    test::TempDir dir;
    test::FaultVfs vfs;
    auto spool = open_spool(dir / "spool", limits_of(kQuota));
    SpoolModel model;
    const auto commit = [&] {
      REQUIRE(model.commit(*spool, unit_of(wire::Lane::kLogs, std::string(20'000, 'l'))));
      REQUIRE(model.commit(*spool, unit_of(wire::Lane::kMetrics, std::string(20'000, 'm'))));
      REQUIRE(model.commit(*spool, unit_of(wire::Lane::kControl, std::string(20'000, 'c'))));
    };
    commit();
    vfs.fail(IoFault::kError, site, false);
    const bool begun = bool(spool->begin_epoch());
    vfs.heal();
    if (begun) break;                       // Past its last site
    for (int i = 0; i < 40; ++i) commit();  // Each lane begins the segment whose name was tried
    for (const std::uint64_t again : {50, 10, 70, 20}) {
      vfs.fail(IoFault::kError, again, false);
      CHECK_FALSE(spool->begin_epoch());
      vfs.heal();
      // As a process leaves it that is killed now.
      copy_files(dir / "spool", dir / "copy");
      const auto copy = open_spool(dir / "copy", limits_of(kQuota));
      model.check(*copy, true);
    }
    REQUIRE(spool->begin_epoch());
    model.check(*spool, false);
  }
}
