// A service that fails more and more, until it ends.
#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

struct Service : OutlookFixture {
  double errors = 0;
  double others = 0;
  // So many minutes of a service that logs 60 lines a minute, and so many errors of them.
  void serve(double minutes, const std::function<double(double)>& errors_per_minute,
             const std::function<bool()>& until = nullptr) {
    run(
        minutes,
        [&](double minute) {
          errors += errors_per_minute(minute) * kScrapeMs / 60'000.0;
          others += 60.0 * kScrapeMs / 60'000.0;
          put(container, "observeai_log_lines_total", std::floor(errors), {{"level", "error"}});
          put(container, "observeai_log_lines_total", std::floor(others), {{"level", "other"}});
          return 0.2;
        },
        until);
  }
};

TEST_CASE("errors that grow until the service ends are foretold, and that is a hit") {
  Service f;
  f.serve(60, [](double) { return 0.5; });
  f.serve(
      40, [](double minute) { return 0.5 * std::exp(minute / 6); }, f.is_open());
  REQUIRE(f.has_open());
  const auto open = f.of("errors");
  REQUIRE(open.size() == 1);
  CHECK(open[0].unit == "errors");
  CHECK(open[0].first.used > 0.5);
  CHECK(open[0].suggestions.at(0).action == "docker.restart");
  f.serve(5, [](double) { return 300; });
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.of("errors")[0].state == PredictionState::kHit);
  CHECK(f.of("errors").size() == 1);
}

TEST_CASE("errors as usual are no threat; a sudden end is a miss, and a loop of them is one") {
  Service f;
  f.serve(120, [](double) { return 3; });
  CHECK(f.of("errors").empty());
  for (int i = 0; i < 5; ++i) {
    f.event("container.exit", f.container, {{"exit_code", "1"}});
    f.started_ms = f.clock.unix_ms();
    f.serve(1, [](double) { return 3; });
  }
  const auto all = f.of("errors");
  REQUIRE(all.size() == 1);
  CHECK(all[0].state == PredictionState::kMiss);
}

TEST_CASE("a service that a plan restarts has not failed") {
  Service f;
  f.serve(120, [](double) { return 3; });
  f.plans.all = {{"docker.restart", f.web, "container/shop", model::TargetState::kDispatched,
                  f.clock.unix_ms(), wire::PlanId::parse("p-7").value()}};
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.of("errors").empty());
  // A minute later it is its own doing.
  f.plans.all[0].state = model::TargetState::kSucceeded;
  f.serve(15, [](double) { return 3; });
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.of("errors").size() == 1);
}

TEST_CASE("what logs nothing ends as it likes") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.2; });
  f.event("container.exit", f.container, {{"exit_code", "1"}});
  f.look();
  CHECK(f.of("errors").empty());
}

TEST_CASE("a restart in the middle gives the same hazard") {
  const auto story = [](bool restarts) {
    Service f;
    f.serve(30, [](double) { return 0.5; });
    if (restarts) f.restart();
    f.serve(20, [](double minute) { return 0.5 + minute; });
    if (restarts) f.restart();
    f.serve(2, [](double) { return 20.0; });
    std::vector<predict::Forecast> out;
    for (const auto& one : f.ahead->followed()) {
      out.push_back(one.slow);
      out.push_back(one.fast);
    }
    return out;
  };
  const auto whole = story(false);
  CHECK(whole.size() == 6);
  CHECK(whole == story(true));
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
