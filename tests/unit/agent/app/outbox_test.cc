#include "tests/unit/agent/app/outbox_world.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

using Fixture = test::OutboxWorld;
using test::log_commit;
using test::noise;
using test::record;

}  // namespace

TEST_CASE("records, offsets and ledger become durable together") {
  Fixture f;
  REQUIRE(f.outbox.commit_logs(log_commit(3)));
  const auto logs = f.batches(wire::Lane::kLogs);
  REQUIRE(logs.size() == 1);
  CHECK(wire::decode_logs(logs[0].body, wire::Codec::kZstd)->records.size() == 3);
  CHECK(f.spool.checkpoints().value()[0].state == "at 3");
  const auto entry = f.ledger("log/container/a");
  CHECK(entry.records_read == 3);
  CHECK(entry.records_spooled == 3);
  CHECK(entry.bytes_read == 30);
  CHECK(entry.as_of_seq == 1);
  CHECK(f.grew == 1);
}

TEST_CASE("what a read tells is durable with the offsets behind it, and is told once") {
  Fixture f;
  const auto gap = [] {
    wire::Event event;
    event.kind = "logs.gap";
    return event;
  };
  LogCommit commit = log_commit(3);
  SUBCASE("beside records") {}
  SUBCASE("without any") {
    commit.records.clear();
  }
  commit.events.push_back(gap());
  const auto batches = commit.records.empty() ? 0U : 1U;

  // Nothing is told of what was rolled back.
  f.spool.fail_commits = Error(Errc::kUnavailable, "no disk");
  REQUIRE_FALSE(f.outbox.commit_logs(LogCommit(commit)));
  f.spool.fail_commits.reset();
  REQUIRE(f.outbox.flush());
  CHECK(f.event_kinds().empty());

  // A lane 0 that takes nothing by itself, and a process that is killed.
  f.spool.full_lanes = {wire::Lane::kControl};
  f.outbox.add_event({});
  CHECK_FALSE(f.outbox.flush());
  REQUIRE(f.outbox.commit_logs(LogCommit(commit)));
  CHECK(f.grew == 1);
  CHECK(f.spool.checkpoints().value()[0].state == "at 3");
  CHECK(f.batches(wire::Lane::kLogs).size() == batches);
  CHECK(f.ledger("log/container/a").as_of_seq == batches);
  Outbox again = Outbox::create(f.spool, f.clock, [] {}).value();
  f.spool.full_lanes.clear();
  REQUIRE(again.flush());
  CHECK(f.event_kinds() == std::vector<std::string>{"logs.gap"});
}

TEST_CASE("an event of a read that no message can hold does not stop its records") {
  Fixture f;
  LogCommit commit = log_commit(2);
  commit.events.resize(2);
  commit.events[0].kind = "huge";
  commit.events[0].message = noise(2 << 20);
  commit.events[1].kind = "small";
  REQUIRE(f.outbox.commit_logs(std::move(commit)));
  CHECK(f.ledger("log/container/a").records_spooled == 2);
  CHECK(f.outbox.control_dropped() == 1);
  REQUIRE(f.outbox.flush());
  CHECK(f.event_kinds() == std::vector<std::string>{"small", "control.dropped"});
}

