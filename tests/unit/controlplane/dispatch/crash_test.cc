// kill -9 in every state: nothing is done twice, and no plan is stuck.
#include "tests/unit/controlplane/dispatch/dispatch_fixture.h"

#include <set>

using namespace observeai;
using namespace observeai::controlplane::dispatch_test;
namespace approval = observeai::controlplane::approval;

namespace {

// One small thing at a time, in the order of a plan's life; the control plane is killed before the
// kill-th of them. Returns the states that it was killed in.
struct Life : DispatchFixture {
  std::string id;
  int done = 0;
  int kill_at = 0;
  std::set<PlanState> killed_in;

  explicit Life(int kill) : kill_at(kill) {}

  void moment() {
    if (++done != kill_at) return;
    if (!id.empty()) killed_in.insert(state(id));
    restart();
  }
  void both() {
    moment();
    step();
    moment();
    deliver();
  }
  void live() {
    id = create(restart_web());
    for (int i = 0; i < 4; ++i) both();
    moment();
    approve(id);
    for (int i = 0; i < 6; ++i) both();
    for (int i = 0; i < 4; ++i) {
      clock.advance(std::chrono::seconds(11));
      seen();
      both();
    }
  }
};

constexpr int kMoments = 2 * (4 + 6 + 4) + 1;

}  // namespace

TEST_CASE("killed at any moment, a plan is carried out exactly once") {
  std::set<PlanState> killed_in;
  for (int kill = 1; kill <= kMoments; ++kill) {
    CAPTURE(kill);
    Life life(kill);
    life.live();
    // Whatever was lost on the way is made up for.
    for (int i = 0; i < 6; ++i) life.pass(std::chrono::seconds(11));
    CHECK(life.state(life.id) == PlanState::kSucceeded);
    CHECK(life.executions() == 1);
    killed_in.merge(life.killed_in);
  }
  for (const auto state : {PlanState::kSimulating, PlanState::kSimulated, PlanState::kApproved,
                           PlanState::kExecuting, PlanState::kVerifying, PlanState::kSucceeded})
    CHECK(killed_in.contains(state));
}

TEST_CASE("in whatever state it is found, a plan goes on or ends by its deadline") {
  for (int i = 1; i <= 7; ++i) {
    const auto wanted = static_cast<PlanState>(i);
    CAPTURE(approval::to_string(wanted));
    DispatchFixture f;
    const auto id = f.create(f.restart_web());
    f.settle();
    // As a process left it that was killed in this state, with hosts that never answer again.
    model::PlanChange change;
    change.plan = must(f.store->plans().find(*wire::PlanId::parse(id))).value();
    change.plan.state = wanted;
    change.plan.deadline_ms = f.clock.unix_ms() + 60'000;
    must(f.store->plans().apply(change));
    f.hosts[0].is_deaf = true;
    f.restart();
    int steps = 0;
    for (; steps < 100 && !approval::is_over(f.state(id)); ++steps) f.pass(std::chrono::minutes(1));
    CHECK(approval::is_over(f.state(id)));
    for (const auto& target : f.show(id).targets) CHECK(approval::is_over(target.record.state));
    CHECK(must(f.store->commands().open(f.hosts[0].id)).empty());
    CHECK(f.executions() == 0);
  }
}

TEST_CASE("a result that came before the kill is not lost, and its command not sent again") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.step();
  f.deliver();  // The result is stored, nobody has looked at it
  const auto sent = f.down.sent.size();
  f.restart();
  f.step();
  CHECK(f.target_state(id) == TargetState::kVerifying);
  CHECK(f.down.sent.size() == sent);
}

TEST_CASE("two dispatchers on one store do not both make a command") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  observeai::controlplane::dispatch::Dispatcher other(f.world());
  f.step();
  other.step();
  f.deliver();
  CHECK(f.executions() == 1);
  CHECK(must(f.store->commands().of_plan(*wire::PlanId::parse(id))).size() == 2);
}

TEST_CASE("a host that could not be sent its command in its wave does not keep the plan going") {
  DispatchFixture f(2);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  model::PlanChange change;
  change.plan = must(f.store->plans().find(*wire::PlanId::parse(id))).value();
  change.plan.state = PlanState::kVerifying;
  change.plan.wave = 1;
  change.plan.deadline_ms = f.clock.unix_ms() + 60'000;
  must(f.store->plans().apply(change));
  for (int i = 0; i < 8; ++i) f.step();
  CHECK(approval::is_over(f.state(id)));
  CHECK(f.executions() == 0);
}
