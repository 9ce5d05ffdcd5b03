#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "protocol/sql/database.h"
#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

std::vector<std::string> partition_files(StoreFixture& f) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(f.dir / "telemetry")) {
    if (entry.path().extension() == ".db") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

void overwrite(const std::string& path, std::streamoff at, std::size_t bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << std::string(bytes, '\xA5');
  REQUIRE(file.good());
}

// One line in each of three partitions.
void fill_three(StoreFixture& f) {
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    std::string text(20'001, 'x');
    text[0] = static_cast<char>('0' + seq);
    REQUIRE(f.commit(logs_batch({}, seq, {record_of("t", static_cast<std::int64_t>(seq), text)})) ==
            CommitOutcome::kStored);
    f.clock.advance(std::chrono::hours(1));
  }
}

std::string first_letters(StoreFixture& f) {
  std::string out;
  for (const auto& text : texts_of(f.store->reader().logs({}).value())) out += text[0];
  return out;
}

Errc code_of_open(const StoreFixture& f) {
  const auto opened = controlplane::Store::open(f.options, f.clock);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message().find(f.dir.path()) != std::string::npos);
  return opened.error().code();
}

int version_of(const std::string& path) {
  auto database = sql::Database::open(path, {}).value();
  return static_cast<int>(database.scalar(0, "PRAGMA user_version").value());
}

void set_version(const std::string& path, int version) {
  auto database = sql::Database::open(path, {}).value();
  REQUIRE(database.execute("PRAGMA user_version=" + std::to_string(version)));
}

}  // namespace

TEST_CASE("one process at a time") {
  StoreFixture f;
  CHECK(code_of_open(f) == Errc::kUnavailable);
}

TEST_CASE("a folder of a newer version is refused with both versions") {
  StoreFixture f;
  fill_three(f);
  f.store.reset();
  const int version = version_of(f.dir / "state.db");
  set_version(f.dir / "state.db", 77);
  const auto refused = controlplane::Store::open(f.options, f.clock);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kInvalid);
  CHECK(refused.error().message().find("database has 77, this program knows " +
                                       std::to_string(version)) != std::string::npos);
  set_version(f.dir / "state.db", version);
  const int partition_version = version_of(partition_files(f)[1]);
  set_version(partition_files(f)[1], 78);
  CHECK(code_of_open(f) == Errc::kInvalid);
  set_version(partition_files(f)[1], partition_version);
  f.reopen();
  CHECK(first_letters(f) == "123");
}

