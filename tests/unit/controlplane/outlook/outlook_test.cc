// From samples to predictions and to every verdict there is.
#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

TEST_CASE("a leak is foretold, kept up to date, and hit by the kill") {
  OutlookFixture f;
  const double from = f.leak_until_foretold();
  const auto opened = f.of().at(0);
  CHECK(opened.state == PredictionState::kOpen);
  CHECK(opened.first.p > 0);
  CHECK(opened.first.likely_ms > f.clock.unix_ms());
  CHECK(opened.name == "shop");
  CHECK(opened.unit == "bytes");
  REQUIRE_FALSE(opened.suggestions.empty());
  CHECK(opened.suggestions[0].action == "docker.restart");
  CHECK(opened.incident > 0);
  CHECK(f.store->predictions().samples(opened.no).value().size() > 10);

  double last = 0;
  f.run(
      100, [&](double minute) { return last = std::min(0.998, from + 0.01 * minute); },
      [&] { return last >= 0.998; });
  f.event("container.oom", f.container);
  f.look();
  // Its memory has not fallen yet, and the kernel tells of it too: the same kill.
  const auto killed_ms = f.clock.unix_ms();
  f.run(0.5, [](double) { return 0.998; });
  f.event("oom.kill", f.container, {{"constraint", "limit"}});
  f.look();
  const auto all = f.of();
  REQUIRE(all.size() == 1);
  CHECK(all[0].no == opened.no);
  CHECK(all[0].state == PredictionState::kHit);
  CHECK(all[0].event_ms == killed_ms);
  CHECK(model::lead_ms(all[0]) == killed_ms - opened.opened_ms);
  CHECK(all[0].newest.made_ms > all[0].first.made_ms);
  CHECK(all[0].first == opened.first);
  CHECK(f.store->predictions().find_incident(all[0].incident).value()->outcome == "hit");
}

TEST_CASE("a kill that nothing announced is a miss, told once, and counts for what was stated") {
  OutlookFixture f;
  f.run(120, [](double) { return 0.3; });
  f.event("oom.kill", f.container, {{"constraint", "limit"}});
  f.look();
  f.event("container.oom", f.container);
  f.look();
  f.look();
  const auto all = f.of();
  REQUIRE(all.size() == 1);
  CHECK(all[0].state == PredictionState::kMiss);
  CHECK(all[0].opened_ms == all[0].event_ms);
  CHECK(all[0].incident == 0);
  const auto sums = f.ahead->calibration()[{f.web, "container_memory"}];
  CHECK(sums.happened() == 1);
  CHECK(sums.count() > 1);  // The quiet horizons before
}

TEST_CASE("a container that nobody has followed yet can be killed too: a miss") {
  OutlookFixture f;
  f.run(5, [](double) { return -1.0; });
  f.event("container.oom", "container/" + std::string(64, 'b'));
  f.look();
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kMiss);
}

TEST_CASE("what turns around by itself and stays low for a horizon was a false alarm") {
  OutlookFixture f;
  const double from = f.leak_until_foretold();
  f.run(
      90, [&](double) { return from / 2; }, f.is_closed());
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kFalseAlarm);
  CHECK(f.of()[0].closed_ms - f.of()[0].opened_ms >= 30 * 60'000);
}

model::Attempt attempt_of(const OutlookFixture& f, model::TargetState state) {
  return {"docker.restart",  f.web,
          "container/shop",  state,
          f.clock.unix_ms(), wire::PlanId::parse("p-7").value()};
}

TEST_CASE("a restart by plan prevents it, and what would have come is kept") {
  OutlookFixture f;
  const double from = f.leak_until_foretold();
  const auto opened = f.of()[0];
  f.plans.all = {attempt_of(f, model::TargetState::kDispatched)};
  f.look();
  f.plans.all = {attempt_of(f, model::TargetState::kSucceeded)};
  f.started_ms = f.clock.unix_ms();
  f.run(
      20, [](double) { return 0.1; }, f.is_closed());
  REQUIRE(f.of().size() == 1);
  const auto closed = f.of()[0];
  CHECK(closed.state == PredictionState::kPrevented);
  CHECK(closed.acted == "plan p-7: docker.restart");
  CHECK(closed.before_action.likely_ms > closed.acted_ms);
  CHECK(closed.before_action.used == doctest::Approx(from * f.limit));
  CHECK(closed.no == opened.no);
}

TEST_CASE("a plan that the host refused prevents nothing") {
  OutlookFixture f;
  const double from = f.leak_until_foretold();
  f.plans.all = {attempt_of(f, model::TargetState::kDispatched)};
  f.look();
  f.plans.all = {attempt_of(f, model::TargetState::kRefused)};
  f.run(
      90, [&](double) { return from / 2; }, f.is_closed());
  CHECK(f.of()[0].state == PredictionState::kFalseAlarm);
  CHECK(f.of()[0].before_action.made_ms == 0);
}

TEST_CASE("a plan on another container of the host prevents nothing") {
  OutlookFixture f;
  f.leak_until_foretold();
  auto other = attempt_of(f, model::TargetState::kSucceeded);
  other.target = "container/cache";
  f.plans.all = {other};
  f.started_ms = f.clock.unix_ms();
  f.run(
      20, [](double) { return 0.1; }, f.is_closed());
  CHECK(f.of()[0].state == PredictionState::kUnknown);  // Restarted by somebody
}

TEST_CASE("a limit that a person raises prevents it") {
  OutlookFixture f;
  const double from = f.leak_until_foretold();
  const double used = from * f.limit;
  f.limit = 8 * kGib;
  f.run(
      40, [&](double) { return used / f.limit; }, f.is_closed());
  REQUIRE_FALSE(f.has_open());
  CHECK(f.of()[0].state == PredictionState::kPrevented);
  CHECK(f.of()[0].acted == "the limit was raised");
  CHECK(f.of()[0].before_action.limit == kGib);
}

