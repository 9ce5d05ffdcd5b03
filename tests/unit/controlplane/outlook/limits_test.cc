// Limits that move, and who moved them.
#include "tests/unit/controlplane/outlook/outlook_fixture.h"

namespace observeai::controlplane::outlook_test {
namespace {

TEST_CASE("swap that becomes free raises no limit") {
  OutlookFixture f;
  double swap_free = 0.2 * kGib;
  const auto with_swap = [&](double share) {
    f.put("host", "node_memory_SwapTotal_bytes", 4 * kGib);
    f.put("host", "node_memory_SwapFree_bytes", swap_free);
    f.put(f.container, "container_spec_memory_swap_limit_bytes", 8 * kGib);
    return share;
  };
  double from = 0;
  f.run(60, [&](double) { return with_swap(0.2); });
  f.run(
      90, [&](double minute) { return with_swap(from = 0.2 + 0.01 * minute); }, f.is_open());
  REQUIRE(f.has_open());
  CHECK(f.of()[0].first.limit == doctest::Approx(1.2 * kGib));
  swap_free *= 5;
  f.run(
      60, [&](double) { return with_swap(from); }, f.is_closed());
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kFalseAlarm);
  CHECK(f.of()[0].acted.empty());
}

TEST_CASE("another process of a group, with another limit, is no limit that was raised") {
  OutlookFixture f;
  const std::string group = "process/web.service/web";
  const auto handles = [&](double minutes, double limit, const std::function<double(double)>& used,
                           const std::function<bool()>& until = nullptr) {
    f.run(
        minutes,
        [&](double minute) {
          f.put(group, "namedprocess_namegroup_worst_fd_ratio", used(minute) / limit);
          f.put(group, "namedprocess_namegroup_worst_fd_limit", limit);
          f.put(group, "namedprocess_namegroup_oldest_start_time_seconds",
                static_cast<double>(f.started_ms) / 1'000);
          return -1.0;
        },
        until);
  };
  handles(60, 256, [](double) { return 50.0; });
  handles(
      80, 256, [](double minute) { return 50 + std::floor(2.5 * minute); }, f.is_open());
  REQUIRE(f.has_open());
  // The one that leaked is gone; the next in line may open more, and has done so all the time.
  handles(
      5, 1'024, [](double) { return 300.0; }, f.is_closed());
  REQUIRE(f.of("file_handles").size() == 1);
  CHECK(f.of("file_handles")[0].state == PredictionState::kUnknown);
  CHECK(f.of("file_handles")[0].acted.empty());
}

TEST_CASE("a probability that people acted on is not held against what they prevented") {
  OutlookFixture f;
  double share = f.leak_until_foretold(0.004);
  const std::pair<AgentId, std::string> key(f.web, "container_memory");
  // Stated high, and then the wrong: probabilities of at least 20 %, of which nothing came.
  const auto unkept = [&] {
    const auto sums = f.ahead->calibration()[key];
    std::uint64_t out = 0;
    for (std::size_t i = 2; i < predict::Calibration::kBins; ++i)
      out += sums.bins()[i].count - sums.bins()[i].happened;
    return out;
  };
  const auto has_alarm = [&] {
    for (const auto& one : f.ahead->followed())
      if (one.resource.target == f.container) return one.slow.alarm;
    return false;
  };
  // Until a new one is stated while the alarm is there.
  const auto stated = f.ahead->calibration()[key].count();
  f.run(
      60, [&](double) { return share += 0.004 / 6; },
      [&] { return f.ahead->calibration()[key].count() > stated; });
  REQUIRE(f.has_open());
  REQUIRE(f.ahead->calibration()[key].count() > stated);
  f.run(
      10, [&](double) { return share += 0.004 / 6; }, has_alarm);
  REQUIRE(has_alarm());
  const auto before = unkept();
  const double used = share * f.limit;
  f.limit = 8 * kGib;
  f.run(70, [&](double) { return used / f.limit; });
  REQUIRE(f.of().size() == 1);
  CHECK(f.of()[0].state == PredictionState::kPrevented);
  CHECK(f.ahead->calibration()[key].count() > stated + 1);  // What is stated afterwards counts
  CHECK(unkept() == before);
}

}  // namespace
}  // namespace observeai::controlplane::outlook_test
