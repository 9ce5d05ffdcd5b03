#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <limits>

#include "protocol/sql/database.h"
#include "protocol/sql/directory_lock.h"
#include "protocol/sql/packed.h"
#include "tests/support/fault_vfs.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using sql::Blob;
using sql::Database;
using sql::OpenOptions;
using sql::Transaction;

namespace {

constexpr const char* kTable = "CREATE TABLE t(k INTEGER PRIMARY KEY, v)";

Database open_with_table(const std::string& path, const OpenOptions& options = {}) {
  auto database = Database::open(path, options);
  REQUIRE(database);
  REQUIRE(database->execute(kTable));
  return std::move(*database);
}

std::int64_t count(Database& database) {
  return database.scalar(-1, "SELECT count(*) FROM t").value();
}

}  // namespace

TEST_CASE("every type goes in and comes out again, with any bytes") {
  test::TempDir dir;
  auto database = open_with_table(dir / "a.db");
  const std::string odd("a\0b\xFF", 4);
  REQUIRE(database.run("INSERT INTO t VALUES(1,?)", std::numeric_limits<std::int64_t>::min()));
  REQUIRE(database.run("INSERT INTO t VALUES(2,?)", 0.1));
  REQUIRE(database.run("INSERT INTO t VALUES(3,?)", odd));
  REQUIRE(database.run("INSERT INTO t VALUES(4,?)", Blob(odd)));
  REQUIRE(database.run("INSERT INTO t VALUES(5,?)", nullptr));
  REQUIRE(database.run("INSERT INTO t VALUES(6,?)", std::string_view()));
  REQUIRE(database.run("INSERT INTO t VALUES(7,?)", Blob(std::string_view())));
  REQUIRE(database.run("INSERT INTO t VALUES(8,?)", std::optional<std::uint64_t>()));

  auto rows = database.query("SELECT v, typeof(v) FROM t ORDER BY k").value();
  const auto next_type = [&rows] {
    REQUIRE(rows.step().value());
    return rows.string(1);
  };
  CHECK(next_type() == "integer");
  CHECK(rows.integer(0) == std::numeric_limits<std::int64_t>::min());
  CHECK(next_type() == "real");
  CHECK(rows.real(0) == 0.1);
  CHECK(next_type() == "text");
  CHECK(rows.text(0) == odd);
  CHECK(next_type() == "blob");
  CHECK(rows.blob(0) == odd);
  CHECK(next_type() == "null");
  CHECK(rows.is_null(0));
  CHECK(next_type() == "text");
  CHECK_FALSE(rows.is_null(0));
  CHECK(rows.text(0).empty());
  CHECK(next_type() == "blob");
  CHECK(next_type() == "null");
  CHECK_FALSE(rows.step().value());
}

TEST_CASE("an unsigned number that SQLite cannot hold is refused, and the statement works again") {
  test::TempDir dir;
  auto database = open_with_table(dir / "a.db");
  constexpr const char* kInsert = "INSERT INTO t(v) VALUES(?)";
  CHECK(database.run(kInsert, std::uint64_t{1} << 63).error().code() == Errc::kInvalid);
  CHECK(database.run(kInsert, (std::uint64_t{1} << 63) - 1));
  CHECK(count(database) == 1);
}

TEST_CASE("a transaction is whole or not at all") {
  test::TempDir dir;
  auto database = open_with_table(dir / "a.db");
  {
    auto transaction = Transaction::begin(database).value();
    REQUIRE(database.run("INSERT INTO t VALUES(1,1)"));
  }
  CHECK(count(database) == 0);
  {
    auto transaction = Transaction::begin(database).value();
    REQUIRE(database.run("INSERT INTO t VALUES(1,1)"));
    REQUIRE(transaction.commit());
  }
  CHECK(count(database) == 1);
  CHECK(database.run("INSERT INTO t VALUES(1,1)").error().code() == Errc::kInvalid);
}

TEST_CASE("the same text may be in use twice; leaving the scope gives the lock back") {
  test::TempDir dir;
  auto database = open_with_table(dir / "a.db");
  REQUIRE(database.run("INSERT INTO t VALUES(1,1),(2,2)"));
  constexpr const char* kAll = "SELECT k FROM t ORDER BY k";
  {
    auto outer = database.query(kAll).value();
    REQUIRE(outer.step().value());
    auto inner = database.query(kAll).value();
    REQUIRE(inner.step().value());
    REQUIRE(inner.step().value());
    CHECK(outer.integer(0) == 1);
    CHECK(inner.integer(0) == 2);
  }
  auto other = Database::open(dir / "a.db", {}).value();
  CHECK(other.run("INSERT INTO t VALUES(3,3)"));
}

TEST_CASE("query copies what it is given; run need not") {
  test::TempDir dir;
  auto database = open_with_table(dir / "a.db");
  auto rows = database.query("SELECT ?", std::string(100, 'x')).value();
  REQUIRE(rows.step().value());
  CHECK(rows.text(0) == std::string(100, 'x'));
}

