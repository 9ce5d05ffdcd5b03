// Batches whose content is gone, and batches that a copied spool moved to a new epoch.
#include <random>

#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;
using model::LedgerVerdict;

namespace {

constexpr const char* kTarget = "container/x";
constexpr const char* kSource = "log/container/x";

wire::Batch lines(const Origin& origin, std::uint64_t seq, std::size_t count,
                  const std::string& text = "line") {
  return logs_batch(
      origin, seq,
      std::vector<wire::LogRecord>(count, record_of(kTarget, 1000, text + std::to_string(seq))));
}

wire::Batch lost(const Origin& origin, Lane lane, std::uint64_t seq, std::uint64_t records,
                 const std::string& source = kSource) {
  wire::LossNotice notice{wire::loss_reasons::kEvicted, {}};
  if (records > 0) notice.sources.push_back({source, records, records * 10});
  auto batch = batch_of(origin, lane, seq, 0, wire::encode_loss(notice).value());
  batch.header.codec = wire::Codec::kLost;
  return batch;
}

wire::Batch moved(wire::Batch batch, const Epoch& to, std::uint64_t seq) {
  if (!batch.header.origin)
    batch.header.origin = wire::BatchOrigin{batch.header.epoch, batch.header.seq};
  batch.header.epoch = to;
  batch.header.seq = seq;
  return batch;
}

wire::Batch ledger_batch(const Origin& origin, std::uint64_t seq, std::uint64_t as_of_seq,
                         std::uint64_t spooled) {
  wire::ControlBatch control;
  wire::LedgerEntry entry;
  entry.source = kSource;
  entry.lane = Lane::kLogs;
  entry.as_of_seq = as_of_seq;
  entry.records_read = entry.records_spooled = spooled;
  control.ledger.push_back(entry);
  return control_batch(origin, seq, control);
}

model::LedgerRow row_of(StoreFixture& f, const std::string& source = kSource) {
  const auto rows = f.store->reader().ledger(AgentId()).value();
  for (const auto& row : rows) {
    if (row.entry.source == source) return row;
  }
  FAIL("no row of ", source);
  return {};
}

std::size_t stored_lines(StoreFixture& f) {
  return f.store->reader().logs({}).value().size();
}

std::uint64_t contiguous(StoreFixture& f, const Origin& origin, Lane lane) {
  return f.store->writer()
      .contiguous(origin.agent, origin.epoch)
      .value()[static_cast<std::size_t>(lane)];
}

using Counts = std::map<std::string, std::uint64_t>;

}  // namespace

TEST_CASE("the first of a batch and its loss notice wins; the other is a duplicate, also later") {
  StoreFixture f;
  const Origin origin;
  CHECK(f.commit(lost(origin, Lane::kLogs, 1, 5)) == CommitOutcome::kStored);
  CHECK(f.commit(lines(origin, 2, 7)) == CommitOutcome::kStored);
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(f.commit(lines(origin, 1, 5)) == CommitOutcome::kDuplicate);
    CHECK(f.commit(lost(origin, Lane::kLogs, 1, 5)) == CommitOutcome::kDuplicate);
    CHECK(f.commit(lost(origin, Lane::kLogs, 2, 7)) == CommitOutcome::kDuplicate);
    CHECK(f.commit(lines(origin, 2, 7)) == CommitOutcome::kDuplicate);
    CHECK(stored_lines(f) == 7);
    CHECK(contiguous(f, origin, Lane::kLogs) == 2);
    CHECK(row_of(f).records_lost == Counts{{"evicted", 5}});
    CHECK(row_of(f).bytes_lost == Counts{{"evicted", 50}});
    f.reopen();
  }
}

