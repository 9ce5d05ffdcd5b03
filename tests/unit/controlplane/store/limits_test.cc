// What one agent, or damage, may make grow.
#include <filesystem>
#include <fstream>
#include <set>

#include "protocol/sql/database.h"
#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

wire::Batch line(const Origin& origin, std::uint64_t seq) {
  return logs_batch(origin, seq, {record_of("t", 1, std::to_string(seq))});
}

wire::Batch moved(wire::Batch batch, const Epoch& from, std::uint64_t seq) {
  batch.header.origin = wire::BatchOrigin{from, seq};
  return batch;
}

wire::Batch loss_batch(const Origin& origin, Lane lane, std::uint64_t seq,
                       std::vector<wire::LossNotice::Source> sources,
                       const std::string& reason = "evicted") {
  auto batch =
      batch_of(origin, lane, seq, 1, wire::encode_loss({reason, std::move(sources)}).value());
  batch.header.codec = wire::Codec::kLost;
  return batch;
}

wire::LedgerEntry entry_of(const std::string& source, std::uint64_t as_of_seq) {
  wire::LedgerEntry entry;
  entry.source = source;
  entry.lane = Lane::kLogs;
  entry.as_of_seq = as_of_seq;
  return entry;
}

// In one commit: `refused` are kInvalid, the others are stored.
void commit_group(StoreFixture& f, const std::vector<wire::Batch>& group,
                  const std::set<std::size_t>& refused) {
  const auto outcomes = f.store->writer().commit_all(group);
  REQUIRE(outcomes);
  REQUIRE(outcomes->size() == group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    CAPTURE(i);
    const bool is_refused = refused.contains(i);
    REQUIRE((*outcomes)[i].has_value() != is_refused);
    if (is_refused) CHECK((*outcomes)[i].error().code() == Errc::kInvalid);
  }
}

Errc refusal(StoreFixture& f, const wire::Batch& batch) {
  const auto outcome = f.store->writer().commit(batch);
  REQUIRE_FALSE(outcome);
  return outcome.error().code();
}

std::int64_t rows(StoreFixture& f, const char* table) {
  auto database = sql::Database::open(f.dir / "state.db", {}).value();
  return database.scalar(0, std::string("SELECT count(*) FROM ") + table).value();
}

}  // namespace

TEST_CASE("an agent has so many epochs, also over restarts; others and its own known ones go on") {
  StoreFixture f;
  f.options.max_epochs_of_agent = 3;
  f.reopen();
  const auto spool = [](std::uint8_t n) { return Origin{agent_id("web-01"), epoch_of(n)}; };
  // In one group: counted together, too.
  const auto outcomes = f.store->writer().commit_all(
      {line(spool(1), 1), line(spool(2), 1), line(spool(3), 1), line(spool(4), 1),
       control_batch(spool(5), 1, {}), line({agent_id("other"), epoch_of(6)}, 1)});
  REQUIRE(outcomes);
  for (std::size_t i = 0; i < 6; ++i) {
    CAPTURE(i);
    const bool is_refused = i == 3 || i == 4;
    CHECK((*outcomes)[i].has_value() != is_refused);
    if (is_refused) CHECK((*outcomes)[i].error().code() == Errc::kInvalid);
  }
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(refusal(f, line(spool(7), 1)) == Errc::kInvalid);
    CHECK(f.store->writer().commit(line(spool(3), 1)).value() == CommitOutcome::kDuplicate);
    CHECK(rows(f, "epochs") == 4);
    f.reopen();
  }
  CHECK(f.commit(line(spool(3), 2)) == CommitOutcome::kStored);
}

TEST_CASE("a hello begins no epoch beyond the limit either") {
  StoreFixture f;
  f.options.max_epochs_of_agent = 1;
  f.reopen();
  const Origin origin;
  REQUIRE(f.store->tokens().insert({"t", "", TenantId(), {}, {}, "", 1, 0, false, 0, 1000, 0, ""}));
  model::AgentRecord agent;
  agent.id = origin.agent;
  REQUIRE(f.store->tokens().consume("t", agent, 1));
  wire::Hello hello;
  hello.agent = origin.agent;
  for (std::uint8_t n = 1; n <= 4; ++n) {
    hello.epoch = epoch_of(n);
    hello.next_seq = hello.oldest_seq = {1, 1, 5, 1};
    REQUIRE(f.store->agents().seen(origin.agent, n, hello));
  }
  CHECK(rows(f, "epochs") == 1);
}

