#include "agent/app/metrics_loop.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/agent/app/loop_world.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

const std::string kContainer(64, 'c');

// A host without any sources: what is scraped is what the agent says of itself.
struct Fixture : test::LoopWorld {
  ScrapeSubjects subjects;
  std::unique_ptr<MetricsLoop> metrics;

  Fixture() {
    CommitUnit known;
    known.new_series = {{1, "container/" + kContainer, "x", {}, wire::MetricKind::kGauge}};
    REQUIRE(spool.commit(known));
    subjects.containers.emplace_back();
    subjects.containers[0].facts.id = kContainer;
    const auto series = spool.series().value();
    metrics = std::make_unique<MetricsLoop>(
        clock, pool, outbox, spool,
        std::make_shared<MetricsEngine>(MetricRoots{dir.path(), dir.path(), dir.path()},
                                        HostCalls::direct(), series, spool.next_series_id()),
        10s, [this] { return subjects; }, shedding);
    spawn(loop, "metrics", metrics->run());
    REQUIRE(loop.run_until([this] { return scrapes() == 1; }, 10s));
  }
  ~Fixture() { loop.shutdown(); }

  std::size_t scrapes() {
    return spool.read(wire::Lane::kMetrics, 0, 10'000, SIZE_MAX).value().size();
  }
  void scrape() {
    const auto before = scrapes();
    clock.advance(10s);
    REQUIRE(loop.run_until([&] { return scrapes() > before; }, 10s));
  }
  std::size_t definitions_sent(const std::string& name) {
    std::size_t count = 0;
    for (const auto& control : test::spooled_control(spool)) {
      for (const auto& series : control.series) count += series.name == name ? 1 : 0;
    }
    return count;
  }
  bool is_known(std::uint32_t id) {
    const auto series = spool.series().value();
    return std::any_of(series.begin(), series.end(), [id](const auto& s) { return s.id == id; });
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a scrape is stored once, also when series cannot be forgotten yet") {
  subjects.containers.clear();
  scrape();
  spool.fail_forgets = Error(Errc::kUnavailable, "no disk");
  subjects.self.push_back({"news", wire::MetricKind::kGauge, 1});
  scrape();  // Forgets the container's
  scrape();
  CHECK(definitions_sent("observeai_agent_news") == 1);
  CHECK(is_known(1));
  spool.fail_forgets.reset();
  scrape();
  CHECK_FALSE(is_known(1));
}
