#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "protocol/sql/database.h"
#include "tests/unit/agent/spool/spool_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using wire::Lane;

namespace {

const ManualClock kClock;

// Commits until the spool refuses; returns the refusal.
Error fill(Spool& spool, std::size_t body_bytes) {
  for (int i = 0; i < 100'000; ++i) {
    auto committed = spool.commit(unit_of(Lane::kLogs, std::string(body_bytes, 'x')));
    if (!committed) return committed.error();
  }
  FAIL("the spool has no bound");
  return Error(Errc::kInternal, "");
}

std::uint64_t bytes_on_disk(const std::string& directory) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

void overwrite(const std::string& path, std::streamoff at, std::size_t bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << std::string(bytes, '\xA5');
  REQUIRE(file.good());
}

}  // namespace

TEST_CASE("at the quota: kLimit, then an acknowledgement, then room again") {
  test::TempDir dir;
  constexpr std::uint64_t kQuota = 4U << 20;
  auto spool = open_spool(dir.path(), limits_of(kQuota));
  const Error full = fill(*spool, 10'000);
  CHECK(full.code() == Errc::kLimit);
  CHECK(full.message().find("spool is full") != std::string::npos);
  CHECK(bytes_on_disk(dir.path()) <= kQuota + (4U << 20));  // The log comes on top.
  const auto before = spool->state();
  CHECK(before.bytes > kQuota / 2);

  // What must go on while full: facts, checkpoints, the loss ledger.
  REQUIRE(
      spool->set_fact("command_seq", std::string(40'000, '1')));  // More pages than were left over
  CommitUnit counts;
  counts.checkpoints = {{"source", "state"}};
  counts.ledger.push_back({});
  REQUIRE(spool->commit(counts));
  CHECK(spool->commit(unit_of(Lane::kLogs, std::string(10'000, 'x'))).error().code() ==
        Errc::kLimit);
  CHECK(spool->state().next_seq == before.next_seq);  // A refused unit takes no number.

  REQUIRE(spool->acknowledge({0, 0, 20, 0}));
  for (int i = 0; i < 15; ++i) {
    REQUIRE(spool->commit(unit_of(Lane::kLogs, std::string(10'000, 'x'))));
  }
  REQUIRE(spool->acknowledge(all_of(spool->state())));
  CHECK(spool->state().bytes == 0);
}

TEST_CASE(
    "a spool full of samples still takes what the control plane asks for, within the reserve") {
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(4U << 20));
  for (bool room = true; room;) {
    room = bool(spool->commit(unit_of(Lane::kMetrics, std::string(1'000, 'x'))));
  }
  CHECK(spool->commit(unit_of(Lane::kControl, std::string(10'000, 'd'))));
  auto mixed = unit_of(Lane::kControl, "d");
  mixed.batches.push_back(batch_of(Lane::kMetrics, std::string(10'000, 'x')));
  CHECK(spool->commit(mixed).error().code() == Errc::kLimit);
  // What is left of the reserve is not for batches.
  bool room = true;
  for (int i = 0; i < 100 && room; ++i)
    room = bool(spool->commit(unit_of(Lane::kControl, std::string(4'000, 'd'))));
  CHECK_FALSE(room);
  CHECK(spool->set_fact("command_seq", std::string(20'000, '1')));
  CHECK(spool->acknowledge(all_of(spool->state())));
}

TEST_CASE("an emptied database is damage, not a beginning") {
  test::TempDir dir;
  const auto epoch = open_spool(dir.path())->state().epoch;
  std::filesystem::resize_file(dir / "spool.db", 0);
  const auto spool = open_spool(dir.path());
  CHECK(spool->state().epoch != epoch);
  CHECK(spool->quarantined());
}

TEST_CASE("the floor on the file system refuses before anything is written") {
  test::TempDir dir;
  auto spool = open_spool(dir.path(), SpoolLimits{64U << 20, UINT64_MAX / 2});
  const auto refused = spool->commit(unit_of(Lane::kLogs, "x"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kLimit);
  CHECK(refused.error().message().find(dir.path()) != std::string::npos);
  CHECK(spool->state().next_seq[2] == 1);
}

TEST_CASE("a disk filled by others to the last byte: nothing breaks, acknowledging frees it") {
  test::TempDir dir;
  // A mount namespace of our own: the mount goes with this process.
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=16m") != 0) {
    MESSAGE("skipped: mounting a file system is not permitted here");
    return;
  }
  {
    constexpr std::uint64_t kFloor = 6U << 20;
    auto spool = open_spool(dir / "spool", SpoolLimits{64U << 20, kFloor});
    CHECK(fill(*spool, 20'000).code() == Errc::kLimit);
    const auto batches = spool->state().next_seq[2] - 1;
    CHECK(batches > 50);
    // A restart begins with an empty log, whose space only the reservation holds.
    spool.reset();
    spool = open_spool(dir / "spool", SpoolLimits{64U << 20, kFloor / 6});

    {
      std::ofstream filler(dir / "filler", std::ios::binary);
      const std::string block(4096, 'f');
      while (filler.write(block.data(), 4096).flush()) {
      }
    }
    CHECK(std::filesystem::space(dir.path()).available == 0);
    CHECK(spool->commit(unit_of(Lane::kLogs, "x")).error().code() == Errc::kLimit);
    const auto still_there = spool->read(Lane::kLogs, 0, 1000, 1U << 30).value();
    CHECK(still_there.size() == batches);

    // At zero bytes free: the log's space was set aside.
    auto acknowledged = spool->acknowledge({0, 0, batches - 10, 0});
    if (!acknowledged) FAIL(acknowledged.error().message());
    CHECK(spool->state().oldest_seq[2] == batches - 9);
    REQUIRE(spool->set_fact("fact", "written at zero bytes free"));

    REQUIRE(std::filesystem::remove(dir / "filler"));
    CHECK(spool->commit(unit_of(Lane::kLogs, "x")));
  }
  {
    auto spool = open_spool(dir / "spool");
    CHECK_FALSE(spool->quarantined());
    CHECK(spool->read(Lane::kLogs, 0, 1000, 1U << 30).value().size() == 11);
  }
  REQUIRE(::umount2(dir.path().c_str(), MNT_DETACH) == 0);
}

TEST_CASE("a folder that cannot be written is kDenied and says so") {
  test::TempDir dir;
  REQUIRE(::chmod(dir.path().c_str(), 0555) == 0);
  // Root may write anywhere: ask as nobody.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::getuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    const auto spool = Spool::open(dir.path(), limits_of(64U << 20), kClock);
    const bool as_promised = !spool && spool.error().code() == Errc::kDenied &&
                             spool.error().message().find(dir.path()) != std::string::npos;
    ::_exit(as_promised ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
}

TEST_CASE("a spool of a newer version is refused with both versions, and left alone") {
  test::TempDir dir;
  const auto epoch = open_spool(dir.path())->state().epoch;
  const auto set_version = [&dir](int version) {
    auto database = sql::Database::open(dir / "spool.db", {}).value();
    REQUIRE(database.execute("PRAGMA user_version=" + std::to_string(version)));
  };
  set_version(99);
  const auto refused = Spool::open(dir.path(), limits_of(64U << 20), kClock);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kInvalid);
  CHECK(refused.error().message().find("database has 99, this program knows 1") !=
        std::string::npos);
  set_version(1);
  CHECK(open_spool(dir.path())->state().epoch == epoch);
}

TEST_CASE("a second process is refused by name; the first goes on") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  const auto second = Spool::open(dir.path(), limits_of(64U << 20), kClock);
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == Errc::kUnavailable);
  CHECK(second.error().message().find("in use by process") != std::string::npos);
  CHECK(spool->commit(unit_of(Lane::kLogs, "x")));
}

TEST_CASE("a damaged database is put aside whole and a new epoch begins; two are kept") {
  test::TempDir dir;
  auto epoch = open_spool(dir.path())->state().epoch;
  for (int i = 1; i <= 3; ++i) {
    overwrite(dir / "spool.db", 0, 200);
    auto spool = open_spool(dir.path());
    REQUIRE(spool->quarantined());
    CHECK(*spool->quarantined() == dir / ("spool.aside-" + std::to_string(i)));
    CHECK(std::filesystem::exists(*spool->quarantined() + "/spool.db"));
    CHECK(spool->state().epoch != epoch);
    CHECK(spool->state().next_seq[2] == 1);
    CHECK(spool->commit(unit_of(Lane::kLogs, "x")));
    epoch = spool->state().epoch;
  }
  CHECK_FALSE(std::filesystem::exists(dir / "spool.aside-1"));
  CHECK(std::filesystem::exists(dir / "spool.aside-2"));
  CHECK_FALSE(open_spool(dir.path())->quarantined());
}

TEST_CASE("a hole in the numbers is damage") {
  test::TempDir dir;
  {
    auto spool = open_spool(dir.path());
    for (int i = 0; i < 3; ++i) REQUIRE(spool->commit(unit_of(Lane::kLogs, "x")));
  }
  {
    auto database = sql::Database::open(dir / "spool.db", {}).value();
    REQUIRE(database.run("DELETE FROM batches WHERE seq=2"));
  }
  CHECK(open_spool(dir.path())->quarantined());
}

TEST_CASE("damage met while running is told once, and the next start puts the database aside") {
  test::TempDir dir;
  std::int64_t body_page = 0;
  {
    auto spool = open_spool(dir.path());
    for (int i = 0; i < 40; ++i) {
      REQUIRE(spool->commit(unit_of(Lane::kLogs, std::string(3'000, 'x'))));
    }
  }
  {
    auto database = sql::Database::open(dir / "spool.db", {}).value();
    body_page =
        database.scalar(0, "SELECT rootpage FROM sqlite_schema WHERE name='batches'").value();
    body_page = std::max(body_page, static_cast<std::int64_t>(database.page_count().value()) - 3);
  }
  overwrite(dir / "spool.db", (body_page - 1) * 4096, 4096);
  {
    int told = 0;
    auto spool = Spool::open(dir.path(), limits_of(64U << 20), kClock, [&told](const Error&) {
                   ++told;
                 }).value();
    CHECK_FALSE(spool->quarantined());
    for (int i = 0; i < 2; ++i) {
      const auto read = spool->read(Lane::kLogs, 0, 1000, 1U << 30);
      REQUIRE_FALSE(read);
      CHECK(read.error().code() == Errc::kCorrupt);
      CHECK(told == 1);
    }
  }
  CHECK(open_spool(dir.path())->quarantined());
}