TEST_CASE("so many moved batches of an agent are remembered; what is not moved goes on") {
  StoreFixture f;
  f.options.max_moved_of_agent = 3;
  f.reopen();
  const Origin origin;
  for (std::uint64_t seq = 1; seq <= 2; ++seq)
    CHECK(f.commit(moved(line(origin, seq), epoch_of(9), seq)) == CommitOutcome::kStored);
  CHECK(f.commit(moved(control_batch(origin, 1, {}), epoch_of(9), 1)) == CommitOutcome::kStored);
  CHECK(refusal(f, moved(line(origin, 3), epoch_of(9), 3)) == Errc::kInvalid);
  CHECK(refusal(f, moved(control_batch(origin, 2, {}), epoch_of(9), 2)) == Errc::kInvalid);
  CHECK(f.commit(line(origin, 3)) == CommitOutcome::kStored);
  CHECK(f.commit(moved(line({agent_id("other"), epoch_of(2)}, 1), epoch_of(8), 1)) ==
        CommitOutcome::kStored);
  CHECK(rows(f, "control_origins") == 1);
}

TEST_CASE(
    "an agent has so many sources over lanes and epochs, also in one group and over restarts") {
  StoreFixture f;
  f.options.max_sources_of_agent = 4;
  f.reopen();
  const Origin one;
  const Origin two{one.agent, epoch_of(2)};
  const Origin other{agent_id("other"), epoch_of(3)};
  const auto of = [](const Origin& origin, std::uint64_t seq, const std::string& target) {
    return logs_batch(origin, seq, {record_of(target, 1, target)});
  };
  commit_group(
      f,
      {logs_batch(one, 1, {record_of("a", 1, "a"), record_of("b", 1, "b")}), of(one, 2, "a"),
       logs_batch(one, 3, {record_of("c", 1, "c"), record_of("d", 1, "d"), record_of("e", 1, "e")}),
       of(two, 1, "a"), of(one, 4, "c"), of(two, 2, "b"), of(other, 1, "z")},
      {2, 5});
  for (int restart = 0; restart < 3; ++restart) {
    CAPTURE(restart);
    CHECK(refusal(f, of(one, 3, "e")) == Errc::kInvalid);
    CHECK(refusal(f, loss_batch(one, Lane::kControl, 1, {{"x", 1, 0}})) == Errc::kInvalid);
    CHECK(refusal(f, loss_batch(one, Lane::kMetrics, 1, {{"x", 1, 0}})) == Errc::kInvalid);
    wire::ControlBatch control;
    control.ledger.push_back(entry_of("log/e", 1));
    CHECK(refusal(f, control_batch(one, 1, control)) == Errc::kInvalid);
    f.reopen();
    f.clock.advance(std::chrono::hours(1));  // The next commit seals what was replayed
    CHECK(f.commit(of(one, 10 + static_cast<std::uint64_t>(restart), "a")) ==
          CommitOutcome::kStored);
  }
  CHECK(rows(f, "stored") == 5);
  CHECK(rows(f, "lost") == 0);
  CHECK(rows(f, "ledger") == 0);
  wire::ControlBatch control;
  control.ledger.push_back(entry_of("log/a", 1));
  CHECK(f.commit(control_batch(one, 1, control)) == CommitOutcome::kStored);
}

TEST_CASE("sources that are forgotten make room; a name has a length, a source so many reasons") {
  StoreFixture f;
  f.options.max_sources_of_agent = 1;
  f.reopen();
  const Origin origin;
  CHECK(refusal(f, logs_batch(origin, 1, {record_of(std::string(300, 't'), 1, "x")})) ==
        Errc::kInvalid);
  CHECK(f.commit(logs_batch(origin, 1, {record_of("a", 1, "x")})) == CommitOutcome::kStored);
  CHECK(refusal(f, logs_batch(origin, 2, {record_of("b", 1, "x")})) == Errc::kInvalid);
  f.clock.advance(std::chrono::hours(1));
  CHECK(f.commit(logs_batch({agent_id("other"), epoch_of(3)}, 1, {record_of("a", 1, "x")})) ==
        CommitOutcome::kStored);  // Seals
  for (int day = 0; day < 9; ++day) {
    f.clock.advance(std::chrono::hours(24));
    REQUIRE(f.store->maintenance());
  }
  CHECK(f.commit(logs_batch(origin, 2, {record_of("b", 1, "x")})) == CommitOutcome::kStored);
  for (std::uint64_t seq = 1; seq <= 100; ++seq) {
    f.commit(loss_batch(origin, Lane::kLogs, seq + 2, {{"log/b", 2, 3}},
                        "reason" + std::to_string(seq)));
  }
  const auto ledger = f.store->reader().ledger(origin.agent);
  REQUIRE(ledger);
  REQUIRE(ledger->size() == 1);
  const auto& lost = ledger->front().records_lost;
  CHECK(lost.size() == 33);
  CHECK(lost.at("other") == 2 * 68);
}