TEST_CASE("a folder that cannot be written is kDenied") {
  StoreFixture f;
  f.store.reset();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // As nobody: root may write anywhere.
    std::filesystem::permissions(f.dir.path(), std::filesystem::perms(0555));
    if (::getuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    const auto refused = controlplane::Store::open(f.options, f.clock);
    ::_exit(!refused && refused.error().code() == Errc::kDenied ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a damaged state.db is an error, not a fresh start") {
  StoreFixture f;
  f.store.reset();
  overwrite(f.dir / "state.db", 0, 100);
  CHECK(code_of_open(f) == Errc::kCorrupt);
}

TEST_CASE("a partition found damaged at the start is put aside; the others stay, with an alert") {
  StoreFixture f;
  fill_three(f);
  f.store.reset();
  overwrite(partition_files(f)[1], 0, 100);
  f.reopen();
  CHECK(first_letters(f) == "13");
  CHECK(f.store->counters().quarantined_partitions == 1);
  const auto alerts = f.store->alerts().open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "store.corrupt_partition");
  CHECK(std::filesystem::exists(f.dir / ("telemetry/" + alerts[0].object)));
  CHECK(f.store->writer().contiguous(Origin().agent, Origin().epoch).value()[2] == 3);
  f.reopen();
  CHECK(first_letters(f) == "13");
}

TEST_CASE("a partition found damaged by a query is put aside; the answer comes from the others") {
  StoreFixture f;
  fill_three(f);
  const auto path = partition_files(f)[1];
  overwrite(path, 4096, static_cast<std::size_t>(std::filesystem::file_size(path)) - 4096);
  CHECK(first_letters(f) == "13");
  CHECK(f.store->counters().partitions == 2);
  CHECK(f.store->counters().quarantined_partitions == 1);
  CHECK(f.store->alerts().open().value().size() == 1);
  CHECK(first_letters(f) == "13");
}

TEST_CASE("damage in the partition being written: put aside, a new one takes over, cursors stay") {
  StoreFixture f;
  fill_three(f);
  f.reopen();  // Through the log into the file
  const auto path = partition_files(f)[2];
  f.clock.jump_wall(-std::chrono::hours(1));  // The third stays the current one.
  overwrite(path, 4096, static_cast<std::size_t>(std::filesystem::file_size(path)) - 4096);
  CHECK(first_letters(f) == "12");
  const auto retried = [&] {
    auto outcome = f.store->writer().commit(logs_batch({}, 4, {record_of("t", 4, "4")}));
    if (!outcome) {
      CHECK(outcome.error().code() == Errc::kUnavailable);  // Not kCorrupt: the batch is fine.
      outcome = f.store->writer().commit(logs_batch({}, 4, {record_of("t", 4, "4")}));
    }
    return outcome.value();
  }();
  CHECK(retried == CommitOutcome::kStored);
  CHECK(first_letters(f) == "124");
  CHECK(f.store->counters().quarantined_partitions == 1);
  f.reopen();
  CHECK(f.store->writer().contiguous(Origin().agent, Origin().epoch).value()[2] == 4);
  CHECK(first_letters(f) == "124");
}

TEST_CASE("a damaged partition was put aside, and the program killed before there was a next one") {
  StoreFixture f;
  fill_three(f);
  f.reopen();
  const auto path = partition_files(f)[2];
  overwrite(path, 4096, static_cast<std::size_t>(std::filesystem::file_size(path)) - 4096);
  CHECK(first_letters(f) == "12");
  const auto next = logs_batch({}, 4, {record_of("t", 4, "4")});
  if (!f.store->writer().commit(next)) REQUIRE(f.store->writer().commit(next));
  f.store.reset();
  REQUIRE(partition_files(f).size() == 3);
  const auto successor = partition_files(f)[2];
  for (const std::string end : {"", "-wal", "-shm"}) std::filesystem::remove(successor + end);
  SUBCASE("in the same hour") {}
  SUBCASE("under a clock that was set back") {
    f.clock.jump_wall(-std::chrono::hours(1));
  }
  f.reopen();
  for (std::uint64_t seq = 5; seq < 8; ++seq)
    REQUIRE(f.commit(logs_batch({}, seq, {record_of("t", 5, "5")})) == CommitOutcome::kStored);
  f.reopen();
  CHECK(first_letters(f) == "12555");
}

namespace {

// The ledger of fill_three(), which says that all three lines were sent.
model::LedgerRow ledger_of_three(StoreFixture& f) {
  const auto contiguous = f.store->writer().contiguous(Origin().agent, Origin().epoch).value()[0];
  wire::ControlBatch control;
  control.ledger.push_back({"log/t", Lane::kLogs, 3, 3, 0, 3, {}, {}});
  REQUIRE(f.commit(control_batch({}, contiguous + 1, control)) == CommitOutcome::kStored);
  const auto rows = f.store->reader().ledger(Origin().agent).value();
  REQUIRE(rows.size() == 1);
  return rows[0];
}

// From here on nothing that is gone can be counted, as on a full disk.
void refuse_counts(StoreFixture& f) {
  auto database = sql::Database::open(f.dir / "state.db", {}).value();
  REQUIRE(
      database.execute("CREATE TRIGGER full BEFORE DELETE ON partition_counts"
                       " BEGIN SELECT RAISE(ABORT, 'no room'); END"));
}

void take_counts(StoreFixture& f) {
  auto database = sql::Database::open(f.dir / "state.db", {}).value();
  REQUIRE(database.execute("DROP TRIGGER full"));
}

void check_one_is_lost(const model::LedgerRow& row) {
  CHECK(row.records_stored == 2);
  CHECK(row.records_lost == std::map<std::string, std::uint64_t>{{"corrupt_partition", 1}});
  CHECK(row.verdict == model::LedgerVerdict::kBalanced);
}

}  // namespace

TEST_CASE("what was in a damaged partition counts as lost, not as stored, and stays so") {
  StoreFixture f;
  fill_three(f);
  f.reopen();
  const auto spoil = [&](std::size_t which, std::streamoff from) {
    const auto path = partition_files(f)[which];
    overwrite(path, from,
              static_cast<std::size_t>(std::filesystem::file_size(path)) -
                  static_cast<std::size_t>(from));
  };
  SUBCASE("a sealed one, found by a query") {
    spoil(0, 4096);
    CHECK(first_letters(f) == "23");
  }
  SUBCASE("a sealed one, found by a query while state.db cannot be written") {
    refuse_counts(f);
    spoil(0, 4096);
    CHECK(first_letters(f) == "23");
    take_counts(f);
    REQUIRE(f.store->maintenance());
  }
  SUBCASE("a sealed one, found at the start") {
    f.store.reset();
    spoil(1, 0);
    f.reopen();
  }
  SUBCASE("the one in use, found by a query and put aside by the next commit") {
    f.clock.jump_wall(-std::chrono::hours(1));
    spoil(2, 4096);
    CHECK(first_letters(f) == "12");
    const auto next = logs_batch({}, 4, {record_of("other", 4, "4")});
    if (!f.store->writer().commit(next)) REQUIRE(f.store->writer().commit(next));
  }
  SUBCASE("a sealed one, and the program was killed before it was counted") {
    f.store.reset();
    std::filesystem::rename(partition_files(f)[0], partition_files(f)[0] + ".corrupt-1");
    f.reopen();
  }
  SUBCASE("the one that was open, of which a part could be read") {
    f.store.reset();
    auto database = sql::Database::open(partition_files(f)[2], {}).value();
    REQUIRE(database.execute("INSERT INTO accounts(no, body) SELECT max(no), x'ff' FROM batches"));
    f.reopen();
  }
  check_one_is_lost(ledger_of_three(f));
  const auto alerts = f.store->alerts().open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "store.corrupt_partition");
  CHECK(std::filesystem::exists(f.dir / ("telemetry/" + alerts[0].object)));
  f.reopen();
  CHECK(f.store->writer().contiguous(Origin().agent, Origin().epoch).value()[2] >= 3);
  check_one_is_lost(ledger_of_three(f));
  f.clock.advance(std::chrono::hours(2));
  REQUIRE(f.commit(logs_batch({}, 5, {record_of("t", 5, "5")})) == CommitOutcome::kStored);
  f.reopen();
  check_one_is_lost(ledger_of_three(f));
}