TEST_CASE("the same in lane 0: nothing of what is lost is stored later, and series come again") {
  StoreFixture f;
  const Origin origin;
  CHECK(f.commit(lost(origin, Lane::kControl, 1, 3, "events")) == CommitOutcome::kStored);
  CHECK(f.commit(series_batch(origin, 1, 1, 2)) == CommitOutcome::kDuplicate);
  CHECK(f.commit(series_batch(origin, 2, 3, 1)) == CommitOutcome::kStored);
  CHECK(f.commit(lost(origin, Lane::kControl, 2, 9, "events")) == CommitOutcome::kDuplicate);
  CHECK(f.commit(lost(origin, Lane::kControl, 3, 4, "events")) == CommitOutcome::kStored);
  CHECK(f.commit(samples_batch(origin, 1, 1, {1}, 1)) == CommitOutcome::kNeedSeries);
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(contiguous(f, origin, Lane::kControl) == 3);
    CHECK(row_of(f, "events").records_lost == Counts{{"evicted", 7}});
    CHECK(row_of(f, "events").entry.lane == Lane::kControl);
    f.reopen();
  }
}

TEST_CASE("a lost inventory delta does not keep the later ones waiting") {
  StoreFixture f;
  const Origin origin;
  wire::ControlBatch control;
  wire::InventoryUpdate update;
  update.host = wire::HostFacts{};
  update.host->hostname = "later";
  control.inventory.push_back(update);
  REQUIRE(f.commit(control_batch(origin, 2, control)) == CommitOutcome::kStored);
  REQUIRE_FALSE(f.store->reader().inventory(origin.agent).value());
  REQUIRE(f.commit(lost(origin, Lane::kControl, 1, 1, "inventory")) == CommitOutcome::kStored);
  CHECK(f.store->reader().inventory(origin.agent).value()->host.hostname == "later");
}

TEST_CASE(
    "balanced is stored + expired + lost = spooled, through sealing, retention and restarts") {
  std::mt19937_64 random(11);
  std::uint64_t expired = 0;
  for (int round = 0; round < 8; ++round) {
    CAPTURE(round);
    StoreFixture f;
    f.options.partition_length_ms = 1000;
    f.options.telemetry_max_age_ms = 3000;
    f.reopen();
    const Origin origin;
    std::vector<wire::Batch> batches;
    std::uint64_t spooled = 0;
    std::uint64_t lost_records = 0;
    std::uint64_t control_seq = 0;
    for (std::uint64_t seq = 1; seq <= 40; ++seq) {
      const std::size_t count = 1 + random() % 5;
      spooled += count;
      const bool is_lost = random() % 3 == 0;
      if (is_lost) lost_records += count;
      batches.push_back(is_lost ? lost(origin, Lane::kLogs, seq, count)
                                : lines(origin, seq, count));
      if (seq % 4 == 0) batches.push_back(ledger_batch(origin, ++control_seq, seq, spooled));
    }
    for (std::size_t i = 0; i + 1 < batches.size(); ++i)
      std::swap(batches[i], batches[i + random() % std::min<std::size_t>(9, batches.size() - i)]);
    for (const auto& batch : batches) {
      REQUIRE(f.commit(batch) == CommitOutcome::kStored);
      if (random() % 6 == 0) f.clock.advance(std::chrono::milliseconds(500));
      if (random() % 10 == 0) REQUIRE(f.store->maintenance());
      if (random() % 12 == 0) f.reopen();
      const auto rows = f.store->reader().ledger(origin.agent).value();
      for (const auto& row : rows) REQUIRE(row.verdict != LedgerVerdict::kGap);
    }
    for (int restart = 0; restart < 2; ++restart) {
      const auto row = row_of(f);
      CHECK(row.verdict == LedgerVerdict::kBalanced);
      CHECK(row.records_lost == Counts{{"evicted", lost_records}});
      CHECK(row.records_stored + row.records_expired + lost_records == spooled);
      CHECK(row.records_stored == stored_lines(f));
      f.reopen();
    }
    expired += row_of(f).records_expired;
    // The oracle notices one record too few and one too many.
    REQUIRE(f.commit(ledger_batch(origin, ++control_seq, 41, spooled + 2)) ==
            CommitOutcome::kStored);
    REQUIRE(f.commit(lost(origin, Lane::kLogs, 41, round % 2 == 0 ? 1 : 3)) ==
            CommitOutcome::kStored);
    CHECK(row_of(f).verdict == LedgerVerdict::kGap);
  }
  CHECK(expired > 0);
}

