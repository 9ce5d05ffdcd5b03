// One agent, hostile or only odd, stops no other host's predictions.
#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();

void put_lines_at(OutlookFixture& f, std::int64_t ts_ms) {
  for (const char* level : {"error", "other"}) {
    wire::SeriesDefinition definition;
    definition.target = f.container;
    definition.name = "observeai_log_lines_total";
    definition.labels = {{"level", level}};
    f.telemetry.put_point(f.web, definition, {ts_ms, 1});
  }
}

std::string disk_name(int number) {
  return "/disk" + std::to_string(number);
}

// A file system of the host that nobody saw before.
void put_disk(OutlookFixture& f, const AgentId& agent, int number) {
  const wire::Labels labels = {{"device", "/dev/sd" + std::to_string(number)},
                               {"fstype", "ext4"},
                               {"mountpoint", disk_name(number)}};
  for (const auto& [name, value] :
       std::vector<std::pair<const char*, double>>{{"node_filesystem_size_bytes", 10 * kGib},
                                                   {"node_filesystem_free_bytes", 5 * kGib},
                                                   {"node_filesystem_avail_bytes", 5 * kGib}}) {
    model::SeriesPoints series;
    series.info.agent = agent;
    series.info.definition.target = "host";
    series.info.definition.name = name;
    series.info.definition.labels = labels;
    series.points = {{f.host_now(), value}};
    f.telemetry.put_series(series);
  }
}

TEST_CASE("times at the end of all numbers are passed over, and what is sane is followed") {
  OutlookFixture f;
  put_lines_at(f, kLatest - 1'000'000);
  f.run(2, [](double) { return 0.3; });
  put_lines_at(f, kLatest - 5);
  f.leak_until_foretold();
}

TEST_CASE("a clock that was a year ahead for a moment hides nothing") {
  OutlookFixture f;
  f.host_ahead_ms = 365 * 86'400'000LL;
  put_lines_at(f, f.host_now());
  f.look();
  f.host_ahead_ms = 0;
  f.leak_until_foretold();
}

TEST_CASE("a gap with more samples than an answer may have is read in parts") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.2; });
  SUBCASE("that fit") {
    f.telemetry.refuse_ranges_above(60'000);
  }
  SUBCASE("of which none fits: it is passed over, and counted") {
    f.telemetry.refuse_ranges_above(0);
  }
  const auto before = f.ahead->counters();
  for (int i = 0; i < 30; ++i) {  // Nobody looks
    f.next_scrape();
    f.put_memory(0.2);
  }
  f.look();
  CHECK(f.ahead->counters().replays == before.replays + 1);
  CHECK(f.ahead->counters().replays_failed == before.replays_failed);
  const auto readings = f.ahead->counters().readings;
  f.next_scrape();
  f.put_memory(0.2);
  f.look();
  CHECK(f.ahead->counters().replays == before.replays + 1);  // Not again
  CHECK(f.ahead->counters().readings > readings);
}

TEST_CASE("no host takes the places of the others") {
  OutlookFixture f;
  const auto greedy = AgentId::parse("greedy-01").value();
  model::AgentRecord agent;
  agent.id = greedy;
  agent.tenant = f.home;
  agent.hostname = "greedy";
  agent.state = model::AgentState::kActive;
  f.repositories.agents.put(agent);
  const int most = static_cast<int>(outlook::kMaxFollowedOfHost);
  for (int i = 0; i < most + 10; ++i) put_disk(f, greedy, i);
  f.ahead->committed(greedy);
  f.ahead->look();
  CHECK(f.ahead->followed().size() == outlook::kMaxFollowedOfHost);
  CHECK(f.ahead->counters().resources_skipped == 10);
  const auto alerts = f.repositories.alerts.open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "predict.limit");
  CHECK(alerts[0].message.find("greedy-01") != std::string::npos);
  f.put_memory(0.2);
  f.look();
  CHECK(f.ahead->followed().size() == outlook::kMaxFollowedOfHost + 1);
}

TEST_CASE("a kill is seen however many events come after it") {
  OutlookFixture f;
  f.leak_until_foretold();
  f.event("container.oom", f.container);
  const auto killed_ms = f.host_now();
  wire::Event junk;
  junk.ts_ms = f.host_now();
  junk.kind = "logs.truncated";
  junk.target = f.container;
  f.telemetry.commit_events(f.web, std::vector<wire::Event>(outlook::kMostEventsAtOnce + 5, junk));
  f.look();
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kHit);
  CHECK(f.of()[0].event_ms == killed_ms);
}

TEST_CASE("more changes in one look than one transaction takes are all stored") {
  OutlookFixture f;
  f.run(5, [](double) { return 0.2; });
  const int kills = static_cast<int>(outlook::kMostChangesAtOnce) + 200;
  for (int i = 0; i < kills; ++i) {
    auto id = std::to_string(i);
    f.event("container.oom", "container/" + std::string(64 - id.size(), 'c') + id);
  }
  f.look();
  CHECK(f.of().size() == static_cast<std::size_t>(kills));
  CHECK(f.ahead->counters().changes_dropped == 0);
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
