#include <random>
#include <set>

#include "controlplane/store/lane_cursor.h"
#include "controlplane/store/stored_count.h"
#include "protocol/base/embedded.h"
#include "protocol/base/files.h"
#include "protocol/sql/migrator.h"
#include "tests/unit/controlplane/store/store_fixture.h"

namespace observeai {
extern const EmbeddedFile kStateMigrations[];
extern const unsigned long kStateMigrationsCount;
extern const EmbeddedFile kTelemetryMigrations[];
extern const unsigned long kTelemetryMigrationsCount;
}  // namespace observeai

using namespace observeai;
using controlplane::store::LaneCursor;
using controlplane::store::StoredCount;

namespace {

void check_schema(const char* written_name, std::span<const EmbeddedFile> migrations) {
  test::TempDir dir;
  auto migrated = sql::Database::open(dir / "a.db", {}).value();
  REQUIRE(sql::Migrator(migrations, 1).apply(migrated));
  auto written = sql::Database::open(dir / "b.db", {}).value();
  std::string path = STORE_FOLDER "/";
  path += written_name;
  REQUIRE(written.execute(files::read(path).value()));
  CHECK(sql::describe_schema(migrated).value() == sql::describe_schema(written).value());
}

}  // namespace

TEST_CASE("the migrations give the schemas that are written down") {
  check_schema("schema_state.sql", {kStateMigrations, kStateMigrationsCount});
  check_schema("schema_telemetry.sql", {kTelemetryMigrations, kTelemetryMigrationsCount});
}

TEST_CASE("a cursor is the set of numbers added, in any order, also through its packed form") {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    LaneCursor cursor;
    std::set<std::uint64_t> model;
    for (int step = 0; step < 120; ++step) {
      const std::uint64_t seq = 1 + random() % 80;
      cursor.add(seq);
      model.insert(seq);
      std::uint64_t contiguous = 0;
      while (model.contains(contiguous + 1)) ++contiguous;
      REQUIRE(cursor.contiguous() == contiguous);
    }
    for (std::uint64_t seq = 1; seq <= 82; ++seq)
      REQUIRE(cursor.contains(seq) == model.contains(seq));
    REQUIRE(LaneCursor::unpack(cursor.contiguous(), cursor.pack_ahead()).value() == cursor);
  }
}

TEST_CASE("skipping counts what is missing and takes what is there") {
  LaneCursor cursor;
  for (const std::uint64_t seq : {1, 2, 5, 6, 9}) cursor.add(seq);
  CHECK(cursor.skip_to(2) == 0);
  CHECK(cursor.skip_to(7) == 3);  // 3, 4 and 7
  CHECK(cursor.contiguous() == 7);
  CHECK(cursor.skip_to(8) == 1);
  CHECK(cursor.contiguous() == 9);
}

TEST_CASE("gaps are bounded; closing one makes room") {
  LaneCursor cursor;
  for (std::uint64_t i = 1; i <= LaneCursor::kMaxRuns; ++i) cursor.add(3 * i);
  const std::uint64_t beyond = 3 * LaneCursor::kMaxRuns;
  CHECK_FALSE(cursor.has_room_for(beyond + 3));
  CHECK(cursor.has_room_for(beyond + 1));  // Beside a run
  CHECK(cursor.has_room_for(5));
  CHECK(cursor.has_room_for(1));
  CHECK(cursor.has_room_for(3));  // Is there
  cursor.add(1);
  cursor.add(2);
  CHECK(cursor.has_room_for(beyond + 3));
}

TEST_CASE("a broken packed cursor is refused") {
  LaneCursor cursor;
  cursor.add(5);
  CHECK_FALSE(LaneCursor::unpack(4, cursor.pack_ahead()));  // 5 would be contiguous
  CHECK_FALSE(LaneCursor::unpack(0, "short"));
}

TEST_CASE("stored counts are exact up to any number at or above the settled one") {
  StoredCount count;
  for (const std::uint64_t seq : {4, 1, 3, 2}) count.add(seq, seq * 10);
  CHECK(count.total() == 100);
  CHECK(count.up_to(2) == 30U);
  CHECK(count.up_to(4) == 100U);
  count.settle(3);
  CHECK(count.up_to(3) == 60U);
  CHECK_FALSE(count.up_to(2));
  count.add(2, 5);  // A late one below: part of every answer from here on
  CHECK(count.up_to(3) == 65U);
  const auto again =
      StoredCount::unpack(count.total(), count.merged_through(), count.pack_recent()).value();
  CHECK(again.up_to(3) == 65U);
  CHECK(again.up_to(4) == 105U);
}

TEST_CASE("beyond the bound the oldest counts merge: no answer rather than a wrong one") {
  StoredCount count;
  for (std::uint64_t seq = 1; seq <= StoredCount::kMaxRecent + 1; ++seq) count.add(seq, 1);
  CHECK_FALSE(count.up_to(10));
  CHECK(count.up_to(count.merged_through()) == count.merged_through());
  CHECK(count.up_to(StoredCount::kMaxRecent) == StoredCount::kMaxRecent);
  CHECK(count.total() == StoredCount::kMaxRecent + 1);
}
