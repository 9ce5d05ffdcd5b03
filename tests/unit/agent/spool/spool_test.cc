#include "agent/spool/spool.h"

#include <stdlib.h>
#include <unistd.h>

#include "protocol/base/embedded.h"
#include "protocol/base/files.h"
#include "protocol/sql/migrator.h"
#include "tests/unit/agent/spool/spool_fixture.h"

namespace observeai {
extern const EmbeddedFile kSpoolMigrations[];
extern const unsigned long kSpoolMigrationsCount;
}  // namespace observeai

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using wire::Lane;

namespace {

// What dies in these tests is a process or a file system of their own, never the machine: where there is
// memory for it, nobody waits for a disk.
[[maybe_unused]] const bool kInMemory = [] {
  std::error_code error;
  const auto space = std::filesystem::space("/dev/shm", error);
  return !error && space.available >= (1ULL << 30) && ::access("/dev/shm", W_OK) == 0 &&
         ::setenv("TMPDIR", "/dev/shm", 0) == 0;
}();

}  // namespace

TEST_CASE("the migrations give the schema that is written down") {
  test::TempDir dir;
  auto migrated = sql::Database::open(dir / "a.db", {}).value();
  REQUIRE(sql::Migrator({kSpoolMigrations, kSpoolMigrationsCount}, 1).apply(migrated));
  auto written = sql::Database::open(dir / "b.db", {}).value();
  REQUIRE(written.execute(files::read(SPOOL_SCHEMA).value()));
  CHECK(sql::describe_schema(migrated).value() == sql::describe_schema(written).value());
}

TEST_CASE("a batch is read back as it was committed, with its number") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  CHECK(spool->state().next_seq == std::array<std::uint64_t, 4>{1, 1, 1, 1});
  CHECK(spool->state().oldest_seq == spool->state().next_seq);
  CommitUnit unit;
  unit.batches = {batch_of(Lane::kLogs, "one"), batch_of(Lane::kControl, std::string("\0x", 2)),
                  batch_of(Lane::kLogs, "two")};
  CHECK(spool->commit(unit).value() == std::vector<std::uint64_t>{1, 1, 2});
  CHECK(spool->state().bytes == 8);

  const auto logs = spool->read(Lane::kLogs, 0, 10, 1000).value();
  REQUIRE(logs.size() == 2);
  CHECK(logs[0].body == "one");
  CHECK(logs[0].header.epoch == spool->state().epoch);
  CHECK(logs[0].header.lane == Lane::kLogs);
  CHECK(logs[0].header.seq == 1);
  CHECK(logs[0].header.n == 3);
  CHECK(logs[0].header.first_ts_ms == 100);
  CHECK(logs[0].header.last_ts_ms == 200);
  CHECK(logs[1].header.seq == 2);
  CHECK(spool->read(Lane::kControl, 0, 10, 1000).value()[0].body == std::string("\0x", 2));
  CHECK(spool->read(Lane::kMetrics, 0, 10, 1000).value().empty());
}

TEST_CASE("reading stops at the count and at the bytes, but gives at least one") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  for (int i = 0; i < 5; ++i) REQUIRE(spool->commit(unit_of(Lane::kLogs, std::string(100, 'x'))));
  CHECK(spool->read(Lane::kLogs, 0, 2, 1000).value().size() == 2);
  CHECK(spool->read(Lane::kLogs, 0, 10, 299).value().size() == 2);
  CHECK(spool->read(Lane::kLogs, 0, 10, 300).value().size() == 3);
  CHECK(spool->read(Lane::kLogs, 0, 10, 1).value().size() == 1);
  const auto after = spool->read(Lane::kLogs, 3, 10, 1000).value();
  REQUIRE(after.size() == 2);
  CHECK(after[0].header.seq == 4);
}

