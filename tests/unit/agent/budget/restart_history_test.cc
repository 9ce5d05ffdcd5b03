#include "agent/budget/restart_history.h"

#include <doctest/doctest.h>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

namespace {
constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr std::int64_t kMinute = 60'000;
}  // namespace

TEST_CASE("three restarts an hour, then none") {
  RestartHistory history;
  for (int i = 0; i < 3; ++i) {
    CHECK(history.may_restart(kNow + i * kMinute));
    history.add({kNow + i * kMinute, "memory"});
  }
  CHECK_FALSE(history.may_restart(kNow + 3 * kMinute));
  CHECK_FALSE(history.may_restart(kNow + 59 * kMinute));
  CHECK(history.may_restart(kNow + 60 * kMinute));  // The first of them is an hour ago.
  // The clock was set back by a year: what seems to come only counts as recent.
  CHECK_FALSE(history.may_restart(kNow - 365LL * 24 * 60 * kMinute));
}

TEST_CASE("a clock that was ahead does not make restarts recent for ever") {
  constexpr std::int64_t kYear = 365LL * 24 * 60 * kMinute;
  RestartHistory history;
  history.add({kNow - kMinute, "before"});
  history.add({kNow + 60 * kMinute, "within the hour"});
  for (int i = 0; i < 3; ++i) history.add({kNow + kYear + i, "ahead"});
  CHECK(history.bring_back(kNow));
  CHECK_FALSE(history.may_restart(kNow));  // Only just: they happened lately
  CHECK(history.all()[0] == Restart{kNow - kMinute, "before"});
  CHECK(history.all()[1] == Restart{kNow + 60 * kMinute, "within the hour"});
  CHECK(history.all()[4] == Restart{kNow, "ahead"});
  CHECK_FALSE(history.bring_back(kNow));
  CHECK(history.may_restart(kNow + 60 * kMinute));
}

TEST_CASE("the file survives, keeps sixteen, and anything in it is taken") {
  const test::TempDir dir;
  const std::string path = dir / "restarts";
  const auto none = load_restarts(path);
  REQUIRE(none);
  CHECK(none->all().empty());
  RestartHistory history;
  for (int i = 0; i < 20; ++i) history.add({kNow + i, "line\nbreak " + std::to_string(i)});
  REQUIRE(store_restarts(path, history));
  const auto read = load_restarts(path);
  REQUIRE(read);
  CHECK(read->all() == history.all());
  REQUIRE(read->all().size() == RestartHistory::kKept);
  CHECK(read->all().back() == Restart{kNow + 19, "line break 19"});

  const auto odd =
      RestartHistory::parse("x\n\n-5 a\n99999999999999999999 b\n7\n8 fine\n\x01\xff 9");
  CHECK(odd.all() == std::vector<Restart>{{7, ""}, {8, "fine"}});
  CHECK(RestartHistory::parse("5 " + std::string(5'000, 'r')).all()[0].reason.size() ==
        RestartHistory::kMaxReasonBytes);
}
