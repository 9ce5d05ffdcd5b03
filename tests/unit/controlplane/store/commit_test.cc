#include <random>
#include <set>
#include <thread>

#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

using Contiguous = std::array<std::uint64_t, wire::kLaneCount>;

Contiguous contiguous(StoreFixture& f, const Origin& origin = {}) {
  return f.store->writer().contiguous(origin.agent, origin.epoch).value();
}

wire::Batch one_line(const Origin& origin, std::uint64_t seq, const std::string& text) {
  return logs_batch(origin, seq,
                    {record_of("container/x", 1000 + static_cast<std::int64_t>(seq), text)});
}

}  // namespace

TEST_CASE("a batch is stored once; the same again is a duplicate, another is a conflict") {
  StoreFixture f;
  const Origin origin;
  wire::ControlBatch control;
  control.events.push_back({1, "agent.start", "host", wire::Severity::kInfo, "hi", {}});
  wire::ControlBatch other = control;
  other.events[0].message = "ho";
  for (int restart = 0; restart < 2; ++restart) {
    const bool first_time = restart == 0;
    const auto stored = first_time ? CommitOutcome::kStored : CommitOutcome::kDuplicate;
    CHECK(f.commit(control_batch(origin, 1, control)) == stored);
    CHECK(f.commit(one_line(origin, 1, "a")) == stored);
    CHECK(f.commit(control_batch(origin, 1, control)) == CommitOutcome::kDuplicate);
    CHECK(f.commit(one_line(origin, 1, "a")) == CommitOutcome::kDuplicate);
    CHECK(f.commit(control_batch(origin, 1, other)) == CommitOutcome::kConflict);
    CHECK(f.commit(one_line(origin, 1, "b")) == CommitOutcome::kConflict);
    CHECK(contiguous(f) == Contiguous{1, 0, 1, 0});
    CHECK(f.store->reader().events({}).value().size() == 1);
    CHECK(texts_of(f.store->reader().logs({}).value()) == std::vector<std::string>{"a"});
    f.reopen();
  }
}

TEST_CASE("another epoch or another agent has its own numbers") {
  StoreFixture f;
  const Origin first;
  const Origin second{first.agent, epoch_of(2)};
  const Origin third{agent_id("web-02"), first.epoch};
  CHECK(f.commit(one_line(first, 1, "a")) == CommitOutcome::kStored);
  CHECK(f.commit(one_line(second, 1, "b")) == CommitOutcome::kStored);
  CHECK(f.commit(one_line(third, 1, "c")) == CommitOutcome::kStored);
  CHECK(contiguous(f, second)[2] == 1);
  CHECK(contiguous(f, {agent_id("nobody"), first.epoch}) == Contiguous{});
}

TEST_CASE("samples of unknown series wait for their definition") {
  StoreFixture f;
  const Origin origin;
  CHECK(f.commit(samples_batch(origin, 1, 1000, {1, 2}, 5)) == CommitOutcome::kNeedSeries);
  CHECK(contiguous(f)[1] == 0);
  CHECK(f.store->writer().series_known(origin.agent, origin.epoch).value() == 0);
  CHECK(f.commit(series_batch(origin, 1, 1, 1)) == CommitOutcome::kStored);
  CHECK(f.commit(samples_batch(origin, 1, 1000, {1, 2}, 5)) == CommitOutcome::kNeedSeries);
  CHECK(f.commit(series_batch(origin, 2, 2, 1)) == CommitOutcome::kStored);
  CHECK(f.commit(samples_batch(origin, 1, 1000, {1, 2}, 5)) == CommitOutcome::kStored);
  CHECK(f.store->writer().series_known(origin.agent, origin.epoch).value() == 2);
  f.reopen();
  CHECK(f.commit(samples_batch(origin, 2, 2000, {1, 2}, 5)) == CommitOutcome::kStored);
  CHECK(f.commit(samples_batch(origin, 3, 2000, {3}, 5)) == CommitOutcome::kNeedSeries);
}

TEST_CASE("a series number that comes again under another name keeps the first, with an alert") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(series_batch(origin, 1, 1, 2)) == CommitOutcome::kStored);
  REQUIRE(f.commit(series_batch(origin, 2, 1, 2)) == CommitOutcome::kStored);
  CHECK(f.store->alerts().open().value().empty());
  REQUIRE(f.commit(series_batch(origin, 3, 2, 1, "container/x")) == CommitOutcome::kStored);
  const auto alerts = f.store->alerts().open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "series.redefined");
  CHECK(f.store->reader().series(origin.agent, "host").value().size() == 2);
}

TEST_CASE(
    "a group: one bad batch does not hurt the others, definitions serve samples beside them") {
  StoreFixture f;
  const Origin origin;
  wire::ControlBatch poison;
  poison.ledger.push_back({"metrics", Lane::kMetrics, UINT64_MAX, 1, 1, 1, {}, {}});
  std::vector<wire::Batch> group{samples_batch(origin, 1, 1000, {1}, 5),
                                 one_line(origin, 1, "a"),
                                 batch_of(origin, Lane::kLogs, 2, 1, "not a body"),
                                 control_batch({agent_id("bad"), origin.epoch}, 1, poison),
                                 series_batch(origin, 1, 1, 1),
                                 one_line(origin, 1, "a"),
                                 one_line(origin, 1, "other"),
                                 one_line(origin, 0, "no number"),
                                 batch_of(origin, Lane::kTraces, 1, 1, "")};
  const auto outcomes = f.store->writer().commit_all(group).value();
  REQUIRE(outcomes.size() == group.size());
  CHECK(outcomes[0].value() == CommitOutcome::kStored);
  CHECK(outcomes[1].value() == CommitOutcome::kStored);
  CHECK(outcomes[2].error().code() == Errc::kCorrupt);
  CHECK(outcomes[3].error().code() == Errc::kCorrupt);
  CHECK(outcomes[4].value() == CommitOutcome::kStored);
  CHECK(outcomes[5].value() == CommitOutcome::kDuplicate);
  CHECK(outcomes[6].value() == CommitOutcome::kConflict);
  CHECK(outcomes[7].error().code() == Errc::kCorrupt);
  CHECK(outcomes[8].error().code() == Errc::kInvalid);
  CHECK(contiguous(f) == Contiguous{1, 1, 1, 0});
  CHECK(contiguous(f, {agent_id("bad"), origin.epoch})[0] == 0);
}