TEST_CASE("a container replaced under the same name: the old one's prediction ends as unknown") {
  OutlookFixture f;
  f.leak_until_foretold();
  f.container = "container/" + std::string(64, 'c');
  f.put_inventory();
  f.run(
      10, [](double) { return 0.1; }, f.is_closed());
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kUnknown);
  CHECK(f.of()[0].reason == "the target went away before its time");
}

TEST_CASE("no data for a horizon: nobody knows") {
  OutlookFixture f;
  f.leak_until_foretold();
  for (int i = 0; i < 29; ++i) {
    f.clock.advance(std::chrono::minutes(1));
    f.ahead->look();
  }
  CHECK(f.has_open());
  f.clock.advance(std::chrono::minutes(2));
  f.ahead->look();
  CHECK_FALSE(f.has_open());
  CHECK(f.of()[0].state == PredictionState::kUnknown);
}

TEST_CASE("a program that ends with an error while it was foretold to is a hit, a stop is not") {
  OutlookFixture f;
  const double from = f.leak_until_foretold();
  f.run((0.92 - from) / 0.01, [&](double minute) { return from + 0.01 * minute; });
  f.event("container.exit", f.container, {{"exit_code", "143"}});
  f.look();
  CHECK(f.has_open());
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.of()[0].state == PredictionState::kHit);
}

TEST_CASE("a disk that fills is a hit when it is full, and full once") {
  OutlookFixture f;
  const auto fill = [&](double share) {
    const wire::Labels labels = {
        {"device", "/dev/sdb1"}, {"fstype", "ext4"}, {"mountpoint", "/data"}};
    f.next_scrape();
    f.put_host();
    f.put("host", "node_filesystem_size_bytes", 1e12, labels);
    f.put("host", "node_filesystem_free_bytes", 1e12 * (1 - share), labels);
    f.put("host", "node_filesystem_avail_bytes", 1e12 * (1 - share), labels);
    f.look();
  };
  double share = 0.3;
  for (int i = 0; i < 360; ++i) fill(share);
  while (share < 1) fill(share += 0.01 / 6);
  fill(1);
  for (int i = 0; i < 60; ++i) fill(1);
  const auto all = f.of("disk");
  REQUIRE(all.size() == 1);
  CHECK(all[0].state == PredictionState::kHit);
  CHECK(all[0].resource.instance == "/data");
  CHECK(all[0].suggestions.at(0).action == "disk.vacuum_files");
}

TEST_CASE("a certificate is foretold by its date, and prevented by a new one") {
  OutlookFixture f;
  constexpr double kDayS = 86'400;
  double begin_s = static_cast<double>(f.clock.unix_ms()) / 1'000 - 80 * kDayS;
  const auto scrape = [&] {
    f.next_scrape();
    f.put_host();
    f.put("host", "x509_cert_not_before", begin_s, {{"filepath", "/etc/tls.pem"}});
    f.put("host", "x509_cert_not_after", begin_s + 90 * kDayS, {{"filepath", "/etc/tls.pem"}});
    f.look();
  };
  scrape();
  REQUIRE(f.of("certificate").size() == 1);
  const auto end_ms = static_cast<double>(f.of("certificate")[0].first.likely_ms);
  CHECK(end_ms == doctest::Approx((begin_s + 90 * kDayS) * 1'000));
  begin_s += 80 * kDayS;
  for (int i = 0; i < 60; ++i) scrape();
  CHECK(f.of("certificate")[0].state == PredictionState::kPrevented);
  CHECK(f.of("certificate")[0].acted == "it was renewed");
}

TEST_CASE("a host whose clock is wrong by hours is foretold in its own time") {
  for (const std::int64_t ahead_ms : {-7'200'000, 7'200'000}) {
    OutlookFixture f;
    f.host_ahead_ms = ahead_ms;
    f.leak_until_foretold();
    f.plans.all = {attempt_of(f, model::TargetState::kSucceeded)};
    f.started_ms = f.host_now();
    f.run(
        20, [](double) { return 0.1; }, f.is_closed());
    CHECK(f.of()[0].state == PredictionState::kPrevented);
    f.run(60, [](double) { return 0.1; });
    f.event("container.oom", f.container);
    f.look();
    CHECK(f.of()[0].state == PredictionState::kMiss);
  }
}

TEST_CASE("a tenant that wants no predictions gets none, and its open ones end") {
  OutlookFixture f;
  f.leak_until_foretold();
  REQUIRE(f.store->predictions().set_prediction_switch(f.home, {false, "alice", 1}, {}));
  f.look();
  CHECK_FALSE(f.has_open());
  CHECK(f.of()[0].state == PredictionState::kUnknown);
  CHECK(f.ahead->followed().empty());
  f.event("container.oom", f.container);
  f.run(30, [](double minute) { return std::min(0.99, 0.5 + 0.02 * minute); });
  CHECK(f.of().size() == 1);
  REQUIRE(f.store->predictions().set_prediction_switch(f.home, {true, "alice", 2}, {}));
  f.run(2, [](double) { return 0.2; });
  CHECK_FALSE(f.ahead->followed().empty());
}

TEST_CASE("a store that cannot be read is asked again, and nothing is lost by it") {
  OutlookFixture f;
  f.leak_until_foretold();
  f.telemetry.fail_with(Error(Errc::kUnavailable, "away"));
  f.look();
  f.look();
  CHECK(f.has_open());
  f.telemetry.fail_with(std::nullopt);
  f.event("container.oom", f.container);
  f.look();
  CHECK(f.of()[0].state == PredictionState::kHit);
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
