#include "agent/discovery/unit_restarts.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

wire::SystemdUnit unit(const std::string& name, std::uint32_t restarts) {
  wire::SystemdUnit out;
  out.name = name;
  out.restarts = restarts;
  return out;
}

}  // namespace

TEST_CASE("a count that goes up is told with how often; the first look tells nothing") {
  UnitRestarts restarts;
  CHECK(restarts.look({unit("a.service", 7), unit("b.service", 0)}, 1'000).empty());
  const auto events = restarts.look({unit("a.service", 7), unit("b.service", 3)}, 2'000);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == "unit.restart");
  CHECK(events[0].target == "unit/b.service");
  CHECK(events[0].ts_ms == 2'000);
  CHECK(events[0].attributes == wire::Labels{{"restart_count", "3"}, {"restarts", "3"}});
  CHECK(restarts.look({unit("a.service", 7), unit("b.service", 3)}, 3'000).empty());
}

TEST_CASE("a restart by hand sets the count back: not told, and counted from there") {
  UnitRestarts restarts;
  restarts.look({unit("a.service", 7)}, 1);
  CHECK(restarts.look({unit("a.service", 0)}, 2).empty());
  CHECK(restarts.look({unit("a.service", 1)}, 3).size() == 1);
  CHECK(restarts.look({}, 4).empty());
  CHECK(restarts.look({unit("a.service", 2)}, 5).at(0).attributes[1].value == "2");
}

TEST_CASE("one look tells so many and counts the rest") {
  UnitRestarts restarts;
  std::vector<wire::SystemdUnit> units;
  for (std::size_t i = 0; i < UnitRestarts::kMaxEvents + 2; ++i)
    units.push_back(unit("u" + std::to_string(i), 0));
  restarts.look(units, 1);
  for (auto& one : units) one.restarts = 1;
  CHECK(restarts.look(units, 2).size() == UnitRestarts::kMaxEvents);
  CHECK(restarts.left_out() == 2);
  CHECK(restarts.look(units, 3).empty());
}
