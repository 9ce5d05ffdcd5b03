// New epochs, batches carried for lane 0, and the layout before segments.
#include "agent/spool/aside.h"
#include "agent/spool/context.h"
#include "agent/spool/state_values.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "tests/support/fault_vfs.h"
#include "tests/unit/agent/spool/spool_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using wire::Lane;

namespace {

CommitUnit scrape(std::uint32_t series, const std::string& body, std::uint64_t records) {
  CommitUnit unit;
  unit.batches = {batch_of(Lane::kControl, "define " + std::to_string(series)),
                  counted_batch(Lane::kMetrics, body, records)};
  unit.new_series = {{series, "host", "name" + std::to_string(series), {}, {}}};
  wire::LedgerEntry entry;
  entry.source = "source";
  entry.lane = Lane::kMetrics;
  entry.records_read = entry.records_spooled = 1'000 + series;
  unit.ledger = {entry};
  return unit;
}

}  // namespace

TEST_CASE("a new epoch: numbers from 1, origins, series stay, the ledger is what is pending") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  const Epoch first = spool->state().epoch;
  for (std::uint32_t i = 1; i <= 5; ++i)
    REQUIRE(spool->commit(scrape(i, "m" + std::to_string(i), i)));
  CommitUnit logs = unit_of(Lane::kLogs, "l");
  logs.checkpoints = {{"file", "7"}};
  REQUIRE(spool->commit(logs));
  REQUIRE(spool->set_fact("agent", "me"));
  REQUIRE(spool->acknowledge({1, 2, 1, 0}));
  REQUIRE(spool->begin_epoch());
  const auto check = [&] {
    const auto& state = spool->state();
    CHECK(state.epoch != first);
    CHECK(state.oldest_seq == std::array<std::uint64_t, 4>{1, 1, 1, 1});
    CHECK(state.next_seq == std::array<std::uint64_t, 4>{5, 4, 1, 1});
    const auto metrics = all_batches(*spool, Lane::kMetrics);
    REQUIRE(metrics.size() == 3);
    for (std::uint64_t i = 0; i < 3; ++i) {
      CHECK(metrics[i].body == "m" + std::to_string(i + 3));
      CHECK(metrics[i].header.seq == i + 1);
      CHECK(metrics[i].header.epoch == state.epoch);
      CHECK(metrics[i].header.origin == wire::BatchOrigin{first, i + 3});
    }
    const auto control = all_batches(*spool, Lane::kControl);
    REQUIRE(control.size() == 4);
    CHECK(control[0].body == "define 2");
    CHECK(control[0].header.origin == wire::BatchOrigin{first, 2});
    CHECK(spool->series().value().size() == 5);
    CHECK(spool->next_series_id() == 6);
    CHECK(spool->checkpoints().value().at(0).state == "7");
    CHECK(spool->fact("agent").value() == std::optional<std::string>("me"));
    const auto ledger = spool->ledger().value();
    REQUIRE(ledger.size() == 1);
    CHECK(ledger[0].records_read == 3 + 4 + 5);
    CHECK(ledger[0].records_spooled == 3 + 4 + 5);
    CHECK(ledger[0].as_of_seq == 3);
  };
  check();
  spool.reset();
  spool = open_spool(dir.path());
  check();

  // A second copy of a copy: the first origin stays, what is of the epoch between has its own.
  const Epoch second = spool->state().epoch;
  CHECK(spool->commit(scrape(6, "m6", 6)).value() == std::vector<std::uint64_t>{5, 4});
  REQUIRE(spool->acknowledge({0, 1, 0, 0}));
  REQUIRE(spool->begin_epoch());
  spool.reset();
  spool = open_spool(dir.path());
  const auto metrics = all_batches(*spool, Lane::kMetrics);
  REQUIRE(metrics.size() == 3);
  CHECK(metrics[0].header.origin == wire::BatchOrigin{first, 4});
  CHECK(metrics[2].header.origin == wire::BatchOrigin{second, 4});
  CHECK(metrics[2].body == "m6");
  REQUIRE(spool->acknowledge(all_of(spool->state())));
  CHECK(spool->commit(unit_of(Lane::kMetrics, "x")).value() == std::vector<std::uint64_t>{4});
  CHECK_FALSE(all_batches(*spool, Lane::kMetrics).at(0).header.origin);
}

