#include "tests/unit/controlplane/dispatch/dispatch_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::dispatch_test;
namespace approval = observeai::controlplane::approval;

TEST_CASE("one host goes first, and the others only when it is verified") {
  DispatchFixture f(8);
  const auto id = f.create(f.restart_web());
  f.settle();
  CHECK(f.show(id).waves == 3);
  f.approve(id);
  f.settle();
  CHECK(f.executions() == 1);
  f.watch();
  CHECK(f.executions() == 2);
  f.watch();
  CHECK(f.executions() == 8);
  f.watch();
  CHECK(f.state(id) == PlanState::kSucceeded);
}

TEST_CASE("a first host that fails is the last one") {
  DispatchFixture f(8);
  for (auto& host : f.hosts) host.outcome = wire::ResultOutcome::kFailed;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  f.watch();
  CHECK(f.state(id) == PlanState::kFailed);
  CHECK(f.executions() == 1);
  CHECK(f.target_state(id, 7) == TargetState::kSkipped);
}

TEST_CASE("a first host that falls silent is the last one") {
  DispatchFixture f(8);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.hosts[0].is_deaf = true;
  f.approve(id);
  f.settle();
  for (int i = 0; i < 21; ++i) f.pass(std::chrono::minutes(1));
  CHECK(f.state(id) == PlanState::kInconclusive);
  CHECK(f.executions() == 0);
}

TEST_CASE("one silent host does not make the others of its wave unproven") {
  DispatchFixture f(40);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  for (int i = 0; i < 2; ++i) f.watch();
  f.clock.advance(std::chrono::seconds(31));
  f.seen();
  const auto silent = f.show(id).targets.at(15).record.agent;
  for (auto& host : f.hosts) host.is_deaf = host.id == silent;  // Once its command is out
  f.settle();
  CHECK(f.executions() == 19);  // 1, 1, 8 and nine of the first ten of the rest
  for (int i = 0; i < 20; ++i) f.pass(std::chrono::minutes(1));
  CHECK(f.target_state(id, 15) == TargetState::kInconclusive);
  CHECK(f.target_state(id, 14) == TargetState::kSucceeded);
  CHECK(f.target_state(id, 16) == TargetState::kSucceeded);
  CHECK(f.executions() > 19);  // A tenth is borne
}

TEST_CASE("a first host that was interrupted is the last one") {
  DispatchFixture f(8);
  f.hosts[0].outcome = wire::ResultOutcome::kInterrupted;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  f.watch();
  CHECK(f.state(id) == PlanState::kInconclusive);
  CHECK(f.executions() == 1);
  CHECK(f.target_state(id, 1) == TargetState::kSkipped);
}

TEST_CASE("a first host of which nobody can tell whether it worked is the last one") {
  DispatchFixture f(8);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  CHECK(f.executions() == 1);
  // Done, says the host; and then it is heard no more.
  f.hosts[0].is_deaf = true;
  for (int i = 0; i < 18; ++i) f.pass(std::chrono::minutes(1));
  CHECK(f.state(id) == PlanState::kInconclusive);
  CHECK(f.executions() == 1);
}

TEST_CASE("a first host that could not be sent its command is the last one") {
  DispatchFixture f(8);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.signer.is_away = true;
  f.step();
  CHECK(f.state(id) == PlanState::kDispatching);
  f.clock.advance(std::chrono::minutes(2));
  f.seen();
  f.step();  // Its wave's time is over
  f.signer.is_away = false;
  for (int i = 0; i < 3; ++i) f.watch();
  CHECK(approval::is_over(f.state(id)));
  CHECK(f.executions() == 0);
}

TEST_CASE("a wave of many is stopped inside: what failed is the last slice") {
  DispatchFixture f(40);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  for (int i = 0; i < 3; ++i) f.watch();
  CHECK(f.executions() == 20);  // 1, 1, 8 and the first ten of the rest
  for (auto& host : f.hosts) host.outcome = wire::ResultOutcome::kFailed;
  for (int i = 0; i < 5; ++i) f.watch();
  CHECK(f.state(id) == PlanState::kFailed);
  CHECK(f.executions() == 30);
  CHECK(f.target_state(id, 39) == TargetState::kSkipped);
}

TEST_CASE("a freeze between waves stops the plan") {
  DispatchFixture f(8);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  must(f.desk->set_freeze(tenant(), "dave", true, "release", 0));
  f.watch();
  CHECK(f.state(id) == PlanState::kCancelled);
  CHECK(f.executions() == 1);
}

TEST_CASE("a person who cancels stops what was not sent, and what was is told") {
  DispatchFixture f(8);
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  must(f.desk->cancel(tenant(), id, "dave"));
  f.watch();
  CHECK(f.state(id) == PlanState::kCancelled);
  CHECK(f.target_state(id, 0) == TargetState::kSucceeded);
  CHECK(f.target_state(id, 1) == TargetState::kSkipped);
  CHECK(f.executions() == 1);
}

TEST_CASE("all at once is one wave") {
  DispatchFixture f(8);
  auto wanted = f.restart_web();
  wanted.all_at_once = true;
  const auto id = f.create(wanted);
  f.settle();
  f.approve(id);
  f.settle();
  CHECK(f.executions() == 8);
}
