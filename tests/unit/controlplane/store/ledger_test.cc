#include <random>

#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;
using model::LedgerVerdict;

namespace {

constexpr const char* kTarget = "container/x";

wire::Batch lines(const Origin& origin, std::uint64_t seq, std::size_t count) {
  std::vector<wire::LogRecord> records(count, record_of(kTarget, 1000, "line"));
  records.push_back(record_of("container/other", 1000, "not counted here"));
  return logs_batch(origin, seq, records);
}

wire::LedgerEntry entry_of(std::uint64_t as_of_seq, std::uint64_t spooled) {
  wire::LedgerEntry entry;
  entry.source = std::string("log/") + kTarget;
  entry.lane = Lane::kLogs;
  entry.as_of_seq = as_of_seq;
  entry.records_read = spooled + 3;
  entry.bytes_read = 100;
  entry.records_spooled = spooled;
  entry.records_dropped = {{"rate", 3}};
  return entry;
}

wire::Batch ledger_batch(const Origin& origin, std::uint64_t seq, const wire::LedgerEntry& entry) {
  wire::ControlBatch control;
  control.ledger.push_back(entry);
  return control_batch(origin, seq, control);
}

model::LedgerRow row_of(StoreFixture& f, const Origin& origin = {}) {
  const auto rows = f.store->reader().ledger(origin.agent).value();
  REQUIRE(rows.size() == 1);
  return rows[0];
}

}  // namespace

TEST_CASE("pending until the lane is complete, then balanced; later batches do not matter") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(ledger_batch(origin, 1, entry_of(2, 15))) == CommitOutcome::kStored);
  CHECK(row_of(f).verdict == LedgerVerdict::kPending);
  CHECK(row_of(f).records_stored == 0);
  REQUIRE(f.commit(lines(origin, 2, 10)) == CommitOutcome::kStored);
  CHECK(row_of(f).verdict == LedgerVerdict::kPending);
  REQUIRE(f.commit(lines(origin, 3, 7)) == CommitOutcome::kStored);
  CHECK(row_of(f).verdict == LedgerVerdict::kPending);
  REQUIRE(f.commit(lines(origin, 1, 5)) == CommitOutcome::kStored);
  const auto row = row_of(f);
  CHECK(row.verdict == LedgerVerdict::kBalanced);
  CHECK(row.records_stored == 15);
  CHECK(row.agent == origin.agent);
  CHECK(row.entry == entry_of(2, 15));
}

TEST_CASE("a record that is missing though every batch is here is a gap") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(lines(origin, 1, 9)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(origin, 1, entry_of(1, 10))) == CommitOutcome::kStored);
  CHECK(row_of(f).verdict == LedgerVerdict::kGap);
  CHECK(row_of(f).records_stored == 9);
  // A source nothing was ever stored of.
  auto unseen = entry_of(1, 4);
  unseen.source = "log/container/unseen";
  REQUIRE(f.commit(ledger_batch(origin, 2, unseen)) == CommitOutcome::kStored);
  CHECK(f.store->reader().ledger(origin.agent).value().at(0).verdict == LedgerVerdict::kGap);
}

TEST_CASE("a gap is an alert for as long as it is there, one for each host and lane") {
  StoreFixture f;
  const Origin origin;
  const auto open = [&] { return f.store->alerts().open().value(); };
  REQUIRE(f.commit(lines(origin, 1, 9)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(origin, 1, entry_of(1, 9))) == CommitOutcome::kStored);
  REQUIRE(f.store->maintenance());
  CHECK(open().empty());

  auto other = entry_of(1, 2);
  other.source = "log/container/other";
  REQUIRE(f.commit(ledger_batch(origin, 2, other)) == CommitOutcome::kStored);
  auto unseen = entry_of(1, 4);
  unseen.source = "log/container/unseen";
  REQUIRE(f.commit(ledger_batch(origin, 3, unseen)) == CommitOutcome::kStored);
  for (int times = 0; times < 2; ++times) {
    REQUIRE(f.store->maintenance());
    REQUIRE(open().size() == 1);
    CHECK(open()[0].kind == "ledger.gap");
    CHECK(open()[0].agent == origin.agent);
    CHECK(open()[0].object == "logs");
    CHECK(open()[0].count == 2);  // Sources
    CHECK(open()[0].message.find("container/other") != std::string::npos);
  }

  // What the host says later fits what is stored.
  other = entry_of(2, 2);
  other.source = "log/container/other";
  unseen = entry_of(2, 0);
  unseen.source = "log/container/unseen";
  REQUIRE(f.commit(lines(origin, 2, 1)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(origin, 4, other)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(origin, 5, unseen)) == CommitOutcome::kStored);
  REQUIRE(f.store->maintenance());
  CHECK(open().empty());
}

