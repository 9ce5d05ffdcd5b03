// Opening needs no free space: what kill -9 leaves at any moment opens on a disk that takes no byte.
#include <cstdlib>

#include "tests/support/fault_vfs.h"
#include "tests/unit/agent/spool/spool_model.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using test::IoFault;

namespace {

// Else about a twentieth of them, in seconds.
bool all_sites() {
  return std::getenv("OBSERVEAI_LONG_TESTS") != nullptr;
}

constexpr std::uint64_t kQuota = 16U << 20;
const ManualClock kClock;

void check_image(test::FaultVfs& vfs, const std::string& image, SpoolModel& model) {
  vfs.fail(IoFault::kFull, 0, true);
  {
    auto opened = Spool::open(image, limits_of(kQuota), kClock);
    if (!opened) FAIL(opened.error().message());
    model.check_crashed(**opened);
    for (const auto& kind : notice_kinds(**opened)) CHECK(kind == "spool.evicted");
  }
  vfs.heal();
  const auto again = open_spool(image, limits_of(kQuota));
  model.check_crashed(*again);
  REQUIRE(again->commit(unit_of(wire::Lane::kLogs, "later")));
}

// Random operations; each image that a kill at one of their writes leaves is opened. In the second half
// the disk refuses one write, or all from there, in every other operation. Returns the writes.
std::uint64_t kill_everywhere(std::uint64_t seed, int operations, std::uint64_t stride) {
  test::FaultVfs vfs;
  test::TempDir dir;
  std::mt19937_64 random(seed);
  SpoolModel model;
  model.metrics_may_be_evicted = true;
  auto spool = open_spool(dir / "spool", limits_of(kQuota));
  std::uint64_t sites = 0;
  std::vector<std::string> images;
  for (int i = 0; i < operations; ++i) {
    CAPTURE(i);
    const bool full = i > operations / 2 && random() % 2 == 0;
    if (full) vfs.fail(IoFault::kFull, random() % 8, random() % 2 == 0);
    vfs.watch([&] {
      if (sites++ % stride != 0) return;
      images.push_back(dir / ("image-" + std::to_string(images.size())));
      copy_files(dir / "spool", images.back());
    });
    SpoolModel before = model;
    model.step(*spool, random);
    vfs.watch({});
    before.forget_acknowledged(model);
    vfs.heal();
    for (const auto& image : images) check_image(vfs, image, before);
    images.clear();
  }
  return sites;
}

// All that there is to be told of a spool but its numbers of segments.
std::string content_of(Spool& spool) {
  std::string out;
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    for (const auto& batch : all_batches(spool, static_cast<wire::Lane>(lane))) {
      out += std::to_string(lane) + ":" + std::to_string(batch.header.seq) + " ";
      out +=
          batch.header.codec == wire::Codec::kLost ? "lost " + loss_in(batch).reason : batch.body;
      out += "\n";
    }
    out += std::to_string(spool.state().next_seq[lane]) + "\n";
  }
  const auto checkpoints = spool.checkpoints().value();
  for (const auto& checkpoint : checkpoints)
    out += checkpoint.source + "=" + checkpoint.state + "\n";
  return out + spool.fact("fact").value().value_or("no fact");
}

// A fault at each write, sync and truncation of opening: it opens or it says why, and the next attempt
// finds what an opening without faults finds. Returns the sites.
std::uint64_t open_with_each_fault(const std::string& image) {
  test::TempDir dir;
  test::FaultVfs vfs;
  const auto copy = dir / "copy";
  copy_files(image, copy);
  vfs.heal();
  const std::string expected = content_of(*open_spool(copy, limits_of(kQuota)));
  const std::uint64_t sites = vfs.sites();
  const std::uint64_t stride = all_sites() ? 1 : sites / 4;
  std::uint64_t offset = 0;
  for (const IoFault fault :
       {IoFault::kError, IoFault::kShort, IoFault::kFull, IoFault::kDoneButError}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t site = offset++ % stride; site < sites; site += stride) {
        CAPTURE(static_cast<int>(fault));
        CAPTURE(for_good);
        CAPTURE(site);
        copy_files(image, copy);
        vfs.fail(fault, site, for_good);
        {
          const auto opened = Spool::open(copy, limits_of(kQuota), kClock);
          const auto why = opened ? Errc::kLimit : opened.error().code();
          CHECK((why == Errc::kLimit || why == Errc::kUnavailable));
          if (opened) CHECK(content_of(**opened) == expected);
        }
        vfs.heal();
        CHECK(content_of(*open_spool(copy, limits_of(kQuota))) == expected);
      }
    }
  }
  return sites;
}

}  // namespace

TEST_CASE("killed at any write, a spool opens on a disk that takes no byte") {
  for (std::uint64_t seed = 1; seed <= (all_sites() ? 10U : 2U); ++seed) {
    CAPTURE(seed);
    CHECK(kill_everywhere(seed, 60, all_sites() ? 1 : 23) > 300);
  }
}

TEST_CASE("a fault at each write of opening: open or refused, and right at the next attempt") {
  test::TempDir dir;
  const auto killed = dir / "killed";
  {
    test::FaultVfs without_syncs;
    std::mt19937_64 random(3);
    SpoolModel model;
    auto spool = open_spool(dir / "spool", limits_of(kQuota));
    for (int i = 0; i < 40; ++i) REQUIRE(model.step(*spool, random));
    copy_files(dir / "spool", killed);
  }
  SUBCASE("killed") {}
  SUBCASE("without its ballast") {
    std::filesystem::remove(killed + "/ballast");
  }
  SUBCASE("without its manifest") {
    std::filesystem::remove(killed + "/manifest");
  }
  SUBCASE("without the newest segment of logs: a new epoch") {
    REQUIRE(remove_segment(segments_of(killed, wire::Lane::kLogs).back()));
  }
  SUBCASE("without the newest segment of control: a new epoch") {
    REQUIRE(remove_segment(segments_of(killed, wire::Lane::kControl).back()));
  }
  CHECK(open_with_each_fault(killed) > 50);
}