TEST_CASE(
    "a moved batch is stored unless its origin holds the same; its number counts either way") {
  StoreFixture f;
  const Origin old;
  const Origin anew{old.agent, epoch_of(2)};
  REQUIRE(f.commit(lines(old, 1, 3)) == CommitOutcome::kStored);
  REQUIRE(f.commit(lines(old, 2, 4, "the other copy's ")) == CommitOutcome::kStored);
  CHECK(f.commit(moved(lines(old, 1, 3), anew.epoch, 1)) == CommitOutcome::kDuplicate);
  CHECK(f.commit(moved(lines(old, 2, 4), anew.epoch, 2)) == CommitOutcome::kStored);
  CHECK(f.commit(moved(lines(old, 3, 5), anew.epoch, 3)) == CommitOutcome::kStored);
  REQUIRE(f.commit(ledger_batch(anew, 1, 3, 12)) == CommitOutcome::kStored);
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(stored_lines(f) == 3 + 4 + 4 + 5);
    CHECK(contiguous(f, anew, Lane::kLogs) == 3);
    CHECK(row_of(f).verdict == LedgerVerdict::kBalanced);
    CHECK(f.commit(moved(lines(old, 1, 3), anew.epoch, 1)) == CommitOutcome::kDuplicate);
    f.reopen();
  }
  // What stayed behind of the third under its origin is the same content: not stored again.
  CHECK(f.commit(lines(old, 3, 5)) == CommitOutcome::kDuplicate);
  CHECK(contiguous(f, old, Lane::kLogs) == 3);
  CHECK(stored_lines(f) == 16);
  // The other copy's own third is other content: stored.
  StoreFixture g;
  REQUIRE(g.commit(moved(lines(old, 3, 5), anew.epoch, 1)) == CommitOutcome::kStored);
  CHECK(g.commit(lines(old, 3, 5, "other ")) == CommitOutcome::kStored);
  CHECK(stored_lines(g) == 10);
}

TEST_CASE("origin and copy in one group are stored once, in either order") {
  const Origin old;
  const Origin anew{old.agent, epoch_of(2)};
  for (const bool copy_first : {false, true}) {
    for (const Lane lane : {Lane::kLogs, Lane::kControl}) {
      StoreFixture f;
      wire::ControlBatch control;
      control.events.push_back(
          {.ts_ms = 1, .kind = "test", .target = "host", .message = "m", .attributes = {}});
      const auto original = lane == Lane::kLogs ? lines(old, 1, 3) : control_batch(old, 1, control);
      std::vector<wire::Batch> group{original, moved(original, anew.epoch, 1)};
      if (copy_first) std::swap(group[0], group[1]);
      const auto outcomes = f.store->writer().commit_all(group).value();
      CHECK(outcomes[0].value() == CommitOutcome::kStored);
      CHECK(outcomes[1].value() == CommitOutcome::kDuplicate);
      const auto events = f.store->reader().events({}).value().size();
      CHECK(stored_lines(f) + events == (lane == Lane::kLogs ? 3 : 1));
      CHECK(contiguous(f, old, lane) == 1);
      CHECK(contiguous(f, anew, lane) == 1);
    }
  }
}

TEST_CASE("a batch that is moved twice keeps its first origin, and is stored once") {
  StoreFixture f;
  const Origin first;
  const auto batch = lines(first, 9, 2);
  const auto second = moved(batch, epoch_of(2), 4);
  const auto third = moved(second, epoch_of(3), 1);
  CHECK(third.header.origin == wire::BatchOrigin{first.epoch, 9});
  CHECK(f.commit(second) == CommitOutcome::kStored);
  f.reopen();
  CHECK(f.commit(third) == CommitOutcome::kDuplicate);
  CHECK(f.commit(batch) == CommitOutcome::kDuplicate);
  CHECK(stored_lines(f) == 2);
}

