// The table of ADR 14, row by row.
#include "controlplane/predict/verdict.h"

#include <doctest/doctest.h>

namespace observeai::predict {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHorizon = 30 * kMinute;

struct Story {
  Life life{kHorizon, 0};
  Look look{0, true, true, false, false, false, false};
  Verdict at(std::int64_t minute) {
    look.ts_ms = minute * kMinute;
    const auto verdict = look_at(life, look);
    look.is_replaced = false;  // Is told once
    return verdict;
  }
  // The verdict and the minute of it, from `from` on.
  std::pair<Verdict, std::int64_t> until_closed(std::int64_t from) {
    for (std::int64_t minute = from; minute < from + 200; ++minute) {
      if (const auto verdict = at(minute); verdict != Verdict::kOpen) return {verdict, minute};
    }
    return {Verdict::kOpen, -1};
  }
};

TEST_CASE("as long as there is an alarm it stays open") {
  Story s;
  CHECK(s.until_closed(1).first == Verdict::kOpen);
}

TEST_CASE("what happens is a hit, whatever else is seen at the same time") {
  Story s;
  s.look = {0, true, false, true, true, true, true};
  CHECK(s.at(1) == Verdict::kHit);
}

TEST_CASE("without an alarm for a horizon: false alarm; one alarm in between begins anew") {
  Story s;
  CHECK(s.at(1) == Verdict::kOpen);
  s.look.has_alarm = false;
  for (int minute = 2; minute < 30; ++minute) CHECK(s.at(minute) == Verdict::kOpen);
  s.look.has_alarm = true;
  CHECK(s.at(30) == Verdict::kOpen);
  s.look.has_alarm = false;
  CHECK(s.until_closed(31) == std::pair(Verdict::kFalseAlarm, std::int64_t{61}));
}

TEST_CASE("an action, then quiet for a sixth of a horizon: prevented") {
  Story s;
  s.look.has_acted = true;
  CHECK(s.at(1) == Verdict::kOpen);
  CHECK(s.at(2) == Verdict::kOpen);  // It did not help yet
  s.look.has_alarm = false;
  CHECK(s.until_closed(3) == std::pair(Verdict::kPrevented, std::int64_t{8}));
}

TEST_CASE(
    "replaced or gone: after a moment for the event to be told, unknown; by an action, prevented") {
  for (const bool is_gone : {false, true}) {
    for (const bool has_acted : {false, true}) {
      Story s;
      CHECK(s.at(1) == Verdict::kOpen);
      s.look.has_alarm = false;
      s.look.has_acted = has_acted;
      s.look.is_replaced = !is_gone;
      s.look.is_gone = is_gone;
      CHECK(s.at(2) == Verdict::kOpen);
      CHECK(s.at(3) == (has_acted ? Verdict::kPrevented : Verdict::kUnknown));
    }
  }
}

TEST_CASE("an event that is told right after the restart that it caused is a hit") {
  Story s;
  s.at(1);
  s.look.has_alarm = false;
  s.look.is_replaced = true;
  CHECK(s.at(2) == Verdict::kOpen);
  s.look.has_happened = true;
  CHECK(s.at(2) == Verdict::kHit);
}

TEST_CASE("replaced, and threatened again after the moment: the same threat, still open") {
  Story s;
  s.at(1);
  s.look.is_replaced = true;
  CHECK(s.at(2) == Verdict::kOpen);
  CHECK(s.until_closed(3).first == Verdict::kOpen);
}

TEST_CASE("no reading for a horizon: unknown") {
  Story s;
  s.at(1);
  s.look.is_known = false;
  CHECK(s.until_closed(2) == std::pair(Verdict::kUnknown, std::int64_t{31}));
}

}  // namespace
}  // namespace observeai::predict
