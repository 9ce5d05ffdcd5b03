// Prints how long the usual things take; asserts only that they work.
#include <chrono>

#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

double milliseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

constexpr std::uint32_t kSeries = 3000;
constexpr int kScrapes = 360;  // One hour at 10 s

}  // namespace

TEST_CASE("times of the usual work (printed, not judged)") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(series_batch(origin, 1, 1, kSeries)) == CommitOutcome::kStored);
  std::vector<std::uint32_t> ids;
  for (std::uint32_t id = 1; id <= kSeries; ++id) ids.push_back(id);
  std::vector<wire::Batch> scrapes;
  for (int i = 0; i < kScrapes; ++i) {
    wire::SampleBatch samples;
    wire::Scrape scrape{f.clock.unix_ms() + i * 10'000, ids, {}};
    for (const auto id : ids) scrape.values.push_back(id * 1000.0 + i * (id % 7));
    samples.scrapes.push_back(std::move(scrape));
    scrapes.push_back(batch_of(origin, Lane::kMetrics, static_cast<std::uint64_t>(i) + 1, kSeries,
                               wire::encode_samples(samples).value()));
  }
  const double commit_ms = milliseconds_of([&] {
    for (const auto& scrape : scrapes) CHECK(f.commit(scrape) == CommitOutcome::kStored);
  });
  MESSAGE("commit of one scrape of 3000 series: " << commit_ms / kScrapes << " ms");

  model::SeriesQuery points;
  points.agent = origin.agent;
  points.target = "host";
  points.name = "metric_1500";
  const double points_ms = milliseconds_of([&] {
    const auto answer = f.store->reader().points(points).value();
    REQUIRE(answer.size() == 1);
    CHECK(answer[0].points.size() == kScrapes);
  });
  MESSAGE("one hour of one series of 3000: " << points_ms << " ms");

  // Twenty containers, a batch of 500 lines each second.
  std::uint64_t seq = 0;
  std::vector<wire::Batch> logs;
  for (int second = 0; second < 3600; second += 4) {
    std::vector<wire::LogRecord> records;
    for (int i = 0; i < 500; ++i) {
      records.push_back(
          record_of("container/" + std::to_string(i % 20), f.clock.unix_ms() + second * 1000 + i,
                    "GET /index.html 200 " + std::to_string(i * 7919 % 1000) + " us"));
    }
    logs.push_back(logs_batch(origin, ++seq, records));
  }
  const double logs_commit_ms = milliseconds_of([&] {
    const auto outcomes = f.store->writer().commit_all(logs).value();
    for (const auto& outcome : outcomes) CHECK(outcome.value() == CommitOutcome::kStored);
  });
  MESSAGE("450,000 log lines in 900 batches: " << logs_commit_ms << " ms");
  model::LogQuery query;
  query.agent = origin.agent;
  query.target = "container/7";
  const double newest_ms =
      milliseconds_of([&] { CHECK(f.store->reader().logs(query).value().size() == 1000); });
  MESSAGE("the newest 1000 lines of one container: " << newest_ms << " ms");
  query.limit = 100'000;
  const double hour_ms =
      milliseconds_of([&] { CHECK(f.store->reader().logs(query).value().size() == 22'500); });
  MESSAGE("one hour of one container, 22,500 lines: " << hour_ms << " ms");
  const double open_ms = milliseconds_of([&] { f.reopen(); });
  MESSAGE("start with this hour: " << open_ms << " ms");
}