TEST_CASE("the quota is a limit, deletes work at it, and then there is room again") {
  test::TempDir dir;
  auto database = open_with_table(dir / "a.db");
  REQUIRE(database.set_max_pages(64));
  const std::string body(8000, 'b');
  Result<std::int64_t> inserted = 0;
  int stored = 0;
  while ((inserted = database.run("INSERT INTO t(v) VALUES(?)", Blob(body)))) ++stored;
  CHECK(inserted.error().code() == Errc::kLimit);
  CHECK(stored > 20);
  CHECK(database.page_count().value() <= 64);
  CHECK(database.run("DELETE FROM t WHERE k <= 5").value() == 5);
  CHECK(database.run("INSERT INTO t(v) VALUES(?)", Blob(body)));
}

TEST_CASE("errors name the file and carry the code") {
  test::TempDir dir;
  const auto code_of = [](const Result<Database>& result) { return result.error().code(); };
  OpenOptions existing;
  existing.create = false;
  CHECK(code_of(Database::open(dir / "none.db", existing)) == Errc::kNotFound);
  OpenOptions reader;
  reader.read_only = true;
  CHECK(code_of(Database::open(dir / "none.db", reader)) == Errc::kNotFound);

  std::ofstream(dir / "text.db") << std::string(4096, 'x');
  const auto garbage = Database::open(dir / "text.db", {});
  CHECK(code_of(garbage) == Errc::kCorrupt);
  CHECK(garbage.error().message().find(dir / "text.db") != std::string::npos);

  CHECK(open_with_table(dir / "a.db").execute("SELECT nonsense").error().code() == Errc::kInternal);
  auto read_only = Database::open(dir / "a.db", reader).value();
  CHECK(read_only.run("DELETE FROM t").error().code() == Errc::kDenied);
}

TEST_CASE("an exclusive database is refused to others, who are told that it is busy") {
  test::TempDir dir;
  OpenOptions exclusive;
  exclusive.exclusive = true;
  auto database = open_with_table(dir / "a.db", exclusive);
  OpenOptions impatient;
  impatient.busy_timeout = std::chrono::milliseconds(0);
  auto other = Database::open(dir / "a.db", impatient);
  CHECK(other.error().code() == Errc::kUnavailable);
}

TEST_CASE("a new database is for its owner alone") {
  test::TempDir dir;
  open_with_table(dir / "a.db");
  struct stat info {};
  REQUIRE(::stat((dir / "a.db").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE(
    "a database that a full disk keeps from write-ahead logging is an error, never one without") {
  test::FaultVfs vfs;
  OpenOptions options;
  options.exclusive = true;
  std::uint64_t refused = 0;
  for (std::uint64_t site = 0;; ++site) {
    CAPTURE(site);
    test::TempDir dir;
    vfs.fail(test::IoFault::kFull, site, false);
    {
      auto database = Database::open(dir / "a.db", options);
      if (vfs.sites() <= site) break;  // Past the last one
      if (!database) ++refused;
      if (!database) continue;
      REQUIRE(database->execute(kTable));
    }
    std::ifstream file(dir / "a.db", std::ios::binary);
    std::string header(20, '\0');
    file.read(header.data(), 20);
    CHECK(header.substr(18) == "\x02\x02");  // "File format write and read version": 2 is WAL
  }
  CHECK(refused > 0);
}

TEST_CASE("one process for a folder; the lock goes with its owner") {
  test::TempDir dir;
  {
    auto first = sql::DirectoryLock::acquire(dir.path());
    REQUIRE(first);
    const auto second = sql::DirectoryLock::acquire(dir.path());
    REQUIRE_FALSE(second);
    CHECK(second.error().code() == Errc::kUnavailable);
    CHECK(second.error().message().find("in use by process " + std::to_string(::getpid())) !=
          std::string::npos);
  }
  CHECK(sql::DirectoryLock::acquire(dir.path()));
  CHECK(sql::DirectoryLock::acquire(dir / "none").error().code() == Errc::kNotFound);
}

TEST_CASE("packed lists hold any bytes; a cut one is corrupt at every length") {
  const std::map<std::string, std::string> map{{"key", std::string("\0x", 2)}};
  const auto packed = sql::pack(map);
  CHECK(sql::unpack_map(packed).value() == map);
  for (std::size_t length = 1; length < packed.size(); ++length) {
    CHECK_FALSE(sql::unpack_map(std::string_view(packed).substr(0, length)));
  }
  const std::map<std::string, std::uint64_t> counts{{"a", 0}, {"b", UINT64_MAX}};
  CHECK(sql::unpack_counts(sql::pack(counts)).value() == counts);
  CHECK_FALSE(sql::unpack_list("\xFF\xFF\xFF\xFF"));
  CHECK(sql::unpack_list("").value().empty());
}
