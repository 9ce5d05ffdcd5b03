// What people see, within their tenant.
#include "controlplane/outlook/desk.h"

#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

outlook::Desk desk_of(OutlookFixture& f, bool is_running = true) {
  return {outlook::World{f.clock, f.repositories.agents, f.telemetry, f.repositories.alerts,
                         f.plans, f.store->predictions()},
          is_running ? f.ahead.get() : nullptr};
}
const TenantId kOther = TenantId::parse("other").value();

template <class T>
bool is_missing(const Result<T>& result) {
  return !result && result.error().code() == Errc::kNotFound;
}

TEST_CASE("a prediction and its incident are found by their ids, in their tenant") {
  OutlookFixture f;
  f.leak_until_foretold();
  auto desk = desk_of(f);
  const auto made = f.of()[0];
  const auto view = desk.show(f.home, model::prediction_id(made.no));
  REQUIRE(view);
  CHECK(view->prediction == made);
  CHECK(view->samples.back().ts_ms == made.newest.made_ms);
  const auto incident = desk.incident(f.home, model::incident_id(made.incident));
  REQUIRE(incident);
  CHECK(incident->title == "shop on web-01 runs out of memory");
  CHECK(is_missing(desk.show(kOther, model::prediction_id(made.no))));
  CHECK(is_missing(desk.incident(kOther, model::incident_id(made.incident))));
  for (const char* id : {"pr-0", "pr-99", "pr--1", "pr-1x", "in-1", "1", ""}) {
    CAPTURE(id);
    CHECK(is_missing(desk.show(f.home, id)));
  }
}

TEST_CASE("status: what is followed, what is too new to tell of, in one tenant") {
  OutlookFixture f;
  f.run(1, [](double) { return 0.2; });
  auto desk = desk_of(f);
  const auto status = desk.status(f.home).value();
  CHECK(status.is_running);
  CHECK(status.wanted.enabled);
  CHECK(status.followed ==
        std::map<std::string, std::uint64_t>{{"container_memory", 1}, {"host_memory", 1}});
  CHECK(status.cold_count == 2);
  REQUIRE(status.cold.size() == 2);
  CHECK(status.cold[0].missing_ms == status.cold[0].missing_steps * 60'000);
  CHECK(desk.status(kOther).value().followed.empty());
  CHECK(desk.status(kOther).value().cold.empty());
  CHECK_FALSE(desk_of(f, false).status(f.home).value().is_running);
}

TEST_CASE("the switch is audited when it is thrown, and only then") {
  OutlookFixture f;
  auto desk = desk_of(f);
  CHECK_FALSE(desk.set_enabled(f.home, "alice", false).value().wanted.enabled);
  CHECK(desk.set_enabled(f.home, "bob", false).value().wanted.by == "alice");
  CHECK(desk.status(kOther).value().wanted.enabled);
  CHECK(desk.set_enabled(f.home, "bob", true).value().wanted.enabled);
  const auto log = f.store->audit().list(0, 10).value();
  REQUIRE(log.size() == 2);
  CHECK(log[0].action == "predict.disable");
  CHECK(log[0].actor == "user:alice");
  CHECK(log[1].action == "predict.enable");
}

model::PredictionRecord closed(const OutlookFixture& f, PredictionState state, int number) {
  model::PredictionRecord out;
  out.tenant = f.home;
  out.resource = {f.web, number % 2 == 0 ? "disk" : "pids", "host", "/"};
  out.state = state;
  out.opened_ms = number * 10'000'000;
  out.closed_ms = out.opened_ms + 1'200'000;
  if (state == PredictionState::kHit) out.event_ms = out.closed_ms;
  if (state == PredictionState::kMiss) out.event_ms = out.closed_ms = out.opened_ms;
  out.first.made_ms = out.opened_ms;
  out.first.likely_ms = out.opened_ms + 1'500'000;
  return out;
}

TEST_CASE("accuracy: all together first, then each kind; by hand") {
  OutlookFixture f;
  using State = PredictionState;
  model::PredictionChange change;
  int number = 0;
  // disk: 2 hits, 1 false alarm, 1 unknown; pids: 1 hit, 1 miss, 1 prevented
  for (const auto state : {State::kHit, State::kHit, State::kHit, State::kMiss, State::kFalseAlarm,
                           State::kPrevented, State::kUnknown}) {
    change.steps.push_back({closed(f, state, number++), std::nullopt, {}});
  }
  REQUIRE(f.store->predictions().apply(change));
  auto desk = desk_of(f);
  const auto rows = desk.accuracy(f.home, {}, "").value();
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].kind.empty());
  CHECK(rows[0].hits == 3);
  CHECK(rows[0].precision == doctest::Approx(0.75));
  CHECK(rows[0].recall == doctest::Approx(0.75));
  CHECK(rows[0].lead_median_ms == 1'200'000);
  CHECK(rows[0].error_median_ms == 300'000);
  CHECK(rows[1].kind == "disk");
  CHECK(rows[1].hits == 2);
  CHECK(rows[1].unknown == 1);
  CHECK(rows[2].kind == "pids");
  CHECK(rows[2].recall == doctest::Approx(0.5));
  CHECK(rows[2].prevented == 1);
  CHECK(desk.accuracy(f.home, f.web, "pids").value().size() == 2);
  CHECK(desk.accuracy(f.home, AgentId::parse("web-02").value(), "").value()[0].hits == 0);
  CHECK(desk.accuracy(kOther, {}, "").value()[0].hits == 0);
}

TEST_CASE(
    "accuracy: a lead far beyond the horizon was no use, and dates are not mixed with forecasts") {
  OutlookFixture f;
  constexpr std::int64_t kMinute = 60'000;
  model::PredictionChange change;
  int number = 0;
  for (const std::int64_t lead : {10 * kMinute, 20 * kMinute, 90 * kMinute, 600 * kMinute}) {
    auto one = closed(f, PredictionState::kHit, 2 * number++);
    one.horizon_ms = 30 * kMinute;
    one.event_ms = one.closed_ms = one.opened_ms + lead;
    change.steps.push_back({one, std::nullopt, {}});
  }
  auto date = closed(f, PredictionState::kHit, 99);
  date.resource.kind = "certificate";
  date.horizon_ms = 30 * kMinute;
  date.event_ms = date.closed_ms = date.opened_ms + 14 * 24 * 60 * kMinute;
  change.steps.push_back({date, std::nullopt, {}});
  REQUIRE(f.store->predictions().apply(change));
  auto desk = desk_of(f);
  const auto rows = desk.accuracy(f.home, {}, "").value();
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].hits == 4);
  CHECK(rows[0].recall == doctest::Approx(1));
  CHECK(rows[0].useful_recall == doctest::Approx(0.5));
  CHECK(rows[0].lead_median_ms == 20 * kMinute);
  CHECK(rows[1].kind == "certificate");
  CHECK(rows[1].hits == 1);
  CHECK(rows[1].useful_recall == doctest::Approx(1));
  CHECK(rows[2].kind == "disk");
  CHECK(desk.accuracy(f.home, {}, "certificate").value()[0].hits == 1);
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