TEST_CASE("the ledger of a moved batch speaks of other numbers and is not taken") {
  StoreFixture f;
  const Origin old;
  const Origin anew{old.agent, epoch_of(2)};
  REQUIRE(f.commit(lines(anew, 1, 2)) == CommitOutcome::kStored);
  REQUIRE(f.commit(moved(ledger_batch(old, 7, 500, 9000), anew.epoch, 1)) ==
          CommitOutcome::kStored);
  CHECK(f.store->reader().ledger(old.agent).value().empty());
  REQUIRE(f.commit(ledger_batch(anew, 2, 1, 2)) == CommitOutcome::kStored);
  CHECK(row_of(f).verdict == LedgerVerdict::kBalanced);
}

TEST_CASE("series of a moved batch are defined in the new epoch, also when its content is here") {
  StoreFixture f;
  const Origin old;
  const Origin anew{old.agent, epoch_of(2)};
  REQUIRE(f.commit(series_batch(old, 1, 1, 3)) == CommitOutcome::kStored);
  CHECK(f.commit(moved(series_batch(old, 1, 1, 3), anew.epoch, 1)) == CommitOutcome::kDuplicate);
  CHECK(f.commit(samples_batch(anew, 1, 1000, {1, 2, 3}, 1)) == CommitOutcome::kStored);
}

TEST_CASE("a hello is compared with what is stored") {
  StoreFixture f;
  const Origin origin;
  const auto hello_of = [&](std::uint64_t oldest, const std::vector<wire::Batch>& pending) {
    wire::Hello hello;
    hello.agent = origin.agent;
    hello.epoch = origin.epoch;
    hello.next_seq.fill(1);
    hello.oldest_seq.fill(1);
    hello.oldest_seq[2] = oldest;
    hello.next_seq[2] = oldest + pending.size();
    for (const auto& batch : pending)
      hello.pending[2].oldest.push_back(wire::content_tag(batch.body));
    return hello;
  };
  const auto compare = [&](const wire::Hello& hello) {
    return f.store->writer().compare(hello).value();
  };
  CHECK(compare(hello_of(1, {lines(origin, 1, 1)})).newest[2].seq == 0);

  for (std::uint64_t seq = 1; seq <= 3; ++seq)
    REQUIRE(f.commit(lines(origin, seq, 1)) == CommitOutcome::kStored);
  REQUIRE(f.commit(lines(origin, 5, 1)) == CommitOutcome::kStored);
  const auto same = compare(hello_of(
      2, {lines(origin, 2, 1), lines(origin, 3, 1), lines(origin, 4, 1), lines(origin, 5, 1)}));
  CHECK_FALSE(same.differs);
  CHECK(same.ahead[2] == 0);
  CHECK(same.newest[2] == wire::CommittedContent{5, wire::content_tag(lines(origin, 5, 1).body)});

  const auto older = compare(hello_of(2, {lines(origin, 2, 1)}));
  CHECK_FALSE(older.differs);
  CHECK(older.ahead[2] == 5);

  const auto other = compare(hello_of(2, {lines(origin, 2, 1), lines(origin, 3, 1, "other ")}));
  CHECK(other.differs);

  // A loss on either side says nothing about content.
  auto forgotten = hello_of(2, {lines(origin, 2, 1), lines(origin, 3, 1, "other ")});
  forgotten.pending[2].oldest[1] = {};
  CHECK_FALSE(compare(forgotten).differs);
  REQUIRE(f.commit(lost(origin, Lane::kLogs, 4, 1)) == CommitOutcome::kStored);
  CHECK_FALSE(compare(hello_of(4, {lines(origin, 4, 1)})).differs);
}
