// Programs that end: by a plan, by what was foretold, by something else.
#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

model::Attempt restart_of(const OutlookFixture& f, model::TargetState state) {
  return {"docker.restart",  f.web,
          "container/shop",  state,
          f.clock.unix_ms(), wire::PlanId::parse("p-7").value()};
}

// Foretold, and 93 % of the limit used by now.
void leak_to_the_brim(OutlookFixture& f) {
  const double from = f.leak_until_foretold();
  f.run((0.93 - from) / 0.01, [&](double minute) { return from + 0.01 * minute; });
  REQUIRE(f.has_open());
}

TEST_CASE("a program that a plan stops may end with an error: prevented") {
  for (const bool is_verifying : {false, true}) {
    OutlookFixture f;
    leak_to_the_brim(f);
    f.plans.all = {restart_of(f, model::TargetState::kDispatched)};
    f.look();
    if (is_verifying) f.plans.all = {restart_of(f, model::TargetState::kVerifying)};
    f.event("container.exit", f.container, {{"exit_code", "1"}});
    f.look();
    CHECK(f.has_open());
    f.plans.all = {restart_of(f, model::TargetState::kSucceeded)};
    f.started_ms = f.clock.unix_ms();
    f.run(
        20, [](double) { return 0.1; }, f.is_closed());
    REQUIRE(f.of().size() == 1);
    CHECK(f.of()[0].state == PredictionState::kPrevented);
  }
}

TEST_CASE("a program that ends with an error long after a plan did something ends by itself") {
  OutlookFixture f;
  const double from = f.leak_until_foretold();
  f.plans.all = {restart_of(f, model::TargetState::kSucceeded)};
  f.run((0.93 - from) / 0.01, [&](double minute) { return from + 0.01 * minute; });
  REQUIRE(f.has_open());
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.of()[0].state == PredictionState::kHit);
}

TEST_CASE("an end with an error far from the limit is not what was foretold") {
  OutlookFixture f;
  CHECK(f.leak_until_foretold() < 0.85);
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.has_open());
  f.started_ms = f.clock.unix_ms();
  f.run(
      5, [](double) { return 0.1; }, f.is_closed());
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kUnknown);
  CHECK(f.of()[0].reason == "it began anew before its time, by nobody's plan");
}

TEST_CASE("an end at the brim is what was foretold, also when it is told after the restart") {
  OutlookFixture f;
  leak_to_the_brim(f);
  const auto ended_ms = f.host_now();
  f.started_ms = ended_ms + 3'000;
  f.run(1.0 / 6, [](double) { return 0.1; });
  CHECK(f.has_open());
  f.clock.jump_wall(std::chrono::seconds(-8));  // The event is older than the newest reading
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.of()[0].state == PredictionState::kHit);
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
