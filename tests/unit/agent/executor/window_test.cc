#include "agent/executor/window.h"

#include <doctest/doctest.h>

using namespace observeai::agent::executor;

namespace {
constexpr int kSun = 0, kMon = 1, kTue = 2, kFri = 5, kSat = 6;
}

TEST_CASE("a window is open from its first minute to before its last, on its days") {
  const auto office = *parse_window("Mon-Fri 08:00-18:00");
  CHECK(is_open(office, kMon, 480));
  CHECK(is_open(office, kFri, 1079));
  CHECK(!is_open(office, kMon, 479));
  CHECK(!is_open(office, kMon, 1080));
  CHECK(!is_open(office, kSat, 600));
  const auto weekend = *parse_window("Sat,Sun 00:00-24:00");
  CHECK(is_open(weekend, kSat, 0));
  CHECK(is_open(weekend, kSun, 1439));
  CHECK(!is_open(weekend, kMon, 0));
}

TEST_CASE("a window over midnight belongs to the day on which it begins") {
  const auto night = *parse_window("Mon 22:00-06:00");
  CHECK(is_open(night, kMon, 1320));
  CHECK(is_open(night, kTue, 359));
  CHECK(!is_open(night, kTue, 360));
  CHECK(!is_open(night, kMon, 100));
  CHECK(!is_open(night, kTue, 1320));
  const auto wrapped = *parse_window("Fri-Mon 01:00-02:00");
  CHECK(is_open(wrapped, kSun, 60));
  CHECK(!is_open(wrapped, kTue, 60));
}

TEST_CASE("a window is looked at in UTC") {
  const auto monday_noon = *parse_window("Mon 12:00-12:01");
  constexpr std::int64_t kMondayNoon = 1'700'481'600'000;  // 2023-11-20T12:00:00Z
  CHECK(is_open(monday_noon, kMondayNoon, TimeZone::kUtc));
  CHECK(is_open(monday_noon, kMondayNoon + 59'999, TimeZone::kUtc));
  CHECK(!is_open(monday_noon, kMondayNoon + 60'000, TimeZone::kUtc));
  CHECK(!is_open(monday_noon, kMondayNoon - 1, TimeZone::kUtc));
}

TEST_CASE("what is no window is refused") {
  for (const char* text :
       {"", "Mon", "Mon 8:00-18:00", "Mon 08:00", "Mon 08:00-08:00", "Mon 24:00-01:00",
        "Mon 08:60-09:00", "mon 08:00-09:00", "Mon- 08:00-09:00", "Mon-Tue-Wed 08:00-09:00",
        "Mon,,Tue 08:00-09:00", "Mon 08:00-25:00", "Mon  08:00-09:00", "Mon 08:00-09:00 ",
        "Mon -1:00-09:00", "daily,Mon 08:00-09:00"}) {
    CAPTURE(text);
    CHECK(!parse_window(text));
  }
}
