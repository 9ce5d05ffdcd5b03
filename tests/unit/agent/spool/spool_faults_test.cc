#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "protocol/sql/database.h"
#include "tests/support/fault_vfs.h"
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

}  // namespace

TEST_CASE("logs at the quota: kLimit, then an acknowledgement, then room again") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  constexpr std::uint64_t kQuota = 16U << 20;
  auto spool = open_spool(dir.path(), limits_of(kQuota));
  const Error full = fill(*spool, 10'000);
  CHECK(full.code() == Errc::kLimit);
  CHECK(full.message().find("spool is full") != std::string::npos);
  CHECK(bytes_on_disk(dir.path()) <= kQuota);
  const auto before = spool->state();
  CHECK(before.bytes > kQuota / 2);
  CHECK(before.disk_bytes <= kQuota);
  CHECK(before.disk_bytes >= limits_of(kQuota).filling_bytes());  // Told before it is full

  // What must go on while full: facts, checkpoints, the loss ledger, metrics and control.
  REQUIRE(spool->set_fact("command_seq", std::string(40'000, '1')));
  CommitUnit counts;
  counts.checkpoints = {{"source", "state"}};
  counts.ledger.push_back({});
  REQUIRE(spool->commit(counts));
  CHECK(spool->commit(unit_of(Lane::kLogs, std::string(10'000, 'x'))).error().code() ==
        Errc::kLimit);
  CHECK(spool->state().next_seq == before.next_seq);  // A refused unit takes no number.
  REQUIRE(spool->commit(unit_of(Lane::kMetrics, std::string(10'000, 'x'))));
  REQUIRE(spool->commit(unit_of(Lane::kControl, std::string(10'000, 'x'))));
  REQUIRE(spool->acknowledge({1, 1, 200, 0}));
  for (int i = 0; i < 15; ++i) {
    REQUIRE(spool->commit(unit_of(Lane::kLogs, std::string(10'000, 'x'))));
  }
  REQUIRE(spool->acknowledge(all_of(spool->state())));
  CHECK(spool->state().bytes == 0);
  CHECK(spool->state().disk_bytes < limits_of(kQuota).filling_bytes() / 2);
  CHECK(bytes_on_disk(dir.path()) < kQuota / 2);
}

TEST_CASE("new metrics evict the oldest, logs do not; each number is stored or told as lost") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  constexpr std::uint64_t kQuota = 16U << 20;
  constexpr std::uint64_t kBatches = 1'000;
  auto spool = open_spool(dir.path(), limits_of(kQuota));
  const Error full = fill(*spool, 10'000);
  CHECK(full.code() == Errc::kLimit);
  const auto logs = spool->state().next_seq[2];
  for (std::uint64_t i = 1; i <= kBatches; ++i) {
    CommitUnit unit;
    unit.batches = {counted_batch(Lane::kMetrics, std::to_string(i) + std::string(5'000, '.'), i)};
    const auto committed = spool->commit(unit);
    if (!committed) FAIL(committed.error().message());
    CHECK(committed->at(0) == i);
  }
  CHECK(bytes_on_disk(dir.path()) <= kQuota);
  CHECK(spool->counters().batches_evicted > kBatches / 2);
  CHECK(notice_kinds(*spool).at(0) == "spool.evicted");
  CHECK(spool->state().oldest_seq == std::array<std::uint64_t, 4>{1, 1, 1, 1});
  const auto check = [&](Spool& of) {
    const auto batches = all_batches(of, Lane::kMetrics);
    REQUIRE(batches.size() == kBatches);
    std::uint64_t lost = 0;
    for (std::uint64_t i = 1; i <= kBatches; ++i) {
      const auto& batch = batches[i - 1];
      CHECK(batch.header.seq == i);
      CHECK(batch.header.first_ts_ms == 100);
      if (batch.header.codec == wire::Codec::kZstd) {
        CHECK(batch.header.n == i);
        continue;
      }
      ++lost;
      const auto notice = loss_in(batch);
      CHECK(notice.reason == wire::loss_reasons::kEvicted);
      CHECK(notice.sources == std::vector<wire::LossNotice::Source>{{"source", i, 10 * i}});
    }
    return lost;
  };
  CHECK(check(*spool) == spool->counters().batches_evicted);
  CHECK(all_batches(*spool, Lane::kLogs).size() == logs - 1);
  const auto evicted = spool->counters().batches_evicted;
  spool.reset();
  spool = open_spool(dir.path(), limits_of(kQuota));
  CHECK(check(*spool) == evicted);
  REQUIRE(spool->acknowledge({0, kBatches, 0, 0}));
  CHECK(all_batches(*spool, Lane::kMetrics).empty());
}

TEST_CASE("traces go before metrics, and never for logs") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(16U << 20));
  for (int i = 0; i < 160; ++i)
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, std::string(10'000, 'm'))));
  for (int i = 0; i < 80; ++i)
    REQUIRE(spool->commit(unit_of(Lane::kTraces, std::string(10'000, 't'))));
  CHECK(fill(*spool, 10'000).code() == Errc::kLimit);
  CHECK(spool->counters().batches_evicted == 0);
  for (int i = 0; i < 500; ++i)
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, std::string(10'000, 'm'))));
  const auto lost_of = [&](Lane lane) {
    const auto batches = all_batches(*spool, lane);
    return std::count_if(batches.begin(), batches.end(), [](const auto& batch) {
      return batch.header.codec == wire::Codec::kLost;
    });
  };
  CHECK(lost_of(Lane::kTraces) == 80);
  CHECK(lost_of(Lane::kMetrics) > 0);
  CHECK(lost_of(Lane::kMetrics) < 660);
  CHECK(lost_of(Lane::kLogs) == 0);
  // A trace makes room among traces only: there are none left.
  CHECK(spool->commit(unit_of(Lane::kTraces, "t")).error().code() == Errc::kLimit);
}

TEST_CASE("lane 0 has a reserve of its own, and what has no batches a last one") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(16U << 20));
  CHECK(fill(*spool, 10'000).code() == Errc::kLimit);
  int room = 0;
  while (room < 1'000 && spool->commit(unit_of(Lane::kControl, std::string(10'000, 'd')))) ++room;
  CHECK(room > 30);
  CHECK(room < 1'000);
  CHECK(spool->set_fact("command_seq", std::string(20'000, '1')));
  CHECK(spool->acknowledge(all_of(spool->state())));
  CHECK(spool->commit(unit_of(Lane::kLogs, "x")));
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
    auto database = sql::Database::open(segments_of(dir.path(), Lane::kControl).at(0), {}).value();
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
