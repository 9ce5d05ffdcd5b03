// A real disk without a free byte. Needs the right to mount, else skipped with a message.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/agent/spool/spool_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using wire::Lane;

namespace {

const ManualClock kClock;

// In a mount namespace of our own: the mount goes with this process at the latest.
class SmallDisk {
 public:
  explicit SmallDisk(int mib) {
    const std::string size = "size=" + std::to_string(mib) + "m";
    mounted_ = ::unshare(CLONE_NEWNS) == 0 &&
               ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               ::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, size.c_str()) == 0;
    if (!mounted_) MESSAGE("skipped: mounting a file system is not permitted here");
  }
  ~SmallDisk() {
    if (mounted_) CHECK(::umount2(dir_.path().c_str(), MNT_DETACH) == 0);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const std::string& path() const { return dir_.path(); }
  std::string operator/(const std::string& name) const { return dir_ / name; }
  std::uint64_t available() const { return std::filesystem::space(dir_.path()).available; }
  // A neighbour takes all but so much; returns what is left.
  std::uint64_t fill(std::uint64_t but = 0) const {
    std::ofstream filler(dir_ / "filler", std::ios::binary | std::ios::app);
    const std::string block(4096, 'f');
    while (available() > but && filler.write(block.data(), 4096).flush()) {
    }
    return available();
  }
  void free() const { REQUIRE(std::filesystem::remove(dir_ / "filler")); }

 private:
  test::TempDir dir_;
  bool mounted_ = false;
};

// Commits until the spool refuses; returns the refusal.
Error fill(Spool& spool, Lane lane, std::size_t body_bytes) {
  for (int i = 0; i < 100'000; ++i) {
    auto committed = spool.commit(unit_of(lane, std::string(body_bytes, 'x')));
    if (!committed) return committed.error();
  }
  FAIL("the spool has no bound");
  return Error(Errc::kInternal, "");
}

}  // namespace

