#include <doctest/doctest.h>

#include "protocol/sql/migrator.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using sql::Database;
using sql::Migrator;

namespace {

constexpr EmbeddedFile kFiles[] = {
    {"0001_first.sql",
     "CREATE TABLE a(k INTEGER PRIMARY KEY);\n-- a comment\nINSERT INTO a VALUES(1);"},
    {"0002_second.sql", "ALTER TABLE a ADD COLUMN v TEXT;"},
};
constexpr EmbeddedFile kBroken[] = {kFiles[0],
                                    {"0002_broken.sql", "CREATE TABLE b(k); CREATE nonsense;"}};
constexpr EmbeddedFile kUnordered[] = {kFiles[1]};
constexpr std::uint32_t kId = 0x4F414931;

Database open(const std::string& path) {
  return std::move(Database::open(path, {}).value());
}

}  // namespace

TEST_CASE("migrations are applied once, in order, from any earlier version") {
  test::TempDir dir;
  auto database = open(dir / "a.db");
  REQUIRE(Migrator({kFiles, 1}, kId).apply(database));
  CHECK(database.scalar(0, "PRAGMA user_version").value() == 1);
  REQUIRE(Migrator(kFiles, kId).apply(database));
  REQUIRE(Migrator(kFiles, kId).apply(database));
  CHECK(database.scalar(0, "PRAGMA user_version").value() == 2);
  CHECK(database.scalar(0, "SELECT count(*) FROM a WHERE v IS NULL").value() == 1);
}

TEST_CASE("a newer database is refused and both versions are named") {
  test::TempDir dir;
  auto database = open(dir / "a.db");
  REQUIRE(Migrator(kFiles, kId).apply(database));
  const auto refused = Migrator({kFiles, 1}, kId).apply(database);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kInvalid);
  CHECK(refused.error().message().find(
            "made by a newer version: database has 2, this program knows 1") != std::string::npos);
}

TEST_CASE("a broken migration leaves the version before it") {
  test::TempDir dir;
  auto database = open(dir / "a.db");
  const auto applied = Migrator(kBroken, kId).apply(database);
  REQUIRE_FALSE(applied);
  CHECK(applied.error().message().find("0002_broken.sql") != std::string::npos);
  CHECK(database.scalar(0, "PRAGMA user_version").value() == 1);
  CHECK(database.scalar(0, "SELECT count(*) FROM sqlite_schema WHERE name='b'").value() == 0);
  CHECK(Migrator(kFiles, kId).apply(database));
}

TEST_CASE("another program's database is not touched") {
  test::TempDir dir;
  auto foreign = open(dir / "foreign.db");
  REQUIRE(foreign.execute("CREATE TABLE theirs(x)"));
  CHECK(Migrator(kFiles, kId).apply(foreign).error().code() == Errc::kInvalid);
  auto ours = open(dir / "ours.db");
  REQUIRE(Migrator(kFiles, kId).apply(ours));
  CHECK(Migrator(kFiles, kId + 1).apply(ours).error().code() == Errc::kInvalid);
}

TEST_CASE("a hole in the numbers is a bug of ours, found before anything is changed") {
  test::TempDir dir;
  auto database = open(dir / "a.db");
  CHECK(Migrator(kUnordered, kId).apply(database).error().code() == Errc::kInternal);
  CHECK(database.scalar(-1, "SELECT count(*) FROM sqlite_schema").value() == 0);
}

TEST_CASE("the schema's description does not depend on spacing or comments, but on every column") {
  test::TempDir dir;
  auto migrated = open(dir / "a.db");
  REQUIRE(Migrator(kFiles, kId).apply(migrated));
  auto written = open(dir / "b.db");
  REQUIRE(written.execute("CREATE TABLE a(\n  k INTEGER  PRIMARY KEY, -- key\n  v TEXT\n)"));
  CHECK(sql::describe_schema(migrated).value() == sql::describe_schema(written).value());
  auto different = open(dir / "c.db");
  REQUIRE(different.execute("CREATE TABLE a(k INTEGER PRIMARY KEY, v BLOB)"));
  CHECK(sql::describe_schema(migrated).value() != sql::describe_schema(different).value());
}