TEST_CASE("a new epoch forgets nothing that was dropped: read = pending + dropped") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  wire::LedgerEntry metrics;
  metrics.source = "source";
  metrics.lane = Lane::kMetrics;
  wire::LedgerEntry dropped = metrics;  // Nothing of it is pending
  dropped.source = "dropped";
  dropped.lane = Lane::kLogs;
  dropped.records_read = 3;
  dropped.records_dropped = {{"sampled", 2}, {"unreadable", 1}};
  wire::LedgerEntry lost = dropped;
  lost.source = "lost";
  lost.records_read = 0;
  lost.records_dropped.clear();
  lost.bytes_dropped = {{"late_write", 9}};
  wire::LedgerEntry sent = dropped;  // Nothing of it is left
  sent.source = "sent";
  sent.records_dropped.clear();
  CommitUnit unit;
  unit.ledger = {dropped, lost, sent};
  REQUIRE(spool->commit(unit));
  unit.batches = {counted_batch(Lane::kMetrics, "m", 4)};
  unit.ledger = {metrics};
  unit.ledger[0].records_read = 4 + 7;
  unit.ledger[0].records_spooled = 4;
  unit.ledger[0].records_dropped = {{"spool_full", 7}};
  REQUIRE(spool->commit(unit));
  const auto check = [&](std::uint64_t pending) {
    const auto ledger = spool->ledger().value();
    REQUIRE(ledger.size() == 3);
    CHECK(ledger[0] == dropped);
    CHECK(ledger[1] == lost);
    CHECK(ledger[2].source == "source");
    CHECK(ledger[2].records_read == pending + 7);
    CHECK(ledger[2].records_spooled == pending);
    CHECK(ledger[2].records_dropped == unit.ledger[0].records_dropped);
    CHECK(ledger[2].as_of_seq == (pending == 0 ? 0 : 1));
  };
  REQUIRE(spool->begin_epoch());
  check(4);
  REQUIRE(spool->acknowledge({0, 1, 0, 0}));
  REQUIRE(spool->begin_epoch());
  check(0);
  spool.reset();
  spool = open_spool(dir.path());
  check(0);
}

TEST_CASE("many epochs: an origin is known as long as its batch is pending, and not longer") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  ManualClock clock;
  auto spool = Spool::open(dir.path(), limits_of(64U << 20), clock).value();
  const Epoch first = spool->state().epoch;
  const auto forks_kept = [&] {
    spool.reset();
    auto newest =
        Segment::open(segments_of(dir.path(), Lane::kControl).back(), SegmentOptions()).value();
    const auto state = newest.state().value();
    return unpack_forks(state.rows.at(forks_key())).value().size();
  };
  REQUIRE(spool->commit(unit_of(Lane::kLogs, "from the first epoch")));
  for (int epoch = 1; epoch <= 20; ++epoch) {
    REQUIRE(spool->commit(unit_of(Lane::kMetrics, "m")));
    REQUIRE(spool->acknowledge({0, 1, 0, 0}));
    REQUIRE(spool->begin_epoch());
  }
  CHECK(forks_kept() == 20);
  spool = Spool::open(dir.path(), limits_of(64U << 20), clock).value();
  CHECK(all_batches(*spool, Lane::kLogs).at(0).header.origin == wire::BatchOrigin{first, 1});
  REQUIRE(spool->acknowledge(all_of(spool->state())));
  for (int epoch = 1; epoch <= 20; ++epoch) {
    clock.advance(std::chrono::minutes(1));
    REQUIRE(spool->commit(unit_of(Lane::kLogs, "l")));
    REQUIRE(spool->acknowledge(all_of(spool->state())));
    REQUIRE(spool->begin_epoch());
  }
  CHECK(forks_kept() <= 3);
  spool = Spool::open(dir.path(), limits_of(64U << 20), clock).value();
  CHECK(spool->take_notices().empty());
}

TEST_CASE("a unit's batches are of one data lane, and so is its state") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  CommitUnit two = unit_of(Lane::kLogs, "x");
  two.batches.push_back(batch_of(Lane::kMetrics, "y"));
  CHECK(spool->commit(two).error().code() == Errc::kInvalid);
  CommitUnit foreign = unit_of(Lane::kMetrics, "x");
  foreign.checkpoints = {{"a", "1"}};
  CHECK(spool->commit(foreign).error().code() == Errc::kInvalid);
  CHECK(spool->state().next_seq == std::array<std::uint64_t, 4>{1, 1, 1, 1});
  CommitUnit forgets = unit_of(Lane::kControl, "x");
  forgets.forgotten_ledger = {{"source", Lane::kLogs}};
  CHECK(spool->commit(forgets));
}

TEST_CASE("a batch of lane 0 goes with checkpoints that no batch of logs goes with") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  CommitUnit unit = unit_of(Lane::kControl, "a gap");
  unit.checkpoints = {{"file", "behind the gap"}};
  SUBCASE("in a lane that is yet to begin") {}
  SUBCASE("behind others") {
    REQUIRE(spool->commit(unit_of(Lane::kLogs, "l")));
    REQUIRE(spool->commit(unit_of(Lane::kControl, "c")));
  }
  const auto next = spool->state().next_seq;
  const auto given = spool->commit(unit);
  REQUIRE(given);
  CHECK(*given == std::vector<std::uint64_t>{next[0]});
  for (int restart = 0; restart < 2; ++restart) {
    CHECK(all_batches(*spool, Lane::kControl).back().body == "a gap");
    CHECK(spool->checkpoints().value().at(0).state == "behind the gap");
    CHECK(spool->state().next_seq ==
          std::array<std::uint64_t, 4>{next[0] + 1, next[1], next[2], 1});
    spool.reset();
    spool = open_spool(dir.path());
  }
  CommitUnit two = unit_of(Lane::kControl, "x");
  two.checkpoints = unit.checkpoints;
  two.new_series = {{1, "host", "name", {}, {}}};
  CHECK(spool->commit(two).error().code() == Errc::kInvalid);
}

