#include <cmath>

#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

using Texts = std::vector<std::string>;

Texts ask(StoreFixture& f, const model::LogQuery& query) {
  return texts_of(f.store->reader().logs(query).value());
}

}  // namespace

TEST_CASE("logs come by time, then by arrival; the limit keeps the wanted end") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(logs_batch(origin, 1,
                              {record_of("t", 30, "c"), record_of("t", 10, "a"),
                               record_of("t", 20, "b1")})) == CommitOutcome::kStored);
  f.clock.advance(std::chrono::hours(2));
  REQUIRE(f.commit(logs_batch(origin, 2,
                              {record_of("t", 20, "b2"), record_of("t", 20, "b3"),
                               record_of("t", 5, "backlog")})) == CommitOutcome::kStored);
  model::LogQuery query;
  CHECK(ask(f, query) == Texts{"backlog", "a", "b1", "b2", "b3", "c"});
  query.limit = 3;
  CHECK(ask(f, query) == Texts{"b2", "b3", "c"});
  query.newest = false;
  CHECK(ask(f, query) == Texts{"backlog", "a", "b1"});
  query.limit = 4;
  CHECK(ask(f, query) == Texts{"backlog", "a", "b1", "b2"});
  query.limit = 0;
  CHECK(ask(f, query).empty());
}

TEST_CASE("rows after a position: all that arrived later, older times and equal times included") {
  StoreFixture f;
  const Origin first;
  const Origin second{agent_id("web-02"), epoch_of(1)};
  std::vector<model::LogPosition> heard;
  f.store->writer().on_committed(
      [&](const model::Committed& committed) { heard.push_back(committed.first_log); });
  REQUIRE(f.commit(logs_batch(first, 1, {record_of("t", 30, "a"), record_of("t", 30, "b")})) ==
          CommitOutcome::kStored);
  REQUIRE(f.commit(logs_batch(second, 1, {record_of("t", 10, "late")})) == CommitOutcome::kStored);
  f.clock.advance(std::chrono::hours(1));
  REQUIRE(f.commit(logs_batch(first, 2, {record_of("t", 30, "c"), record_of("u", 5, "d")})) ==
          CommitOutcome::kStored);
  const auto rows = f.store->reader().logs({}).value();
  REQUIRE(texts_of(rows) == Texts{"d", "late", "a", "b", "c"});
  REQUIRE(heard.size() == 3);
  CHECK(rows[2].position == heard[0]);
  CHECK(rows[1].position == heard[1]);
  CHECK(rows[4].position == heard[2]);
  CHECK(rows[0].position.index == 1);
  CHECK((heard[0] < rows[3].position && rows[3].position < heard[1] && heard[1] < heard[2]));

  model::LogQuery query;
  query.after = rows[2].position;
  CHECK(ask(f, query) == Texts{"d", "late", "b", "c"});
  query.after = heard[1];
  CHECK(ask(f, query) == Texts{"d", "c"});
  query.target = "u";
  query.after = heard[2];
  CHECK(ask(f, query) == Texts{"d"});
  f.reopen();
  CHECK(ask(f, query) == Texts{"d"});
  query.after = rows[0].position;
  CHECK(ask(f, query).empty());
}

TEST_CASE("log filters: agent, target, time, text, stream") {
  StoreFixture f;
  const Origin first;
  const Origin second{agent_id("web-02"), epoch_of(1)};
  auto error = record_of("container/a", 20, "connection REFUSED");
  error.stream = wire::LogStream::kStderr;
  REQUIRE(f.commit(logs_batch(first, 1,
                              {record_of("container/a", 10, "start"), error,
                               record_of("container/b", 20, "other")})) == CommitOutcome::kStored);
  REQUIRE(f.commit(logs_batch(second, 1, {record_of("container/a", 15, "elsewhere")})) ==
          CommitOutcome::kStored);
  model::LogQuery query;
  query.target = "container/a";
  CHECK(ask(f, query) == Texts{"start", "elsewhere", "connection REFUSED"});
  query.agent = first.agent;
  const auto rows = f.store->reader().logs(query).value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[1].agent == first.agent);
  CHECK(rows[1].record == error);
  query.grep = "REFUSED";
  CHECK(ask(f, query) == Texts{"connection REFUSED"});
  query.grep = "refused";
  CHECK(ask(f, query).empty());
  query.grep.clear();
  query.stream = wire::LogStream::kStdout;
  CHECK(ask(f, query) == Texts{"start"});
  query.stream.reset();
  query.range = {10, 20};  // The end is not included.
  CHECK(ask(f, query) == Texts{"start"});
  query.range = {11, 21};
  CHECK(ask(f, query) == Texts{"connection REFUSED"});
  query.target = "container/none";
  CHECK(ask(f, query).empty());
  query.agent = agent_id("nobody");
  CHECK(ask(f, query).empty());
}

