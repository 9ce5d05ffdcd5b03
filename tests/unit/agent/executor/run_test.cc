#include <doctest/doctest.h>

#include "agent/executor/action.h"
#include "protocol/wire/command_codec.h"

using namespace observeai;
using namespace observeai::agent::executor;
using namespace std::chrono_literals;

TEST_CASE("a run ends at its deadline and never has negative time left") {
  ManualClock clock;
  Run run(clock, clock.steady_now() + 5s, 10);
  CHECK(run.check());
  clock.advance(4s);
  CHECK(run.left() == 1000ms);
  clock.advance(1s);
  REQUIRE(!run.check());
  CHECK(run.check().error().code() == Errc::kTimeout);
  clock.advance(1s);
  CHECK(run.left() == 0ms);
}

TEST_CASE("a run tells how long each step took, and no more steps than a result carries") {
  ManualClock clock;
  Run run(clock, clock.steady_now() + 5s, 10);
  run.step("stop", "web");
  clock.advance(20ms);
  run.step("start");
  clock.advance(30ms);
  run.finish_step();
  clock.advance(1s);
  run.finish_step();
  REQUIRE(run.steps().size() == 2);
  CHECK(run.steps()[0] == wire::ResultStep{"stop", "web", 20});
  CHECK(run.steps()[1] == wire::ResultStep{"start", "", 30});
  while (run.steps().size() < wire::kMaxSteps) run.step("more");
  clock.advance(1s);
  run.step("not told");
  CHECK(run.steps().size() == wire::kMaxSteps);
  CHECK(run.steps().back().duration_ms == 1000);
}

TEST_CASE("a run keeps the beginning of what was printed") {
  ManualClock clock;
  Run run(clock, clock.steady_now() + 5s, 10);
  run.output("0123456789");
  CHECK(!run.truncated());
  run.output("x");
  CHECK(run.truncated());
  CHECK(run.text() == "0123456789");
}