TEST_CASE("acknowledged batches leave; numbers and epoch go on after a restart") {
  test::TempDir dir;
  Epoch epoch;
  {
    auto spool = open_spool(dir.path());
    epoch = spool->state().epoch;
    CHECK(epoch != Epoch{});
    for (int i = 0; i < 3; ++i) REQUIRE(spool->commit(unit_of(Lane::kLogs, "abc")));
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, "m")));
    REQUIRE(spool->acknowledge({0, 0, 2, 0}));
    CHECK(spool->state().oldest_seq == std::array<std::uint64_t, 4>{1, 1, 3, 1});
    CHECK(spool->state().bytes == 4);
    CHECK(spool->read(Lane::kLogs, 0, 10, 100).value().size() == 1);
    REQUIRE(spool->acknowledge(kNothing));  // Replayed and older: harmless.
    REQUIRE(spool->acknowledge(all_of(spool->state())));
    CHECK(spool->state().bytes == 0);
  }
  auto spool = open_spool(dir.path());
  CHECK(spool->take_notices().empty());
  CHECK(spool->state().epoch == epoch);
  CHECK(spool->state().next_seq == std::array<std::uint64_t, 4>{1, 2, 4, 1});
  CHECK(spool->state().oldest_seq == spool->state().next_seq);
  CHECK(spool->commit(unit_of(Lane::kLogs, "abc")).value() == std::vector<std::uint64_t>{4});
}

TEST_CASE("thousands of batches are acknowledged at once") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  CommitUnit unit;
  for (int i = 0; i < 1500; ++i) unit.batches.push_back(batch_of(Lane::kMetrics, "x"));
  REQUIRE(spool->commit(unit));
  REQUIRE(spool->acknowledge({0, 1499, 0, 0}));
  CHECK(spool->state().bytes == 1);
  CHECK(spool->read(Lane::kMetrics, 0, 10, 100).value().at(0).header.seq == 1500);
}

TEST_CASE("an acknowledgement of what was never written deletes nothing") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  REQUIRE(spool->commit(unit_of(Lane::kLogs, "abc")));
  const auto refused = spool->acknowledge({0, 0, 2, 0});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kInvalid);
  CHECK(spool->read(Lane::kLogs, 0, 10, 100).value().size() == 1);
}

TEST_CASE("checkpoints, series, ledger and facts survive a restart and are replaced by their key") {
  test::TempDir dir;
  const wire::SeriesDefinition first{
      7, "host", "node_load1", {{"a", "1"}, {"b", ""}}, wire::MetricKind::kGauge};
  const wire::SeriesDefinition second{9, "container/x", "cpu", {}, wire::MetricKind::kCounter};
  wire::LedgerEntry entry;
  entry.source = "log/container/x";
  entry.as_of_seq = 4;
  entry.records_read = 10;
  entry.bytes_read = 1000;
  entry.records_spooled = 8;
  entry.records_dropped = {{"rate", 2}};
  entry.bytes_dropped = {{"copytruncate", 77}};
  {
    auto spool = open_spool(dir.path());
    CHECK(spool->next_series_id() == 1);
    CommitUnit unit;
    unit.checkpoints = {{"a", std::string("1\0", 2)}, {"b", "1"}};
    unit.new_series = {first, second};
    wire::LedgerEntry other = entry;
    other.source = "log/container/y";
    unit.ledger = {entry, other};
    REQUIRE(spool->commit(unit));
    CommitUnit change;
    change.checkpoints = {{"a", "2"}};
    change.forgotten_sources = {"b", "never seen"};
    entry.records_read = 11;
    change.ledger = {entry};
    change.forgotten_ledger = {{"log/container/y", wire::Lane::kLogs}};
    REQUIRE(spool->commit(change));
    REQUIRE(spool->set_fact("command_seq", "1"));
    REQUIRE(spool->set_fact("command_seq", "2"));
    REQUIRE(spool->forget_series({9}));
  }
  auto spool = open_spool(dir.path());
  const auto checkpoints = spool->checkpoints().value();
  REQUIRE(checkpoints.size() == 1);
  CHECK(checkpoints[0].source == "a");
  CHECK(checkpoints[0].state == "2");
  CHECK(spool->series().value() == std::vector<wire::SeriesDefinition>{first});
  CHECK(spool->next_series_id() == 10);  // 9 was forgotten, but never comes again.
  CHECK(spool->ledger().value() == std::vector<wire::LedgerEntry>{entry});
  CHECK(spool->fact("command_seq").value() == std::optional<std::string>("2"));
  CHECK(spool->fact("unknown").value() == std::nullopt);
}