TEST_CASE("partitions that went at the start for want of room are expired in the ledger") {
  StoreFixture f;
  fill_three(f);
  f.store.reset();
  std::filesystem::remove(partition_files(f)[0]);
  f.reopen();
  const auto row = ledger_of_three(f);
  CHECK(row.records_stored == 2);
  CHECK(row.records_expired == 1);
  CHECK(row.verdict == model::LedgerVerdict::kBalanced);
}

TEST_CASE("what retention drops while state.db cannot be written is counted later, once") {
  StoreFixture f;
  f.options.telemetry_max_age_ms = 3'600'000;
  f.reopen();
  fill_three(f);
  refuse_counts(f);
  REQUIRE(f.store->maintenance());
  CHECK(f.store->counters().partitions == 1);
  take_counts(f);
  SUBCASE("by the next maintenance") {
    REQUIRE(f.store->maintenance());
  }
  SUBCASE("by the next start, after a sealing") {
    REQUIRE(f.commit(logs_batch({}, 4, {record_of("t", 4, "4")})) == CommitOutcome::kStored);
    f.reopen();
  }
  for (int restart = 0; restart < 2; ++restart) {
    const auto row = ledger_of_three(f);
    CHECK(row.records_stored == 1);
    CHECK(row.records_expired == 2);
    CHECK(row.verdict == model::LedgerVerdict::kBalanced);
    f.reopen();
  }
}

TEST_CASE("a chunk that does not decode is left out, counted and alerted") {
  StoreFixture f;
  fill_three(f);
  const auto path = partition_files(f)[0];
  {
    auto database = sql::Database::open(path, {}).value();
    REQUIRE(database.run("UPDATE log_chunks SET body=x'00112233'"));
  }
  CHECK(first_letters(f) == "23");
  CHECK(f.store->counters().unreadable_chunks == 1);
  CHECK(f.store->alerts().open().value().at(0).kind == "store.unreadable_chunk");
}

TEST_CASE("a lost partition heals when the agent says what it still has") {
  StoreFixture f;
  REQUIRE(f.store->tokens().insert({"t", "", TenantId(), {}, {}, "", 1, 0, false, 0, 1000, 0, ""}));
  model::AgentRecord agent;
  const Origin origin;
  agent.id = origin.agent;
  REQUIRE(f.store->tokens().consume("t", agent, 1));
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    REQUIRE(f.commit(logs_batch(origin, seq, {record_of("t", 1, "x")})) == CommitOutcome::kStored);
  }
  f.store.reset();
  overwrite(partition_files(f)[0], 0, 100);
  f.reopen();
  const auto contiguous = [&] {
    return f.store->writer().contiguous(origin.agent, origin.epoch).value()[2];
  };
  CHECK(contiguous() == 0);
  wire::Hello hello;
  hello.agent = origin.agent;
  hello.epoch = origin.epoch;
  hello.next_seq = {1, 1, 8, 1};
  hello.oldest_seq = {1, 1, 6, 1};  // 1 to 5 were acknowledged and deleted.
  REQUIRE(f.store->agents().seen(origin.agent, 1, hello));
  CHECK(contiguous() == 5);
  REQUIRE(f.commit(logs_batch(origin, 7, {record_of("t", 1, "x")})) == CommitOutcome::kStored);
  REQUIRE(f.commit(logs_batch(origin, 6, {record_of("t", 1, "x")})) == CommitOutcome::kStored);
  CHECK(contiguous() == 7);
  f.reopen();
  CHECK(contiguous() == 7);
}
