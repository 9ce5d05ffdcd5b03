// One resource on two clocks.
#include "controlplane/outlook/followed.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::outlook {
namespace {

predict::Reading reading(std::int64_t ts_ms, double used, double limit = 100) {
  predict::Reading out;
  out.target = "container/x";
  out.used = used;
  out.limit = out.configured = limit;
  out.unit = "bytes";
  out.ts_ms = ts_ms;
  out.regime = 1'000;
  return out;
}

TEST_CASE("each clock takes the first reading of its steps, and none twice") {
  const Clocks clocks;
  Followed one(reading(600'000, 10), clocks);
  CHECK_FALSE(one.observe(reading(600'000, 11), clocks).is_new);
  CHECK_FALSE(one.observe(reading(599'000, 11), clocks).is_new);
  CHECK_FALSE(one.observe(reading(605'000, 11), clocks).has_stepped);
  CHECK(one.observe(reading(610'000, 11), clocks).has_stepped);
  CHECK(one.newest().used == 11);
}

TEST_CASE("full is told when it becomes so, not when it was so at first sight") {
  const Clocks clocks;
  Followed one(reading(600'000, 100), clocks);
  CHECK(one.is_exhausted());
  CHECK_FALSE(one.observe(reading(610'000, 100), clocks).is_exhausted);
  CHECK_FALSE(one.observe(reading(620'000, 97), clocks).is_exhausted);
  CHECK_FALSE(one.observe(reading(630'000, 100), clocks).is_exhausted);  // Never relieved
  CHECK_FALSE(one.observe(reading(640'000, 90), clocks).is_exhausted);
  CHECK(one.observe(reading(650'000, 99.95), clocks).is_exhausted);
}

TEST_CASE("another limit and another regime are told") {
  const Clocks clocks;
  Followed one(reading(600'000, 50), clocks);
  auto lent = reading(605'000, 50, 150);
  lent.configured = 100;
  CHECK_FALSE(one.observe(lent, clocks).is_raised);
  CHECK(one.observe(reading(610'000, 50, 200), clocks).is_raised);
  auto restarted = reading(620'000, 5, 200);
  restarted.regime = 615'000;
  const auto news = one.observe(restarted, clocks);
  CHECK(news.is_replaced);
  CHECK_FALSE(news.is_raised);
  auto next_worst = reading(630'000, 5, 400);
  next_worst.regime = 615'000;
  next_worst.is_of_worst = true;
  const auto other = one.observe(next_worst, clocks);
  CHECK(other.is_replaced);
  CHECK_FALSE(other.is_raised);
  CHECK(one.slow().missing > 0);
}

TEST_CASE("what it knows is stored whole, and nothing else passes for it") {
  const Clocks clocks;
  Followed one(reading(600'000, 10), clocks);
  for (int i = 1; i < 200; ++i) one.observe(reading(600'000 + i * 10'000, 10 + i * 0.1), clocks);
  one.life = predict::Life{1, 2, 3, 4, true, false};
  one.stated = {7, 0.25};
  one.last_event_ms = 9;
  one.awaits_kill = true;
  const auto bytes = one.encode(clocks);
  CHECK(bytes.size() <= 2'560);
  const predict::Reading name = reading(0, 0, 0);
  const auto again = Followed::decode(bytes, name, clocks);
  REQUIRE(again);
  CHECK(again->newest() == one.newest());
  CHECK(again->life == one.life);
  CHECK(again->stated == one.stated);
  CHECK(again->awaits_kill);
  CHECK(again->slow() == one.slow());
  CHECK(again->fast() == one.fast());
  CHECK(again->encode(clocks) == bytes);
  for (std::size_t cut = 0; cut < bytes.size(); cut += 7)
    CHECK_FALSE(Followed::decode(std::string_view(bytes).substr(0, cut), name, clocks));
  CHECK_FALSE(Followed::decode(bytes + "x", name, clocks));
  CHECK_FALSE(Followed::decode(bytes, name, {30'000, 10'000}));
}

}  // namespace
}  // namespace observeai::controlplane::outlook