TEST_CASE("listeners hear of what was stored, after the commit, with the event ids") {
  StoreFixture f;
  const Origin origin;
  std::vector<std::uint64_t> ids;
  int logs = 0;
  f.store->writer().on_committed([&](const model::Committed& committed) {
    CHECK(committed.agent == origin.agent);
    CHECK((committed.control != nullptr) + (committed.samples != nullptr) +
              (committed.logs != nullptr) ==
          1);
    if (committed.logs != nullptr) {
      logs += static_cast<int>(committed.logs->records.size());
      CHECK(f.store->reader().logs({}).value().size() == 1);  // Visible already
    }
    ids.insert(ids.end(), committed.event_ids.begin(), committed.event_ids.end());
  });
  wire::ControlBatch control;
  control.events.resize(2, {1, "agent.start", "host", wire::Severity::kInfo, "", {}});
  REQUIRE(f.commit(control_batch(origin, 1, control)) == CommitOutcome::kStored);
  REQUIRE(f.commit(control_batch(origin, 1, control)) == CommitOutcome::kDuplicate);
  REQUIRE(f.commit(one_line(origin, 1, "a")) == CommitOutcome::kStored);
  REQUIRE(f.commit(one_line(origin, 1, "b")) == CommitOutcome::kConflict);
  CHECK(ids == std::vector<std::uint64_t>{1, 2});
  CHECK(logs == 1);
}

TEST_CASE("any order, any repetition, with restarts and new partitions: as a simple model says") {
  StoreFixture f;
  f.options.partition_length_ms = 1000;
  f.reopen();
  std::mt19937_64 random(42);
  struct Stream {
    Origin origin;
    Lane lane;
    std::map<std::uint64_t, std::string> stored;  // seq -> content
  };
  std::vector<Stream> streams;
  for (std::uint8_t i = 1; i <= 3; ++i) {
    for (const auto lane : {Lane::kControl, Lane::kLogs}) {
      streams.push_back({{agent_id("agent-" + std::to_string(i % 2)), epoch_of(i)}, lane, {}});
    }
  }
  std::size_t events = 0;
  std::size_t lines = 0;
  for (int step = 0; step < 1500; ++step) {
    Stream& stream = streams[random() % streams.size()];
    const std::uint64_t seq = 1 + random() % 60;
    const std::string content = random() % 10 == 0 ? "changed" : "content " + std::to_string(seq);
    wire::ControlBatch control;
    control.events.push_back({1, "k", "host", wire::Severity::kInfo, content, {}});
    const auto batch = stream.lane == Lane::kControl ? control_batch(stream.origin, seq, control)
                                                     : one_line(stream.origin, seq, content);
    const auto before = stream.stored.find(seq);
    auto wanted = CommitOutcome::kStored;
    if (before != stream.stored.end()) {
      wanted = before->second == content ? CommitOutcome::kDuplicate : CommitOutcome::kConflict;
    } else {
      stream.stored[seq] = content;
      ++(stream.lane == Lane::kControl ? events : lines);
    }
    REQUIRE(f.commit(batch) == wanted);
    if (random() % 20 == 0) f.clock.advance(std::chrono::milliseconds(700));
    if (random() % 100 == 0) f.reopen();
    std::uint64_t expected = 0;
    while (stream.stored.contains(expected + 1)) ++expected;
    REQUIRE(contiguous(f, stream.origin)[static_cast<std::size_t>(stream.lane)] == expected);
  }
  model::LogQuery all_lines;
  all_lines.limit = 10'000;
  CHECK(f.store->reader().logs(all_lines).value().size() == lines);
  model::EventQuery all_events;
  all_events.limit = 10'000;
  CHECK(f.store->reader().events(all_events).value().size() == events);
  CHECK(f.store->counters().partitions > 10);
}

TEST_CASE("readers and a committing thread do not disturb each other") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(series_batch(origin, 1, 1, 10)) == CommitOutcome::kStored);
  std::atomic<bool> stop = false;
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&] {
        std::size_t seen = 0;
        while (!stop) {
          const auto rows = f.store->reader().logs({});
          const auto series = f.store->reader().series(origin.agent, "host");
          if (!rows || rows->size() < seen || !series || series->size() != 10) ++failures;
          if (rows) seen = rows->size();
        }
      });
    }
    for (std::uint64_t seq = 1; seq <= 100; ++seq) {
      CHECK(f.commit(one_line(origin, seq, "x")) == CommitOutcome::kStored);
      CHECK(f.commit(samples_batch(origin, seq, 1000, {1, 2, 3}, 1)) == CommitOutcome::kStored);
    }
    stop = true;
  }
  CHECK(failures == 0);
}