TEST_CASE("a replay brings no more sources than the limit either; its numbers stay settled") {
  StoreFixture f;
  const Origin origin;
  for (std::uint64_t seq = 1; seq <= 20; ++seq) {
    f.commit(logs_batch(origin, seq, {record_of("t" + std::to_string(seq), 1, "x")}));
  }
  f.options.max_sources_of_agent = 5;
  f.reopen();
  f.clock.advance(std::chrono::hours(1));
  CHECK(refusal(f, logs_batch(origin, 21, {record_of("t21", 1, "x")})) == Errc::kInvalid);
  CHECK(f.store->writer().cursors(origin.agent, origin.epoch).value().contiguous[2] == 20);
  CHECK(rows(f, "stored") == 6);
  auto database = sql::Database::open(f.dir / "state.db", {}).value();
  CHECK(database.scalar(0, "SELECT total FROM stored WHERE source='(others)'").value() == 15);
}

TEST_CASE(
    "an agent has so many series over all epochs; known ones come again, unused ones make room") {
  StoreFixture f;
  f.options.max_series_of_agent = 6;
  f.reopen();
  const Origin one;
  const Origin two{one.agent, epoch_of(2)};
  CHECK(f.commit(series_batch(one, 1, 1, 4)) == CommitOutcome::kStored);
  commit_group(
      f, {series_batch(two, 1, 1, 1), series_batch(two, 2, 2, 2), series_batch(one, 2, 1, 5)}, {1});
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(refusal(f, series_batch(two, 2, 2, 2)) == Errc::kInvalid);
    CHECK(f.commit(samples_batch(two, 1, 1, {2}, 1)) == CommitOutcome::kNeedSeries);
    CHECK(rows(f, "series") == 6);
    f.reopen();
  }
  CHECK(f.commit(series_batch(two, 2, 1, 1)) == CommitOutcome::kStored);
  CHECK(f.commit(series_batch({agent_id("other"), epoch_of(3)}, 1, 1, 6)) ==
        CommitOutcome::kStored);
  for (int day = 0; day < 10; ++day) {
    f.clock.advance(std::chrono::hours(24));
    REQUIRE(f.store->maintenance());
  }
  CHECK(f.commit(series_batch(two, 3, 10, 6)) == CommitOutcome::kStored);
}

TEST_CASE("what an epoch of lane 0 was moved from is forgotten with it") {
  StoreFixture f;
  f.options.telemetry_max_age_ms = 2 * 86'400'000;
  f.reopen();
  const Origin old;
  const Origin young{old.agent, epoch_of(2)};
  for (const auto& origin : {old, young}) {
    wire::ControlBatch control;
    control.events.push_back(
        {1, "k", "", wire::Severity::kInfo, std::to_string(origin.epoch.bytes[0]), {}});
    REQUIRE(f.commit(moved(control_batch(origin, 1, control), epoch_of(9), 1)) ==
            CommitOutcome::kStored);
  }
  CHECK(rows(f, "control_origins") == 2);
  f.clock.advance(std::chrono::hours(24 * 4));
  REQUIRE(f.store->maintenance());
  CHECK(rows(f, "epochs") == 1);
  CHECK(rows(f, "control_origins") == 1);
}

TEST_CASE("of damaged partitions the newest two are kept, and count towards the limit in bytes") {
  StoreFixture f;
  f.options.telemetry_max_bytes = 8U << 20;
  const auto aside = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(f.dir / "telemetry")) {
      const auto name = entry.path().filename().string();
      if (name.find(".corrupt-") != std::string::npos) names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  };
  std::vector<std::string> spoiled;
  for (std::uint64_t seq = 1; seq <= 4; ++seq) {
    f.reopen();
    REQUIRE(f.commit(line({}, seq)) == CommitOutcome::kStored);
    f.store.reset();
    for (const auto& entry : std::filesystem::directory_iterator(f.dir / "telemetry")) {
      const auto path = entry.path().string();
      if (!path.ends_with(".db")) continue;
      std::ofstream(path, std::ios::binary) << std::string(3U << 20, '\xA5');
      spoiled.push_back(entry.path().filename().string() + ".corrupt-1");
    }
    f.clock.advance(std::chrono::hours(1));
  }
  f.reopen();
  CHECK(spoiled.size() == 4);
  CHECK(aside() == std::vector<std::string>{spoiled[2], spoiled[3]});
  CHECK(f.store->alerts().open().value().size() == 4);
  // 6 of 8 MiB are taken: the next partitions have two.
  for (std::uint64_t seq = 10; seq < 20; ++seq) {
    REQUIRE(f.commit(logs_batch({}, seq, {record_of("t", 1, std::string(400'000, 'x'))})) ==
            CommitOutcome::kStored);
    std::filesystem::resize_file(std::filesystem::path(f.dir / "telemetry") / aside()[0], 7U << 20);
    f.clock.advance(std::chrono::hours(1));
  }
  CHECK(f.store->counters().partitions <= 2);
  CHECK(f.store->counters().dropped_partitions >= 7);
}
