// Restarts in the middle: what was stored is enough.
#include <algorithm>

#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

struct Seen {
  std::vector<model::PredictionRecord> predictions;
  std::vector<outlook::Outlook::Followable> followed;
};

// A leak that ends in a kill. At some of the minutes something happens to the control plane.
Seen leak(const std::function<void(OutlookFixture&, int minute)>& disturb) {
  OutlookFixture f;
  f.run(60, [](double) { return 0.2; });
  for (int minute = 0; minute < 75; ++minute) {
    f.run(1, [&](double part) { return 0.2 + 0.01 * (minute + part); });
    disturb(f, minute);
  }
  f.event("container.oom", f.container);
  f.look();
  return {f.of(), f.ahead->followed()};
}

void check_same(const Seen& a, const Seen& b) {
  CHECK(a.predictions == b.predictions);
  REQUIRE(a.followed.size() == b.followed.size());
  for (std::size_t i = 0; i < a.followed.size(); ++i) {
    CHECK(a.followed[i].resource == b.followed[i].resource);
    CHECK(a.followed[i].slow == b.followed[i].slow);
    CHECK(a.followed[i].fast == b.followed[i].fast);
  }
}

TEST_CASE("a restart at any minute gives the same predictions") {
  const auto whole = leak([](OutlookFixture&, int) {});
  REQUIRE(whole.predictions.size() == 1);
  REQUIRE(whole.predictions[0].state == PredictionState::kHit);
  check_same(whole, leak([](OutlookFixture& f, int) { f.restart(); }));
}

TEST_CASE("killed between two saves, the samples since are read again, and nothing is told twice") {
  const auto whole = leak([](OutlookFixture&, int) {});
  const auto killed = leak([](OutlookFixture& f, int minute) {
    if (minute % 9 == 4) f.begin();  // Nothing is saved at the end
  });
  check_same(whole, killed);
}

TEST_CASE(
    "while it was away samples came: they are read, and what is foretold then is foretold late") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.2; });
  f.ahead->save_all();
  // Half an hour without a look.
  for (int i = 0; i < 180; ++i) {
    f.next_scrape();
    f.put_host();
    f.put_memory(0.2 + 0.01 * i / 6);
  }
  f.begin();
  f.run(
      40, [](double minute) { return 0.5 + 0.01 * minute; }, f.is_open());
  REQUIRE(f.has_open());
  CHECK(f.ahead->counters().replays >= 1);
  // Opened by what is now, not by what was.
  CHECK(f.clock.unix_ms() - f.of()[0].opened_ms <= 60'000);
}

TEST_CASE("a kill while nobody looked is no miss: nobody could have foretold it") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.2; });
  f.clock.advance(std::chrono::minutes(40));
  f.event("container.oom", f.container);
  f.clock.advance(std::chrono::minutes(40));
  f.begin();
  f.run(2, [](double) { return 0.2; });
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kUnknown);
}

TEST_CASE("what was before the first look of all is no event") {
  OutlookFixture f;
  f.event("container.oom", f.container);
  f.clock.advance(std::chrono::seconds(30));
  f.run(5, [](double) { return 0.2; });
  CHECK(f.of().empty());
}

TEST_CASE("state of other clocks, or damaged, is begun anew from stored samples, and counted") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.2; });
  f.ahead->save_all();
  f.clocks.slow_ms = 30'000;
  f.begin();
  f.run(1, [](double) { return 0.2; });
  CHECK(f.ahead->counters().states_damaged > 0);
  CHECK(f.ahead->followed().size() == 2);  // The host's memory and the container's
  CHECK(f.ahead->followed()[0].slow.missing == 0);
}

TEST_CASE("samples that cannot be read are read with the next look, before anything newer") {
  OutlookFixture f;
  f.run(60, [](double) { return 0.2; });
  f.clock.advance(std::chrono::minutes(5));
  f.put_host();
  f.put_memory(0.2);
  f.telemetry.fail_with(Error(Errc::kUnavailable, "away"));
  const auto before = f.ahead->counters().readings;
  f.look();
  CHECK(f.ahead->counters().readings == before);
  f.telemetry.fail_with(std::nullopt);
  f.ahead->look();
  CHECK(f.ahead->counters().readings > before);
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