TEST_CASE("a gap of a spool is told once more when the host has begun another one") {
  StoreFixture f;
  const Origin first;
  const Origin second{first.agent, epoch_of(2)};
  const Origin third{first.agent, epoch_of(3)};
  const auto open = [&] { return f.store->alerts().open().value(); };
  REQUIRE(f.commit(lines(first, 1, 9)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(first, 1, entry_of(1, 10))) == CommitOutcome::kStored);
  REQUIRE(f.store->maintenance());
  REQUIRE(open().size() == 1);
  CHECK(open()[0].kind == "ledger.gap");

  REQUIRE(f.commit(lines(second, 1, 2)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(second, 1, entry_of(1, 2))) == CommitOutcome::kStored);
  for (int times = 0; times < 3; ++times) {
    REQUIRE(f.store->maintenance());
    REQUIRE(open().size() == 1);
    CHECK(open()[0].kind == "ledger.earlier_gap");
    CHECK(open()[0].object == "logs");
    CHECK(open()[0].count == 1);
    CHECK(open()[0].message.find("10 records, 9 are stored") != std::string::npos);
    CHECK(row_of(f).verdict == LedgerVerdict::kBalanced);  // Of the newest
    f.reopen();
  }
  // Taken off the list by a person: it does not come back.
  REQUIRE(f.store->alerts().clear("ledger.earlier_gap", first.agent, "logs"));
  REQUIRE(f.commit(lines(third, 1, 2)) == CommitOutcome::kStored);
  REQUIRE(f.store->maintenance());
  CHECK(open().empty());
}

TEST_CASE("an entry that comes late does not replace a newer one") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(lines(origin, 1, 1)) == CommitOutcome::kStored);
  REQUIRE(f.commit(lines(origin, 2, 1)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(origin, 2, entry_of(2, 2))) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(origin, 1, entry_of(1, 1))) == CommitOutcome::kStored);
  CHECK(row_of(f).entry.as_of_seq == 2);
  CHECK(row_of(f).verdict == LedgerVerdict::kBalanced);
}

TEST_CASE("samples are counted under metrics") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(series_batch(origin, 1, 1, 3)) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(origin, 1, 1000, {1, 2, 3}, 1)) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(origin, 2, 2000, {1, 2}, 1)) == CommitOutcome::kStored);
  wire::LedgerEntry entry;
  entry.source = "metrics";
  entry.lane = Lane::kMetrics;
  entry.as_of_seq = 1;
  entry.records_spooled = 3;
  REQUIRE(f.commit(ledger_batch(origin, 2, entry)) == CommitOutcome::kStored);
  CHECK(row_of(f).verdict == LedgerVerdict::kBalanced);
  f.reopen();
  CHECK(row_of(f).verdict == LedgerVerdict::kBalanced);
}

TEST_CASE("a new epoch has its own ledger; the old one is not shown any more") {
  StoreFixture f;
  const Origin first;
  const Origin second{first.agent, epoch_of(2)};
  REQUIRE(f.commit(ledger_batch(first, 1, entry_of(7, 7))) == CommitOutcome::kStored);
  REQUIRE(f.commit(lines(second, 1, 2)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(second, 1, entry_of(1, 2))) == CommitOutcome::kStored);
  CHECK(row_of(f).verdict == LedgerVerdict::kBalanced);
  CHECK(f.store->reader().ledger(AgentId()).value().size() == 1);
}

