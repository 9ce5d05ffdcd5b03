// What the ledger must not say: one end told twice, what people did as a forecast that came true.
#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

// Slowly up to nearly all of the limit, there for 20 minutes, then the kill, as engine and kernel tell of it.
void fill_and_kill(OutlookFixture& f, double from) {
  f.run(400, [&](double minute) { return std::min(0.9995, from + 0.003 * minute); });
  f.event("container.oom", f.container);
  f.look();
  f.run(0.5, [](double) { return 0.9995; });
  f.event("oom.kill", f.container, {{"constraint", "limit"}});
  f.look();
}

TEST_CASE("a limit that is reached, and the kill 20 minutes later, are one end") {
  OutlookFixture f;
  const double from = f.leak_until_foretold(0.003);
  fill_and_kill(f, from);
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kHit);
  // Begun anew, and killed anew: another end.
  f.started_ms = f.clock.unix_ms();
  f.run(30, [](double) { return 0.3; });
  f.event("container.oom", f.container);
  f.look();
  REQUIRE(f.of().size() == 2);
  CHECK(f.of()[0].state == PredictionState::kMiss);
}

TEST_CASE(
    "the same that nothing announced is one miss; a second kill of what stays full is another") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.3; });
  // Too fast for anybody.
  f.run(20, [](double) { return 0.9995; });
  f.event("container.oom", f.container);
  f.look();
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kMiss);
  f.run(20, [](double) { return 0.9995; });
  f.event("container.oom", f.container);
  f.look();
  CHECK(f.of().size() == 2);
}

TEST_CASE("the kill is told first, then that the limit was reached: one end") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.3; });
  f.event("container.oom", f.container);
  f.look();
  f.run(2, [](double) { return 0.9995; });
  CHECK(f.of().size() == 1);
}

TEST_CASE("the limit was reached and the kill came while nobody looked: one end") {
  OutlookFixture f;
  f.leak_until_foretold();
  f.ahead->save_all();
  for (int i = 0; i < 60; ++i) {
    f.next_scrape();
    f.put_host();
    f.put_memory(0.9995);
  }
  f.event("container.oom", f.container);
  f.begin();
  f.run(2, [](double) { return 0.9995; });
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kHit);
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