TEST_CASE("a lane of logs that only carries for lane 0 gives its disk space back") {
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(8U << 20));
  for (int i = 0; i < 400; ++i) {
    CommitUnit unit =
        unit_of(Lane::kControl, "gap " + std::to_string(i) + std::string(50'000, 'g'));
    unit.checkpoints = {{"file", "behind gap " + std::to_string(i)}};
    REQUIRE(spool->commit(unit));
    REQUIRE(spool->acknowledge({spool->state().next_seq[0] - 1, 0, 0, 0}));
  }
  CHECK(spool->state().disk_bytes < 4U << 20);
  spool.reset();
  spool = open_spool(dir.path(), limits_of(8U << 20));
  CHECK(spool->checkpoints().value().at(0).state == "behind gap 399");
}

TEST_CASE("a series id is not given twice, also when the segment that knew it is gone") {
  test::TempDir dir;
  {
    auto spool = open_spool(dir.path());
    REQUIRE(spool->commit(scrape(5'000, "m", 1)));
    CHECK(spool->next_series_id() == 5'001);
  }
  REQUIRE(std::filesystem::remove(segments_of(dir.path(), Lane::kMetrics).at(0)));
  CHECK(open_spool(dir.path())->next_series_id() >= 5'001);
}

TEST_CASE("the earlier version's spool is taken over in its place") {
  test::TempDir dir;
  std::filesystem::copy_file(OBSERVEAI_TEST_DATA "/agent/spool_v1/spool.db", dir / "spool.db");
  for (int restart = 0; restart < 2; ++restart) {
    auto spool = open_spool(dir.path());
    CHECK(text::to_hex(spool->state().epoch.bytes) == "ece9b82530621eeddac071c68b74cc24");
    CHECK(spool->state().oldest_seq == std::array<std::uint64_t, 4>{3, 6, 8, 1});
    CHECK(spool->state().next_seq == std::array<std::uint64_t, 4>{6, 6, 21, 1});
    CHECK(spool->next_series_id() == 6);
    CHECK(spool->series().value().size() == 4);
    CHECK(spool->checkpoints().value().at(0).state == "at 60");
    CHECK(spool->fact("agent").value() == std::optional<std::string>("agent-one"));
    const auto ledger = spool->ledger().value();
    REQUIRE(ledger.size() == 2);
    CHECK(ledger[0].records_spooled == 60);
    CHECK(ledger[1].records_spooled == 10);
    const auto logs = all_batches(*spool, Lane::kLogs);
    REQUIRE(logs.size() == 13);
    CHECK(logs[0].header.seq == 8);
    CHECK(logs[0].header.n == 3);
    CHECK(logs[0].body == "logs 8" + std::string(50, '.'));
    CHECK(logs[12].body == "logs 20" + std::string(6'000, '.'));
    CHECK_FALSE(logs[0].header.origin);
    CHECK(all_batches(*spool, Lane::kControl).at(0).body == "control 3");
  }
  auto spool = open_spool(dir.path());
  CHECK(spool->commit(unit_of(Lane::kLogs, "new")).value() == std::vector<std::uint64_t>{21});
  CHECK(all_batches(*spool, Lane::kLogs).back().body == "new");
  REQUIRE(spool->acknowledge({2, 0, 20, 0}));
  CHECK(files::exists(dir / "spool.db"));
  REQUIRE(spool->acknowledge({5, 5, 20, 0}));
  CHECK_FALSE(files::exists(dir / "spool.db"));
  spool.reset();
  spool = open_spool(dir.path());
  CHECK(spool->take_notices().empty());
  CHECK(all_batches(*spool, Lane::kLogs).at(0).header.seq == 21);
}

TEST_CASE("a damaged spool of the earlier version is put aside") {
  test::TempDir dir;
  std::filesystem::copy_file(OBSERVEAI_TEST_DATA "/agent/spool_v1/spool.db", dir / "spool.db");
  overwrite(dir / "spool.db", 0, 4096);
  auto spool = open_spool(dir.path());
  CHECK(notice_kinds(*spool) == std::vector<std::string>{"spool.quarantined"});
  CHECK(spool->state().next_seq == std::array<std::uint64_t, 4>{1, 1, 1, 1});
  CHECK(files::exists(dir / "spool.aside-1/spool.db"));
}

TEST_CASE("a whole spool is put aside for another identity") {
  test::TempDir dir;
  auto spool = open_spool(dir.path());
  const Epoch epoch = spool->state().epoch;
  REQUIRE(spool->commit(unit_of(Lane::kLogs, "x")));
  spool.reset();
  const auto folder = quarantine_spool(dir.path()).value();
  CHECK(files::exists(folder + "/manifest"));
  spool = open_spool(dir.path());
  CHECK(spool->take_notices().empty());
  CHECK(spool->state().epoch != epoch);
  CHECK(all_batches(*spool, Lane::kLogs).empty());
}