TEST_CASE(
    "with any order of arrival, new partitions, retention and restarts: never a gap, balanced at "
    "the end") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 12; ++round) {
    StoreFixture f;
    f.options.partition_length_ms = 1000;
    f.options.telemetry_max_age_ms = 3000;
    f.reopen();
    const Origin origin;
    // Forty log batches; after every fourth the agent reports its ledger.
    std::vector<wire::Batch> batches;
    std::uint64_t spooled = 0;
    std::uint64_t control_seq = 0;
    for (std::uint64_t seq = 1; seq <= 40; ++seq) {
      const std::size_t count = random() % 5;
      spooled += count;
      batches.push_back(lines(origin, seq, count));
      if (seq % 4 == 0)
        batches.push_back(ledger_batch(origin, ++control_seq, entry_of(seq, spooled)));
    }
    // Disorder within a window, as resending makes it; the first round is completely random.
    const std::size_t window = round == 0 ? batches.size() : 1 + random() % 15;
    for (std::size_t i = 0; i + 1 < batches.size(); ++i) {
      const std::size_t reach = std::min(window, batches.size() - i);
      std::swap(batches[i], batches[i + random() % reach]);
    }
    for (const auto& batch : batches) {
      REQUIRE(f.commit(batch) == CommitOutcome::kStored);
      if (random() % 6 == 0) f.clock.advance(std::chrono::milliseconds(500));
      if (random() % 10 == 0) REQUIRE(f.store->maintenance());
      if (random() % 12 == 0) f.reopen();
      const auto rows = f.store->reader().ledger(origin.agent).value();
      for (const auto& row : rows) REQUIRE(row.verdict != LedgerVerdict::kGap);
    }
    const auto row = row_of(f);
    CHECK(row.verdict == LedgerVerdict::kBalanced);
    CHECK(row.records_stored + row.records_expired == spooled);
  }
}

TEST_CASE("a batch that is given up counts as committed, and its records as lost") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(logs_batch(origin, 2, {record_of("t", 1, "after it")})) ==
          CommitOutcome::kStored);
  const auto poison = batch_of(origin, Lane::kLogs, 1, 7, "not a body");
  CHECK(f.store->writer().commit(poison).error().code() == Errc::kCorrupt);
  REQUIRE(f.store->writer().give_up(poison));
  REQUIRE(f.store->writer().give_up(poison));  // Counts once
  REQUIRE(f.store->writer().give_up(batch_of(origin, Lane::kLogs, 3, 2, "nor this")));
  REQUIRE(f.store->writer().give_up(batch_of(origin, Lane::kMetrics, 1, 4, "nor this")));
  REQUIRE(f.store->writer().give_up(batch_of(origin, Lane::kControl, 1, 1, "nor this")));
  CHECK(f.store->writer().give_up(batch_of(origin, Lane::kLogs, 0, 1, "x")).error().code() ==
        Errc::kCorrupt);
  for (int restart = 0; restart < 2; ++restart) {
    const auto contiguous = f.store->writer().contiguous(origin.agent, origin.epoch).value();
    CHECK(contiguous[0] == 1);
    CHECK(contiguous[1] == 1);
    CHECK(contiguous[2] == 3);
    CHECK(texts_of(f.store->reader().logs({}).value()) == std::vector<std::string>{"after it"});
    std::map<std::pair<Lane, std::string>, std::uint64_t> lost;
    const auto rows = f.store->reader().ledger(origin.agent).value();
    for (const auto& row : rows) {
      lost[{row.entry.lane, row.entry.source}] += row.records_lost.at("unreadable");
      CHECK(row.verdict == LedgerVerdict::kBalanced);
    }
    CHECK(lost == decltype(lost){{{Lane::kControl, "unreadable"}, 1},
                                 {{Lane::kMetrics, "metrics"}, 4},
                                 {{Lane::kLogs, "unreadable"}, 9}});
    f.reopen();
  }
}