TEST_CASE(
    "the newest lines of many chunks and partitions, as a full sort by time and arrival gives "
    "them") {
  StoreFixture f;
  const Origin origin;
  std::vector<std::pair<std::int64_t, std::string>> all;
  for (std::uint64_t seq = 1; seq <= 60; ++seq) {
    std::vector<wire::LogRecord> records;
    for (int i = 0; i < 5; ++i) {
      const std::int64_t ts =
          static_cast<std::int64_t>((seq * 7919 + static_cast<std::uint64_t>(i) * 131) % 40);
      const std::string text = std::to_string(ts) + " " + std::to_string(all.size());
      records.push_back(record_of("t", ts, text));
      all.emplace_back(ts, text);
    }
    REQUIRE(f.commit(logs_batch(origin, seq, records)) == CommitOutcome::kStored);
    if (seq % 20 == 0) f.clock.advance(std::chrono::hours(1));
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Texts sorted;
  for (const auto& [ts, text] : all) sorted.push_back(text);
  for (const std::size_t limit : {1U, 7U, 100U, 299U, 300U, 1000U}) {
    model::LogQuery query;
    query.limit = limit;
    const std::size_t count = std::min(limit, sorted.size());
    CHECK(ask(f, query) == Texts(sorted.end() - static_cast<std::ptrdiff_t>(count), sorted.end()));
    query.newest = false;
    CHECK(ask(f, query) ==
          Texts(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count)));
  }
}

TEST_CASE("points: raw, by step, by label, over partitions, epochs and restarts") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(series_batch(origin, 1, 1, 3)) == CommitOutcome::kStored);
  for (std::uint64_t seq = 1; seq <= 6; ++seq) {
    REQUIRE(f.commit(samples_batch(origin, seq, static_cast<std::int64_t>(seq) * 10, {1, 3},
                                   static_cast<double>(seq))) == CommitOutcome::kStored);
    f.clock.advance(std::chrono::minutes(25));
  }
  model::SeriesQuery query;
  query.agent = origin.agent;
  query.target = "host";
  query.name = "metric_3";
  auto series = f.store->reader().points(query).value();
  REQUIRE(series.size() == 1);
  CHECK(series[0].info.definition.id == 3);
  CHECK(series[0].info.last_value == 6);
  REQUIRE(series[0].points.size() == 6);
  CHECK(series[0].points[0].ts_ms == 10);
  CHECK(series[0].points[5].value == 6);

  query.range = {20, 50};
  query.step_ms = 20;
  series = f.store->reader().points(query).value();
  REQUIRE(series[0].points.size() == 2);  // 20 and 30 fall into one step; 40 stands alone.
  CHECK(series[0].points[0].ts_ms == 30);
  CHECK(series[0].points[0].value == 3);
  CHECK(series[0].points[1].ts_ms == 40);

  // A new epoch goes on with the same series under another number.
  const Origin next{origin.agent, epoch_of(2)};
  wire::ControlBatch control;
  control.series.push_back({1, "host", "metric_3", {{"cpu", "3"}}, wire::MetricKind::kGauge});
  REQUIRE(f.commit(control_batch(next, 1, control)) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(next, 1, 70, {1}, 7)) == CommitOutcome::kStored);
  f.reopen();
  query.range = {};
  query.step_ms = 0;
  series = f.store->reader().points(query).value();
  REQUIRE(series.size() == 1);
  CHECK(series[0].points.size() == 7);
  CHECK(series[0].info.last_value == 7);
  CHECK(series[0].info.last_ts_ms == 70);

  query.name.clear();
  CHECK(f.store->reader().points(query).value().size() == 3);
  query.labels = {{"cpu", "2"}};
  series = f.store->reader().points(query).value();
  REQUIRE(series.size() == 1);
  CHECK(series[0].points.empty());
  CHECK(std::isnan(series[0].info.last_value));
  query.labels = {{"cpu", "9"}};
  CHECK(f.store->reader().points(query).value().empty());
}

TEST_CASE("the list of series shows the newest values, NaN for stale, also after a restart") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(series_batch(origin, 1, 1, 3)) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(origin, 1, 20, {1, 2}, 5)) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(origin, 2, 30, {2}, std::nan(""))) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(origin, 3, 10, {1, 2}, 1)) ==
          CommitOutcome::kStored);  // Backlog: older
  for (int restart = 0; restart < 2; ++restart) {
    const auto series = f.store->reader().series(origin.agent, "host").value();
    REQUIRE(series.size() == 3);
    CHECK(series[0].last_value == 5);
    CHECK(series[0].last_ts_ms == 20);
    CHECK(std::isnan(series[1].last_value));
    CHECK(series[1].last_ts_ms == 30);
    CHECK(series[2].last_ts_ms == 0);  // Never
    f.reopen();
  }
  CHECK(f.store->reader().series(origin.agent, "container/x").value().empty());
}

