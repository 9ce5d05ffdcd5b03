#include <filesystem>

#include "controlplane/store/events.h"
#include "controlplane/store/partitions.h"
#include "protocol/base/files.h"
#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

std::size_t files_in(const std::string& directory) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    count += entry.is_regular_file();
  return count;
}

// Does not compress.
std::string noise(std::size_t bytes, std::uint64_t seed) {
  std::string text;
  while (text.size() < bytes) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    text += static_cast<char>('!' + (seed >> 33) % 90);
  }
  return text;
}

wire::Batch line_at(StoreFixture& f, std::uint64_t seq, const std::string& text) {
  return logs_batch({}, seq, {record_of("t", f.clock.unix_ms(), text)});
}

}  // namespace

TEST_CASE(
    "by age whole partitions go, never the newest; what was acknowledged stays acknowledged") {
  StoreFixture f;
  f.options.telemetry_max_age_ms = 3 * 3'600'000;
  f.reopen();
  const Origin origin;
  for (std::uint64_t seq = 1; seq <= 6; ++seq) {
    REQUIRE(f.commit(line_at(f, seq, std::to_string(seq))) == CommitOutcome::kStored);
    f.clock.advance(std::chrono::hours(1));
  }
  CHECK(f.store->counters().partitions == 6);
  REQUIRE(f.store->maintenance());
  CHECK(f.store->counters().dropped_partitions == 3);
  CHECK(f.store->counters().dropped_bytes > 0);
  CHECK(texts_of(f.store->reader().logs({}).value()) == std::vector<std::string>{"4", "5", "6"});
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(f.store->writer().contiguous(origin.agent, origin.epoch).value()[2] == 6);
    // Its row is gone: whatever the content, it counts as stored.
    CHECK(f.commit(logs_batch(origin, 1, {record_of("t", 1, "anything")})) ==
          CommitOutcome::kDuplicate);
    CHECK(f.commit(logs_batch(origin, 6, {record_of("t", 1, "anything")})) ==
          CommitOutcome::kConflict);
    f.reopen();
  }
  f.clock.advance(std::chrono::hours(1000));
  REQUIRE(f.store->maintenance());
  CHECK(f.store->counters().partitions == 1);
  CHECK(files_in(f.dir / "telemetry") <= 3);
}

