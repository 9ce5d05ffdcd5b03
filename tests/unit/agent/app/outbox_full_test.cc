// While the spool takes nothing, or not everything.
#include "tests/unit/agent/app/outbox_world.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

using Fixture = test::OutboxWorld;
using test::log_commit;

}  // namespace

TEST_CASE("a full spool takes nothing, keeps everything, and says so once it can") {
  Fixture f(10);
  wire::Event event;
  event.kind = "container.start";
  f.outbox.add_event(event);
  const auto refused = f.outbox.commit_logs(log_commit(3));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kLimit);
  CHECK(f.outbox.spool_full());
  CHECK(f.spool.checkpoints().value().empty());
  CHECK(f.ledger("log/container/a").records_read == 0);
  CHECK(f.grew == 0);

  f.spool.bound = UINT64_MAX;
  f.clock.advance(FullPause::kAskEvery);
  REQUIRE(f.outbox.commit_logs(log_commit(3)));
  REQUIRE(f.outbox.flush());
  CHECK_FALSE(f.outbox.spool_full());
  CHECK(f.event_kinds() ==
        std::vector<std::string>{"container.start", "spool.full", "spool.recovered"});
}

TEST_CASE("while the spool is full it is asked in intervals, and what waits does not grow") {
  Fixture f;
  const std::vector<wire::SeriesDefinition> definitions{
      {1, "host", "node_load1", {}, wire::MetricKind::kGauge}};
  REQUIRE(f.outbox.commit_scrape({1000, {1}, {0.5}}, definitions));
  f.spool.bound = f.spool.state().bytes;
  const int before = f.spool.commits;
  for (int i = 0; i < 100; ++i) {
    f.outbox.report_ledger();
    f.outbox.resend_series();
    CHECK(f.outbox.flush().error().code() == Errc::kLimit);
    CHECK(f.outbox.commit_scrape({2000, {1}, {0.5}}, {}).error().code() == Errc::kLimit);
    CHECK(f.outbox.commit_logs(log_commit(3)).error().code() == Errc::kLimit);
  }
  CHECK(f.spool.commits == before + 3);  // Once each for control, metrics and logs
  CHECK_FALSE(f.outbox.takes_data());
  f.clock.advance(FullPause::kAskEvery);
  CHECK(f.outbox.takes_data());
  CHECK_FALSE(f.outbox.flush());
  CHECK(f.spool.commits == before + 4);

  // Room made by an acknowledgement is used at once.
  f.spool.bound = UINT64_MAX;
  f.acknowledge_all();
  REQUIRE(f.outbox.flush());
  const auto control = f.control();
  CHECK(control.series == definitions);
  REQUIRE(control.ledger.size() == 1);
  CHECK(control.ledger[0].records_dropped.at("spool_full") == 100);
}

TEST_CASE("one update of the inventory waits, and says so") {
  Fixture f(0);
  wire::InventoryUpdate update;
  update.host.emplace();
  f.outbox.add_inventory(update);
  CHECK_FALSE(f.outbox.flush());
  CHECK(f.outbox.inventory_waits());
  f.spool.bound = UINT64_MAX;
  f.clock.advance(FullPause::kAskEvery);
  REQUIRE(f.outbox.flush());
  CHECK_FALSE(f.outbox.inventory_waits());
}

TEST_CASE("a refused scrape is counted as dropped and does not enter the next balance twice") {
  Fixture f;
  const std::vector<wire::SeriesDefinition> definitions{
      {1, "host", "node_load1", {}, wire::MetricKind::kGauge}};
  REQUIRE(f.outbox.commit_scrape({1000, {1}, {0.5}}, definitions));
  CHECK(f.spool.series().value().size() == 1);
  const auto entry = f.ledger("metrics");
  CHECK(entry.records_spooled == 1);
  CHECK(entry.as_of_seq == 1);
  const auto control = f.batches(wire::Lane::kControl);
  REQUIRE(control.size() == 1);
  CHECK(wire::decode_control(control[0].body, wire::Codec::kZstd)->series == definitions);

  Fixture full(10);
  CHECK_FALSE(full.outbox.commit_scrape({1000, {1}, {0.5}}, definitions));
  CHECK_FALSE(full.outbox.commit_scrape({2000, {1}, {0.5}}, definitions));
  CHECK(full.spool.series().value().empty());
}

TEST_CASE("what was dropped of scrapes outlives the process, and is not told before it does") {
  Fixture f(10);
  const auto dropped = [&f] {
    const auto entry = f.ledger("metrics");
    CHECK(entry.records_read == entry.records_spooled + entry.records_dropped.size());
    return entry.records_dropped;
  };
  CHECK_FALSE(f.outbox.commit_scrape({1000, {1}, {0.5}}, {}));
  CHECK(dropped() == std::map<std::string, std::uint64_t>{{"spool_full", 1}});
  // A disk that takes nothing at all.
  f.spool.bound = UINT64_MAX;
  f.clock.advance(FullPause::kAskEvery);
  f.spool.fail_commits = Error(Errc::kUnavailable, "no disk");
  CHECK_FALSE(f.outbox.commit_scrape({2000, {1}, {0.5}}, {}));
  CHECK(dropped().size() == 1);
  f.outbox.report_ledger();
  CHECK_FALSE(f.outbox.flush());
  f.spool.fail_commits.reset();
  REQUIRE(f.outbox.flush());
  CHECK(dropped() == std::map<std::string, std::uint64_t>{{"spool_error", 1}, {"spool_full", 1}});
  const auto told = f.control().ledger;
  REQUIRE(told.size() == 1);
  CHECK(told[0].records_dropped == dropped());
  Outbox again = Outbox::create(f.spool, f.clock, [] {}).value();
  REQUIRE(again.commit_scrape({3000, {1}, {0.5}}, {}));
  CHECK(dropped().size() == 2);
}

TEST_CASE("a spool that takes no more logs still takes metrics and control") {
  Fixture f;
  f.spool.full_lanes = {wire::Lane::kLogs};
  CHECK(f.outbox.commit_logs(log_commit(3)).error().code() == Errc::kLimit);
  CHECK_FALSE(f.outbox.takes_data());
  REQUIRE(f.outbox.commit_scrape({1000, {1}, {0.5}}, {}));
  wire::Event event;
  event.kind = "container.start";
  f.outbox.add_event(event);
  REQUIRE(f.outbox.flush());
  CHECK(f.outbox.spool_full());
  CHECK(f.event_kinds() == std::vector<std::string>{"spool.full", "container.start"});
  CHECK(f.ledger("metrics").records_dropped.empty());

  // An event goes in beside logs that do not: that says nothing about them.
  for (int round = 0; round < 3; ++round) {
    f.clock.advance(FullPause::kAskEvery);
    LogCommit told;
    told.events.push_back(event);
    REQUIRE(f.outbox.commit_logs(std::move(told)));
    CHECK(f.outbox.commit_logs(log_commit(3)).error().code() == Errc::kLimit);
    REQUIRE(f.outbox.flush());
  }
  CHECK(f.outbox.spool_full());
  CHECK(f.event_kinds() == std::vector<std::string>{"spool.full", "container.start",
                                                    "container.start", "container.start",
                                                    "container.start"});

  f.spool.full_lanes.clear();
  f.clock.advance(FullPause::kAskEvery);
  REQUIRE(f.outbox.commit_logs(log_commit(3)));
  CHECK_FALSE(f.outbox.spool_full());
  REQUIRE(f.outbox.flush());
  CHECK(f.event_kinds().back() == "spool.recovered");
}