TEST_CASE("too many points are refused with advice") {
  StoreFixture f;
  const Origin origin;
  wire::ControlBatch control;
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 1; id <= 2000; ++id) {
    control.series.push_back({id, "host", "m" + std::to_string(id), {}, wire::MetricKind::kGauge});
    ids.push_back(id);
  }
  REQUIRE(f.commit(control_batch(origin, 1, control)) == CommitOutcome::kStored);
  std::uint64_t seq = 0;
  for (int batch = 0; batch < 11; ++batch) {
    wire::SampleBatch samples;
    for (int i = 0; i < 100; ++i) {
      samples.scrapes.push_back({batch * 1000 + i, ids, std::vector<double>(ids.size(), 0)});
    }
    REQUIRE(f.commit(batch_of(origin, Lane::kMetrics, ++seq, 1,
                              wire::encode_samples(samples).value())) == CommitOutcome::kStored);
  }
  model::SeriesQuery query;
  query.agent = origin.agent;
  query.target = "host";
  const auto refused = f.store->reader().points(query);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kLimit);
  query.step_ms = 1000;
  CHECK(f.store->reader().points(query).value().size() == 2000);
}

TEST_CASE("events: filters, order of arrival, the newest at the limit, following by id") {
  StoreFixture f;
  const Origin first;
  const Origin second{agent_id("web-02"), epoch_of(1)};
  wire::ControlBatch control;
  control.events = {{300,
                     "container.start",
                     "container/a",
                     wire::Severity::kInfo,
                     "m",
                     {{"image", "x"}, {"k", ""}}},
                    {100, "container.oom", "container/a", wire::Severity::kCritical, "", {}},
                    {200, "host.oom", "host", wire::Severity::kError, "", {}}};
  REQUIRE(f.commit(control_batch(first, 1, control)) == CommitOutcome::kStored);
  REQUIRE(f.commit(control_batch(second, 1, control)) == CommitOutcome::kStored);
  auto& reader = f.store->reader();
  model::EventQuery query;
  auto rows = reader.events(query).value();
  REQUIRE(rows.size() == 6);
  CHECK(rows[0].id < rows[1].id);
  CHECK(rows[0].event == control.events[0]);
  CHECK(rows[5].agent == second.agent);
  query.limit = 2;
  rows = reader.events(query).value();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].id == 5);
  query = {};
  query.after_id = 4;
  CHECK(reader.events(query).value().size() == 2);
  query = {};
  query.agent = first.agent;
  CHECK(reader.events(query).value().size() == 3);
  query.kind_prefix = "container.";
  CHECK(reader.events(query).value().size() == 2);
  query.range = {100, 300};
  CHECK(reader.events(query).value().size() == 1);
  query = {};
  query.target = "host";
  CHECK(reader.events(query).value().size() == 2);
}

TEST_CASE(
    "the latest samples by name: two of each series, in any order of arrival, after a restart") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(series_batch(origin, 1, 1, 3)) == CommitOutcome::kStored);
  REQUIRE(f.commit(series_batch(origin, 2, 4, 1, "container/a")) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(origin, 1, 30, {1, 4}, 3)) == CommitOutcome::kStored);
  REQUIRE(f.commit(samples_batch(origin, 2, 10, {1, 2}, 1)) == CommitOutcome::kStored);  // Backlog
  REQUIRE(f.commit(samples_batch(origin, 3, 20, {1}, 2)) == CommitOutcome::kStored);
  const std::vector<std::string> names{"metric_1", "metric_2", "metric_3", "metric_4"};
  for (int restart = 0; restart < 2; ++restart) {
    auto& reader = f.store->reader();
    const auto host = reader.latest(origin.agent, "host", names).value();
    REQUIRE(host.size() == 3);
    CHECK(host[0].info.definition.name == "metric_1");
    REQUIRE(host[0].points.size() == 2);
    CHECK(host[0].points[0].ts_ms == 20);
    CHECK(host[0].points[0].value == 2);
    CHECK(host[0].points[1].ts_ms == 30);
    CHECK(host[0].points[1].value == 3);
    REQUIRE(host[1].points.size() == 1);
    CHECK(host[1].points[0].value == 1);
    CHECK(host[2].points.empty());
    CHECK(reader.latest(origin.agent, "", names).value().size() == 4);
    CHECK(reader.latest(origin.agent, "host", {"metric_2"}).value().size() == 1);
    CHECK(reader.latest(agent_id("nobody"), "host", names).value().empty());
    f.reopen();
  }
}
