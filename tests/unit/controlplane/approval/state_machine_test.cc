#include "controlplane/approval/state_machine.h"

#include <map>
#include <set>

#include <doctest/doctest.h>

namespace observeai::controlplane::approval {
namespace {

constexpr int kPlanStates = 14;
constexpr int kTargetStates = 12;

TEST_CASE("every plan state that is not the end has a deadline and says what happens then") {
  int over = 0;
  for (int i = 1; i <= kPlanStates; ++i) {
    const auto state = static_cast<PlanState>(i);
    CAPTURE(to_string(state));
    CHECK(to_string(state) != "unknown");
    if (is_over(state)) {
      ++over;
      CHECK(patience_ms(state) == 0);
      continue;
    }
    CHECK(next(state, PlanEvent::kDeadline).has_value());
    CHECK((patience_ms(state) > 0 || state == PlanState::kSimulated));
  }
  CHECK(over == 7);
}

TEST_CASE("following deadlines alone ends every plan") {
  for (int i = 1; i <= kPlanStates; ++i) {
    auto state = static_cast<PlanState>(i);
    int steps = 0;
    while (!is_over(state) && ++steps < kPlanStates) state = *next(state, PlanEvent::kDeadline);
    CHECK(is_over(state));
  }
}

TEST_CASE("a plan executes only by way of a quorum") {
  // Without the quorum's rows nothing behind them can be reached.
  std::set<PlanState> reached{PlanState::kProposed};
  for (bool grows = true; grows;) {
    grows = false;
    for (const auto& row : plan_table()) {
      if (row.event == PlanEvent::kQuorum || !reached.contains(row.from)) continue;
      grows = reached.insert(row.to).second || grows;
    }
  }
  for (const auto state : {PlanState::kApproved, PlanState::kDispatching, PlanState::kExecuting,
                           PlanState::kVerifying, PlanState::kSucceeded}) {
    CHECK_FALSE(reached.contains(state));
  }
}

TEST_CASE("tables name no state and event twice") {
  std::set<std::pair<PlanState, PlanEvent>> plans;
  for (const auto& row : plan_table()) CHECK(plans.emplace(row.from, row.event).second);
  std::set<std::pair<TargetState, TargetEvent>> targets;
  for (const auto& row : target_table()) CHECK(targets.emplace(row.from, row.event).second);
}

TEST_CASE("a host that got a command never becomes one that did not, unless it refused it") {
  for (int i = 1; i <= kTargetStates; ++i) {
    const auto state = static_cast<TargetState>(i);
    CHECK(to_string(state) != "unknown");
    if (!may_have_acted(state)) continue;
    for (const auto& row : target_table()) {
      if (row.from != state || may_have_acted(row.to)) continue;
      CHECK((row.event == TargetEvent::kRefused || row.event == TargetEvent::kRefusedForNow));
    }
  }
}

TEST_CASE("a host's state that is over leads nowhere, any other reaches one that is") {
  for (int i = 1; i <= kTargetStates; ++i) {
    std::set<TargetState> reached{static_cast<TargetState>(i)};
    for (bool grows = true; grows;) {
      grows = false;
      for (const auto& row : target_table()) {
        if (reached.contains(row.from)) grows = reached.insert(row.to).second || grows;
      }
    }
    bool ends = false;
    for (const auto state : reached) ends = ends || is_over(state);
    CHECK(ends);
  }
}

}  // namespace
}  // namespace observeai::controlplane::approval
