// What rates cost, and what they say at their borders.
#include <doctest/doctest.h>

#include "controlplane/signer/refusal_log.h"

using namespace observeai;
using namespace observeai::controlplane::signer;
using namespace std::chrono_literals;

TEST_CASE("a count of a minute takes a few hundred bytes, however much happens in it") {
  static_assert(sizeof(SlidingCount) <= 280);
  SlidingCount minute(1min);
  const SteadyTime start{};
  for (int second = 0; second < 600; ++second) {
    minute.add(start + std::chrono::seconds(second), 2);
    CHECK(minute.count(start + std::chrono::seconds(second)) == 2ULL * std::min(second + 1, 61));
  }
  CHECK(minute.wait(start + 599s, 122) == 1s);
  CHECK(minute.wait(start + 599s, 123) == 0s);
  CHECK(minute.count(start + 659s) == 2);
  CHECK(minute.count(start + 660s) == 0);
  minute.add(start + 2h, 7);
  CHECK(minute.count(start + 2h) == 7);
}

TEST_CASE("what is restored lies before the beginning of the clock, and leaves in its time") {
  RateGuard guard("commands for agent", {100, 5});
  const SteadyTime start{};
  guard.restore("a", 4, start - 59min);
  guard.restore("a", 1, start - 1min);
  CHECK_FALSE(guard.check("a", start));
  CHECK(guard.check("b", start));
  CHECK(guard.check("a", start + 2min));
  guard.count("a", start + 2min);
  CHECK(guard.check("a", start + 2min));
}

TEST_CASE("a guard knows so many names, and then only those it knows, until an hour was quiet") {
  RateGuard guard("time statements for agent", {10, 100});
  const SteadyTime start{};
  for (std::size_t i = 0; i < kMaxNames; ++i) guard.count(std::to_string(i), start);
  CHECK(guard.check("7", start));
  const auto refused = guard.check("one more", start);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kLimit);
  CHECK(guard.refused() == 1);
  CHECK(guard.check("one more", start + 62min));
}

TEST_CASE("refusals without end write thirty lines a minute, and say how many they left out") {
  RefusalLog log;
  const SteadyTime start{};
  int written = 0;
  for (int i = 0; i < 10'000; ++i)
    written += log.write(start + 1s, "a process may not ask") ? 1 : 0;
  CHECK(written == 30);
  CHECK(log.write(start + 63s, "again"));
}