TEST_CASE("what is too large for a message is split; the parts are the whole, in order") {
  Fixture f;
  LogCommit commit;
  for (int i = 0; i < 40; ++i)
    commit.records.push_back(record(
        "container/a", std::to_string(i) + noise(100'000, static_cast<std::uint64_t>(i) + 1)));
  REQUIRE(f.outbox.commit_logs(LogCommit(commit)));
  const auto logs = f.batches(wire::Lane::kLogs);
  CHECK(logs.size() > 1);
  std::vector<wire::LogRecord> back;
  std::uint32_t counted = 0;
  for (const auto& batch : logs) {
    auto part = wire::decode_logs(batch.body, wire::Codec::kZstd).value();
    counted += batch.header.n;
    back.insert(back.end(), part.records.begin(), part.records.end());
  }
  CHECK(back == commit.records);
  CHECK(counted == 40);
  CHECK(f.ledger("log/container/a").as_of_seq == logs.size());
}

TEST_CASE("a single line that fits no message is cut and marked, never dropped") {
  Fixture f;
  LogCommit commit;
  commit.records.push_back(record("container/a", noise(2 << 20)));
  REQUIRE(f.outbox.commit_logs(LogCommit(commit)));
  const auto part =
      wire::decode_logs(f.batches(wire::Lane::kLogs)[0].body, wire::Codec::kZstd).value();
  REQUIRE(part.records.size() == 1);
  CHECK((part.records[0].flags & wire::log_flags::kTruncated) != 0);
  CHECK(part.records[0].original_bytes == 2 << 20);
  CHECK(part.records[0].text.size() >= 64 << 10);
}

TEST_CASE("a large inventory is split into pieces that apply to the same whole") {
  Fixture f;
  wire::InventoryUpdate update;
  update.containers.full = true;
  for (int i = 0; i < 10'000; ++i) {
    wire::Container container;
    container.id = std::to_string(i);
    container.name = noise(300, static_cast<std::uint64_t>(i) + 1) + container.id;
    update.containers.upserts.push_back(container);
  }
  f.outbox.add_inventory(update);
  REQUIRE(f.outbox.flush());
  std::size_t upserts = 0;
  std::size_t full = 0;
  for (const auto& batch : f.batches(wire::Lane::kControl)) {
    CHECK(batch.body.size() < wire::kMaxSealedBytes);
    const auto control = wire::decode_control(batch.body, wire::Codec::kZstd).value();
    for (const auto& piece : control.inventory) {
      upserts += piece.containers.upserts.size();
      full += piece.containers.full ? 1 : 0;
    }
  }
  CHECK(upserts == 10'000);
  CHECK(full == 1);
}

TEST_CASE("waiting events are bounded and the loss is counted") {
  Fixture f;
  for (std::size_t i = 0; i < Outbox::kMaxWaiting + 5; ++i) f.outbox.add_event({});
  CHECK(f.outbox.control_dropped() == 5);
}

TEST_CASE("the ledger survives a restart of the agent and is reported when it changed") {
  Fixture f;
  REQUIRE(f.outbox.commit_logs(log_commit(3)));
  Outbox again = Outbox::create(f.spool, f.clock, [] {}).value();
  REQUIRE(again.commit_logs(log_commit(2)));
  CHECK(f.ledger("log/container/a").records_spooled == 5);
  again.report_ledger();
  REQUIRE(again.flush());
  const auto control = f.batches(wire::Lane::kControl);
  REQUIRE(control.size() == 1);
  const auto reported = wire::decode_control(control[0].body, wire::Codec::kZstd)->ledger;
  REQUIRE(reported.size() == 1);
  CHECK(reported[0].records_spooled == 5);
  again.report_ledger();
  REQUIRE(again.flush());
  CHECK(f.batches(wire::Lane::kControl).size() == 1);
}

TEST_CASE("containers with many labels are split by bytes, and stop nothing") {
  Fixture f;
  wire::InventoryUpdate update;
  update.containers.full = true;
  update.containers.removed = {"gone"};
  update.host.emplace();
  for (std::uint64_t i = 1; i <= 50; ++i) {
    wire::Container container;
    container.id = std::to_string(i);
    for (std::uint64_t label = 0; label < 64; ++label)
      container.labels.push_back({std::to_string(100 + label), noise(512, i * 100 + label)});
    update.containers.upserts.push_back(container);
  }
  f.outbox.add_inventory(update);
  REQUIRE(f.outbox.commit_logs(log_commit(1)));
  REQUIRE(f.outbox.flush());
  CHECK(f.outbox.control_dropped() == 0);
  const auto pieces = f.control().inventory;
  REQUIRE(pieces.size() > 1);
  std::vector<wire::Container> all;
  for (const auto& piece : pieces) {
    all.insert(all.end(), piece.containers.upserts.begin(), piece.containers.upserts.end());
    CHECK(piece.containers.full == (&piece == &pieces[0]));
    CHECK(piece.host.has_value() == (&piece == &pieces[0]));
  }
  CHECK(all == update.containers.upserts);
}

TEST_CASE("what no message can hold is dropped, counted and told; the rest goes on") {
  Fixture f;
  wire::Event huge;
  huge.kind = "huge";
  huge.message = noise(2 << 20);
  f.outbox.add_event(huge);
  wire::Event small;
  small.kind = "small";
  f.outbox.add_event(small);
  wire::Event wrong;
  wrong.kind = "wrong";
  wrong.attributes = {{"b", ""}, {"a", ""}};
  f.outbox.add_event(wrong);
  REQUIRE(f.outbox.flush());
  CHECK(f.outbox.control_dropped() == 2);
  REQUIRE(f.outbox.flush());
  CHECK(f.event_kinds() == std::vector<std::string>{"small", "control.dropped", "control.dropped"});

  LogCommit commit = log_commit(2);
  commit.records.push_back(record(noise(2 << 20), "its target is too long"));
  REQUIRE(f.outbox.commit_logs(LogCommit(commit)));
  CHECK(f.batches(wire::Lane::kLogs).size() == 2);  // Halved on the way to the culprit
  CHECK(f.ledger("log/container/a").records_spooled == 2);
  CHECK(f.ledger("log/" + commit.records[2].target).records_dropped.at("unencodable") == 1);

  const std::vector<wire::SeriesDefinition> unsorted{
      {1, "host", "x", {{"b", ""}, {"a", ""}}, wire::MetricKind::kGauge}};
  CHECK(f.outbox.commit_scrape({1000, {1}, {0.5}}, unsorted).error().code() == Errc::kInvalid);
  CHECK(f.batches(wire::Lane::kMetrics).empty());
  REQUIRE(f.outbox.commit_scrape({2000, {1}, {0.5}}, {}));
  CHECK(f.ledger("metrics").records_dropped.at("unencodable") == 1);
}

TEST_CASE("the ledger entry of a forgotten source leaves once its last report has arrived") {
  Fixture f;
  REQUIRE(f.outbox.commit_logs(log_commit(3)));
  LogCommit last;
  last.forgotten_sources = {"log/container/a"};
  REQUIRE(f.outbox.commit_logs(LogCommit(last)));
  const auto report = [](Outbox& outbox) {
    outbox.report_ledger();
    REQUIRE(outbox.flush());
  };
  SUBCASE("within one run") {
    report(f.outbox);
    report(f.outbox);
    CHECK(f.outbox.ledger_size() == 1);  // Not acknowledged yet
    f.acknowledge_all();
    report(f.outbox);
    CHECK(f.outbox.ledger_size() == 0);
  }
  SUBCASE("after a restart, which reports all of them again") {
    Outbox again = Outbox::create(f.spool, f.clock, [] {}).value();
    report(again);
    CHECK(f.control().ledger.size() == 1);
    f.acknowledge_all();
    report(again);
    CHECK(again.ledger_size() == 0);
  }
  CHECK(f.spool.ledger().value().empty());
}

TEST_CASE("each batch says how many records of which source are in it") {
  Fixture f;
  LogCommit logs = log_commit(2);
  logs.records.push_back(record("container/b", "x"));
  REQUIRE(f.outbox.commit_logs(std::move(logs)));
  REQUIRE(f.outbox.commit_scrape({1000, {1, 2}, {0.5, 1}}, {}));
  CHECK(f.spool.counts.at({wire::Lane::kLogs, 1}) ==
        std::vector<SourceCount>{{"log/container/a", 2, 12}, {"log/container/b", 1, 1}});
  CHECK(f.spool.counts.at({wire::Lane::kMetrics, 1}) ==
        std::vector<SourceCount>{{"metrics", 2, 0}});
}

TEST_CASE("what happened to the spool is an event") {
  Fixture f;
  f.spool.notices.push_back({77, "spool.evicted", wire::Severity::kError, "gone"});
  REQUIRE(f.outbox.flush());
  const auto events = f.control().events;
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == "spool.evicted");
  CHECK(events[0].ts_ms == 77);
  CHECK(events[0].severity == wire::Severity::kError);
  REQUIRE(f.outbox.flush());
  CHECK(f.control().events.size() == 1);
}

TEST_CASE("in a new epoch the ledger is the spool's, and definitions are sent again") {
  Fixture f;
  const std::vector<wire::SeriesDefinition> definitions{
      {1, "host", "node_load1", {}, wire::MetricKind::kGauge}};
  REQUIRE(f.outbox.commit_scrape({1000, {1}, {0.5}}, definitions));
  REQUIRE(f.outbox.commit_logs(log_commit(3)));
  LogCommit sampled = log_commit(2);
  sampled.counts[0].source = "log/container/b";
  sampled.counts[0].records_dropped = {{"sampled", 2}};
  sampled.records.clear();
  REQUIRE(f.outbox.commit_logs(std::move(sampled)));
  f.acknowledge_all();
  REQUIRE(f.spool.begin_epoch());
  REQUIRE(f.outbox.epoch_begun());
  CHECK(f.outbox.ledger_size() == 1);
  REQUIRE(f.outbox.commit_logs(log_commit(2)));
  REQUIRE(f.outbox.flush());
  CHECK(f.ledger("log/container/a").records_read == 2);
  const auto control = f.control();
  CHECK(control.series == definitions);
  // Told again, for what was told before was told of another epoch.
  REQUIRE(control.ledger.size() == 2);
  CHECK(control.ledger[1].source == "log/container/b");
  CHECK(control.ledger[1].records_read == 2);
  CHECK(control.ledger[1].records_dropped.at("sampled") == 2);
}