TEST_CASE("by bytes the oldest go; a partition is closed early so that little goes at once") {
  StoreFixture f;
  f.options.telemetry_max_bytes = 8U << 20;
  f.reopen();
  for (std::uint64_t seq = 1; seq <= 64; ++seq) {
    REQUIRE(f.commit(line_at(f, seq, noise(300'000, seq))) == CommitOutcome::kStored);
    if (seq % 4 == 0) REQUIRE(f.store->maintenance());
    CHECK(f.store->counters().telemetry_bytes <= (8U << 20) + (4U << 20));
  }
  const auto counters = f.store->counters();
  CHECK(counters.dropped_partitions > 5);
  CHECK(counters.dropped_bytes > (5U << 20));
  CHECK(counters.telemetry_bytes > (4U << 20));
  const auto rows = f.store->reader().logs({}).value();
  CHECK(rows.size() > 10);
  CHECK(rows.back().record.text == noise(300'000, 64));
  CHECK(f.store->writer().contiguous(Origin().agent, Origin().epoch).value()[2] == 64);
}

TEST_CASE("the limit in bytes is kept while batches come flat out, without any maintenance") {
  StoreFixture f;
  f.options.telemetry_max_bytes = 32U << 20;
  f.reopen();
  std::uint64_t most = 0;
  for (std::uint64_t seq = 1; seq <= 300; ++seq) {
    REQUIRE(f.commit(line_at(f, seq, noise(300'000, seq))) == CommitOutcome::kStored);
    most = std::max(most, f.store->counters().telemetry_bytes);
  }
  // The newest partition may outgrow its 1/16 by one batch and by its log.
  CHECK(most <= (32U << 20) + (1U << 20));
  CHECK(most > (24U << 20));
  CHECK(f.store->counters().dropped_partitions > 10);
}

TEST_CASE("on a full disk partitions still go: a failing write to state.db comes after retention") {
  StoreFixture f;
  f.options.telemetry_max_age_ms = 3'600'000;
  f.reopen();
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    REQUIRE(f.commit(line_at(f, seq, "x")) == CommitOutcome::kStored);
    f.clock.advance(std::chrono::hours(1));
  }
  REQUIRE(f.store->access().insert_login({"code", "admin", TenantId(), model::Role::kAdmin, 1, 0}));
  {
    auto database = sql::Database::open(f.dir / "state.db", {}).value();
    REQUIRE(
        database.execute("CREATE TRIGGER full BEFORE DELETE ON login_codes"
                         " BEGIN SELECT RAISE(ABORT, 'no room'); END"));
  }
  CHECK_FALSE(f.store->maintenance());
  CHECK(f.store->counters().partitions == 1);
}

TEST_CASE("while the disk is nearly full the oldest partitions go early, with an alert") {
  StoreFixture f;
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    REQUIRE(f.commit(line_at(f, seq, "x")) == CommitOutcome::kStored);
    f.clock.advance(std::chrono::hours(1));
  }
  f.options.min_free_bytes = 0;
  f.reopen();
  REQUIRE(f.store->maintenance());
  CHECK(f.store->counters().partitions == 3);
  f.options.min_free_bytes = UINT64_MAX / 2;
  f.reopen();
  REQUIRE(f.store->maintenance());
  CHECK(f.store->counters().partitions == 1);
  CHECK(f.store->alerts().open().value().at(0).kind == "store.low_disk");
  CHECK(texts_of(f.store->reader().logs({}).value()) == std::vector<std::string>{"x"});
  f.options.min_free_bytes = 0;
  f.reopen();
  REQUIRE(f.store->maintenance());
  CHECK(f.store->alerts().open().value().empty());
}

TEST_CASE("a partition put aside while retention runs is not dropped in another's place") {
  test::TempDir dir;
  struct HookedClock final : Clock {
    ManualClock manual;
    std::function<void()> hook = [] {};
    WallTime wall_now() const override {
      hook();
      return manual.wall_now();
    }
    SteadyTime steady_now() const override { return manual.steady_now(); }
  } clock;
  auto state = controlplane::store::StateDb::open(dir / "state.db").value();
  REQUIRE(files::make_directories(dir / "telemetry", 0700));
  controlplane::store::EpochBook book({256, 1000, 1000, 1000});
  controlplane::store::Partitions partitions(dir / "telemetry", {UINT64_MAX, 3'600'000, UINT64_MAX},
                                             *state, book, clock);
  REQUIRE(partitions.load());
  for (int i = 0; i < 2; ++i) {
    REQUIRE(partitions.current());
    clock.manual.advance(std::chrono::hours(1));
  }
  const auto all = partitions.snapshot();
  REQUIRE(all.size() == 2);
  clock.manual.advance(std::chrono::hours(5));
  const std::int64_t oldest_ms = clock.unix_ms() - 3'600'000;
  bool once = true;
  clock.hook = [&] {
    if (std::exchange(once, false))
      partitions.quarantine(all[0], Error(Errc::kCorrupt, "found by a reader"));
  };
  REQUIRE(partitions.retain(oldest_ms));
  CHECK_FALSE(once);
  CHECK(partitions.counters().dropped_partitions == 0);
  CHECK(partitions.snapshot() == std::vector{all[1]});
}

TEST_CASE("a closed partition has no log, also when readers came before or are in flight") {
  StoreFixture f;
  const auto logs_left = [&] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(f.dir / "telemetry")) {
      count += entry.path().string().ends_with("-wal") && entry.file_size() > 0;
    }
    return count;
  };
  REQUIRE(f.commit(line_at(f, 1, noise(300'000, 1))) == CommitOutcome::kStored);
  CHECK(f.store->reader().logs({}).value().size() == 1);  // Its connection stays open.
  CHECK(logs_left() == 1);
  f.clock.advance(std::chrono::hours(1));
  REQUIRE(f.commit(line_at(f, 2, "next")) == CommitOutcome::kStored);
  CHECK(logs_left() == 1);  // Of the one being written
  CHECK(f.store->reader().logs({}).value().size() == 2);

  auto reading = controlplane::store::Partition::open(f.dir / "alone.db", 1).value();
  REQUIRE(reading->insert_batch({1, Lane::kLogs, 1, {}, 0, wire::Codec::kZstd}));
  REQUIRE(reading->read([&](sql::Database& db) -> Result<std::int64_t> {
    TRY(const auto before, db.scalar(0, "SELECT count(*) FROM batches"));
    REQUIRE(reading->insert_batch({1, Lane::kLogs, 2, {}, 0, wire::Codec::kZstd}));
    reading->close_writer();
    CHECK(reading->has_log());
    return before;
  }));
  reading->close_writer();
  CHECK_FALSE(reading->has_log());
}

TEST_CASE("a clock that jumps forward and back does not stop retention or lose order") {
  StoreFixture f;
  REQUIRE(f.commit(line_at(f, 1, "a")) == CommitOutcome::kStored);
  f.clock.jump_wall(std::chrono::hours(24 * 365));
  REQUIRE(f.commit(line_at(f, 2, "future")) == CommitOutcome::kStored);
  f.clock.jump_wall(-std::chrono::hours(24 * 365));
  REQUIRE(f.commit(line_at(f, 3, "back")) == CommitOutcome::kStored);
  f.reopen();
  CHECK(f.commit(line_at(f, 4, "again")) == CommitOutcome::kStored);
  CHECK(texts_of(f.store->reader().logs({}).value()) ==
        std::vector<std::string>{"a", "back", "again", "future"});
  CHECK(f.store->writer().contiguous(Origin().agent, Origin().epoch).value()[2] == 4);
}

TEST_CASE("a clock that is a year off during maintenance makes nothing old, over restarts too") {
  StoreFixture f;
  const auto alerts = [&] { return f.store->alerts().open().value(); };
  const auto hours = [&](int count) {
    for (int i = 0; i < count; ++i) {
      f.clock.advance(std::chrono::hours(1));
      REQUIRE(f.store->maintenance());
    }
  };
  const std::chrono::hours year(24 * 365);
  std::uint64_t seq = 0;
  const auto write = [&] {
    ++seq;
    REQUIRE(f.commit(line_at(f, seq, std::to_string(seq))) == CommitOutcome::kStored);
  };
  for (int i = 0; i < 3; ++i) {
    write();
    hours(1);
  }
  for (const auto jump : {year, -year}) {
    for (int restart = 0; restart < 2; ++restart) {
      f.clock.jump_wall(jump);
      if (restart == 1) f.reopen();
      REQUIRE(f.store->maintenance());
      REQUIRE(alerts().size() == 1);
      CHECK(alerts()[0].kind == "store.clock");
      write();
      REQUIRE(f.store->maintenance());
      f.clock.jump_wall(-jump);
      write();
      REQUIRE(f.store->maintenance());
      CHECK(alerts().empty());
    }
  }
  CHECK(f.store->counters().dropped_partitions == 0);
  CHECK(f.store->reader().logs({}).value().size() == seq);

  // One that is put right for good is believed after a day.
  const auto before = f.store->counters().partitions;
  f.clock.jump_wall(2 * year);
  hours(24);
  write();
  CHECK(f.store->counters().partitions > before);
  CHECK(alerts().size() == 1);
  hours(2);
  CHECK(alerts().empty());
  CHECK(f.store->counters().dropped_partitions == 3);  // The next one was written to until now.
  CHECK(texts_of(f.store->reader().logs({}).value()).size() == seq - 3);
}

TEST_CASE("a newest partition that is dated in the future is closed after its hour all the same") {
  StoreFixture f;
  f.clock.jump_wall(std::chrono::hours(24 * 365));
  REQUIRE(f.commit(line_at(f, 1, "future")) == CommitOutcome::kStored);
  f.clock.jump_wall(-std::chrono::hours(24 * 365));
  f.reopen();
  for (std::uint64_t seq = 2; seq <= 4; ++seq) {
    REQUIRE(f.commit(line_at(f, seq, "back")) == CommitOutcome::kStored);
    f.clock.advance(std::chrono::hours(1));
  }
  CHECK(f.store->counters().partitions == 3);
}

TEST_CASE("events go by age and by number") {
  test::TempDir dir;
  auto state = controlplane::store::StateDb::open(dir / "state.db").value();
  const auto insert = [&](std::int64_t received_ms, std::size_t count) {
    const std::vector<wire::Event> events(count);
    REQUIRE(state->write([&](sql::Database& db) {
      return controlplane::store::insert_events(db, agent_id("a"), events, received_ms);
    }));
  };
  const auto left = [&] {
    return state
        ->read([](sql::Database& db) { return db.scalar(0, "SELECT count(*) FROM events"); })
        .value();
  };
  insert(100, 6000);
  insert(200, 3000);
  REQUIRE(controlplane::store::forget_events(*state, 100));
  CHECK(left() == 9000);
  REQUIRE(controlplane::store::forget_events(*state, 101));
  CHECK(left() == 3000);
  REQUIRE(controlplane::store::forget_events(*state, 0, 10));
  CHECK(left() == 10);
}

TEST_CASE("the ledger of sources that are long gone is forgotten as a whole") {
  StoreFixture f;
  f.options.telemetry_max_age_ms = 10 * 3'600'000;
  f.reopen();
  const Origin origin;
  const auto report = [&](std::uint64_t seq, const std::string& source, std::uint64_t as_of) {
    wire::ControlBatch control;
    control.ledger.push_back({source, Lane::kLogs, as_of, 1, 1, 1, {}, {}});
    REQUIRE(f.commit(control_batch(origin, seq, control)) == CommitOutcome::kStored);
  };
  REQUIRE(f.commit(logs_batch(origin, 1, {record_of("old", 1, "x"), record_of("live", 1, "x")})) ==
          CommitOutcome::kStored);
  report(1, "log/old", 1);
  report(2, "log/live", 1);
  f.clock.advance(std::chrono::hours(9));
  REQUIRE(f.commit(logs_batch(origin, 2, {record_of("other", 1, "x")})) ==
          CommitOutcome::kStored);  // Seals
  report(3, "log/live", 2);
  f.clock.advance(std::chrono::hours(9));
  REQUIRE(f.store->maintenance());
  CHECK(f.store->reader().ledger(origin.agent).value().size() == 2);  // The sealing is 9 hours old.
  f.clock.advance(std::chrono::hours(2));
  report(4, "log/live", 2);
  REQUIRE(f.store->maintenance());
  for (int restart = 0; restart < 2; ++restart) {
    const auto rows = f.store->reader().ledger(origin.agent).value();
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].entry.source == "log/live");
    CHECK(rows[0].verdict == model::LedgerVerdict::kBalanced);
    f.reopen();
  }
}

TEST_CASE(
    "series that nobody sends any more are forgotten; a later sample asks for the definition") {
  StoreFixture f;
  f.options.telemetry_max_age_ms = 2 * 86'400'000;
  f.reopen();
  const Origin origin;
  std::uint64_t seq = 0;
  const auto sample = [&](std::uint32_t id) {
    return f.commit(samples_batch(origin, ++seq, f.clock.unix_ms(), {id}, 1));
  };
  REQUIRE(f.commit(series_batch(origin, 1, 1, 3)) == CommitOutcome::kStored);
  REQUIRE(sample(3) == CommitOutcome::kStored);
  const auto left = [&] { return f.store->reader().series(origin.agent, "host").value().size(); };
  for (int day = 0; day < 3; ++day) {
    REQUIRE(sample(1) == CommitOutcome::kStored);
    REQUIRE(f.store->maintenance());
    if (day == 1) f.reopen();
    f.clock.advance(std::chrono::hours(24));
  }
  CHECK(left() == 3);
  REQUIRE(sample(1) == CommitOutcome::kStored);
  REQUIRE(f.store->maintenance());
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(left() == 1);
    CHECK(f.store->writer().series_known(origin.agent, origin.epoch).value() == 3);
    CHECK(f.store->writer().commit(samples_batch(origin, 100, 1, {1, 3}, 1)).value() ==
          CommitOutcome::kNeedSeries);
    f.reopen();
  }
  REQUIRE(f.commit(series_batch(origin, 2, 3, 1)) == CommitOutcome::kStored);
  CHECK(f.commit(samples_batch(origin, 100, f.clock.unix_ms(), {1, 3}, 1)) ==
        CommitOutcome::kStored);
  CHECK(left() == 2);
}

TEST_CASE(
    "epochs of old spools are forgotten with their last partition, the newest of an agent never") {
  StoreFixture f;
  f.options.telemetry_max_age_ms = 2 * 86'400'000;
  f.reopen();
  const Origin old;
  const Origin young{old.agent, epoch_of(2)};
  const Origin other{agent_id("other"), epoch_of(3)};
  for (const auto& origin : {old, young, other}) {
    REQUIRE(f.commit(series_batch(origin, 1, 1, 1)) == CommitOutcome::kStored);
    REQUIRE(f.commit(samples_batch(origin, 1, f.clock.unix_ms(), {1}, 1)) ==
            CommitOutcome::kStored);
  }
  const auto rows = [&](const char* table) {
    auto database = sql::Database::open(f.dir / "state.db", {}).value();
    return database.scalar(0, std::string("SELECT count(*) FROM ") + table).value();
  };
  f.clock.advance(std::chrono::hours(24 * 4));
  REQUIRE(f.store->maintenance());
  CHECK(rows("series") == 0);
  CHECK(rows("epochs") == 3);  // In the newest partition
  REQUIRE(f.commit(logs_batch(other, 1, {record_of("t", 1, "x")})) == CommitOutcome::kStored);
  f.clock.advance(std::chrono::hours(24 * 4));
  REQUIRE(f.commit(logs_batch(other, 2, {record_of("t", 1, "x")})) == CommitOutcome::kStored);
  REQUIRE(f.store->maintenance());
  CHECK(rows("epochs") == 2);
  CHECK(rows("control_batches") == 2);
  CHECK(f.store->writer().contiguous(old.agent, old.epoch).value()[1] == 0);
  CHECK(f.store->writer().contiguous(young.agent, young.epoch).value()[1] == 1);
  f.reopen();
  CHECK(f.store->writer().contiguous(young.agent, young.epoch).value()[1] == 1);
  CHECK(f.store->reader().ledger(AgentId()).value().empty());
}