TEST_CASE("a disk filled by others to the last byte: nothing breaks, acknowledging frees it") {
  SmallDisk dir(16);
  if (!dir.mounted()) return;
  {
    constexpr std::uint64_t kFloor = 4U << 20;
    auto spool = open_spool(dir / "spool", SpoolLimits{64U << 20, kFloor});
    CHECK(fill(*spool, Lane::kLogs, 20'000).code() == Errc::kLimit);
    const auto batches = spool->state().next_seq[2] - 1;
    CHECK(batches > 50);
    // A restart begins with an empty log, whose space only the reservation holds.
    spool.reset();
    spool = open_spool(dir / "spool", SpoolLimits{64U << 20, 0});

    CHECK(dir.fill() == 0);
    CHECK(spool->commit(unit_of(Lane::kLogs, "x")).error().code() == Errc::kLimit);
    const auto still_there = spool->read(Lane::kLogs, 0, 1000, 1U << 30).value();
    CHECK(still_there.size() == batches);

    REQUIRE(spool->set_fact("fact", "written at zero bytes free"));
    // Acknowledging needs no space and gives some back at once, which commits can use.
    auto acknowledged = spool->acknowledge({0, 0, batches, 0});
    if (!acknowledged) FAIL(acknowledged.error().message());
    CHECK(dir.available() > 0);
    spool.reset();
    spool = open_spool(dir / "spool", SpoolLimits{64U << 20, 0});
    for (int i = 0; i < 11; ++i) {
      const auto committed = spool->commit(unit_of(Lane::kLogs, "x"));
      if (!committed) FAIL(committed.error().message());
    }
  }
  {
    auto spool = open_spool(dir / "spool");
    CHECK(spool->take_notices().empty());
    CHECK(spool->fact("fact").value() == std::optional<std::string>("written at zero bytes free"));
    CHECK(spool->read(Lane::kLogs, 0, 1000, 1U << 30).value().size() == 11);
  }
}

TEST_CASE("killed on a disk without a free byte: it opens, and small units find the log's space") {
  SmallDisk dir(16);
  if (!dir.mounted()) return;
  const SpoolLimits limits{16U << 20, 0};
  // A file system may give freed space to nobody for seconds: the log has to stay the same file.
  const auto log_file = [&dir] {
    struct stat info {};
    const auto path = segments_of(dir / "spool", Lane::kControl).back() + "-wal";
    return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
  };
  const auto in_process_that_is_killed = [](const auto& act) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(act() ? 0 : 1);
    int status = 0;
    return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
  };
  {
    auto spool = open_spool(dir / "spool", limits);
    REQUIRE(spool->commit(unit_of(Lane::kLogs, std::string(20'000, 'x'))));
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, "m")));
    REQUIRE(spool->set_fact("kill", "none"));
  }
  REQUIRE(in_process_that_is_killed([&] {
    auto spool = open_spool(dir / "spool", limits);
    return spool->set_fact("kill", "first") && dir.fill() == 0;
  }));
  const auto log = log_file();
  for (int kill = 0; kill < 3; ++kill) {
    CAPTURE(kill);
    CHECK(in_process_that_is_killed([&] {
      auto spool = Spool::open(dir / "spool", limits, kClock);
      return spool && (*spool)->set_fact("kill", std::to_string(kill)) && dir.fill() == 0;
    }));
    CHECK(log_file() == log);
  }
  // Ended in order the log is gone, and others take its space: it opens nevertheless.
  open_spool(dir / "spool", limits).reset();
  CHECK(dir.fill() == 0);
  {
    auto spool = open_spool(dir / "spool", limits);
    CHECK(spool->fact("kill").value() == std::optional<std::string>("2"));
    CHECK(all_batches(*spool, Lane::kLogs).size() == 1);
    CHECK(spool->acknowledge(all_of(spool->state())));
  }
  // Without its manifest too.
  CHECK(dir.fill() == 0);
  REQUIRE(std::filesystem::remove(dir / "spool/manifest"));
  CHECK(dir.fill() == 0);
  open_spool(dir / "spool", limits).reset();
  dir.free();
  {
    auto spool = open_spool(dir / "spool", limits);
    CHECK(spool->commit(unit_of(Lane::kLogs, "x")).value() == std::vector<std::uint64_t>{2});
  }
}

TEST_CASE("where overwriting needs space too, the ballast is it, and files leave") {
  SmallDisk dir(16);
  if (!dir.mounted()) return;
  auto spool = open_spool(dir / "spool", limits_of(64U << 20));
  for (int i = 0; i < 200; ++i)
    REQUIRE(spool->commit(unit_of(Lane::kLogs, std::string(20'000, 'x'))));
  const auto segments = segments_of(dir / "spool", Lane::kLogs).size();
  REQUIRE(segments > 2);
  REQUIRE(std::filesystem::exists(dir / "spool/ballast"));
  // Holes, which take a new block when they are written.
  const int manifest = ::open((dir / "spool/manifest").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::fallocate(manifest, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8192) == 0);
  ::close(manifest);
  CHECK(dir.fill() == 0);
  REQUIRE(spool->acknowledge({0, 0, 150, 0}));
  CHECK(segments_of(dir / "spool", Lane::kLogs).size() < segments);
  CHECK(dir.available() > 0);
}

TEST_CASE("a new epoch on a disk without a free byte or a ballast: metrics make room, and say so") {
  SmallDisk dir(16);
  if (!dir.mounted()) return;
  auto spool = open_spool(dir / "spool", limits_of(64U << 20));
  for (int i = 0; i < 150; ++i)
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, std::string(20'000, 'm'))));
  REQUIRE(spool->commit(unit_of(Lane::kLogs, "log")));
  REQUIRE(segments_of(dir / "spool", Lane::kMetrics).size() > 1);
  REQUIRE(std::filesystem::remove(dir / "spool/ballast"));
  CHECK(dir.fill() == 0);
  const auto epoch = spool->state().epoch;
  const auto begun = spool->begin_epoch();
  if (!begun) FAIL(begun.error().message());
  CHECK(spool->state().epoch != epoch);
  CHECK(spool->counters().batches_evicted > 0);
  const auto metrics = all_batches(*spool, Lane::kMetrics);
  CHECK(metrics.size() == 150);
  const auto lost = std::count_if(metrics.begin(), metrics.end(), [](const auto& batch) {
    return batch.header.codec == wire::Codec::kLost;
  });
  CHECK(static_cast<std::uint64_t>(lost) == spool->counters().batches_evicted);
  CHECK(all_batches(*spool, Lane::kLogs).at(0).body == "log");
}

TEST_CASE(
    "on a disk that others fill to the floor one segment is given up in vain, not all of them") {
  SmallDisk dir(32);
  if (!dir.mounted()) return;
  constexpr std::uint64_t kFloor = 8U << 20;
  const SpoolLimits limits{16U << 20, kFloor};
  auto spool = open_spool(dir / "spool", limits);
  for (int i = 0; i < 300; ++i)
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, std::string(20'000, 'm'))));
  const auto segments = segments_of(dir / "spool", Lane::kMetrics).size();
  REQUIRE(segments > 8);
  for (int scrape = 0; scrape < 40; ++scrape) {
    dir.fill(kFloor - (1U << 20));  // What is given up is the neighbour's at once
    const auto refused = spool->commit(unit_of(Lane::kMetrics, std::string(20'000, 'm')));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::kLimit);
    dir.fill(kFloor / 2 - (1U << 20));
    CHECK(spool->commit(unit_of(Lane::kControl, "c")).error().code() == Errc::kLimit);
  }
  CHECK(segments_of(dir / "spool", Lane::kMetrics).size() + 2 >= segments);
  // What there is stays in order, and with space everything goes on, restarted or not.
  CHECK(all_batches(*spool, Lane::kMetrics).size() == 300);
  dir.free();
  for (int i = 0; i < 50; ++i)
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, std::string(20'000, 'm'))));
  CHECK(spool->counters().batches_evicted < 60);
}

TEST_CASE(
    "at the floor that it reached itself, the newest metrics replace the oldest all the time") {
  SmallDisk dir(16);
  if (!dir.mounted()) return;
  auto spool = open_spool(dir / "spool", SpoolLimits{64U << 20, 8U << 20});
  int refused = 0;
  for (int i = 0; i < 1'500; ++i)
    refused += spool->commit(unit_of(Lane::kMetrics, std::string(20'000, 'm'))) ? 0 : 1;
  CHECK(refused == 0);
  CHECK(spool->counters().batches_evicted > 500);
  CHECK(dir.available() > (7U << 20));
}
