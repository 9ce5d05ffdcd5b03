#include "protocol/wire/command_time.h"
#include "tests/unit/controlplane/dispatch/dispatch_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::dispatch_test;
namespace approval = observeai::controlplane::approval;

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

}  // namespace

TEST_CASE("a plan goes from a wish to a verified outcome") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  CHECK(f.state(id) == PlanState::kSimulating);
  f.settle();
  auto card = f.show(id);
  CHECK(card.plan.detail == "");
  REQUIRE(card.plan.state == PlanState::kSimulated);
  CHECK(card.plan.batch_size == 1);
  CHECK(card.targets[0].dry_run->diff.size() == 1);
  CHECK(card.approvers_needed == 1);
  CHECK(f.executions() == 0);

  f.approve(id);
  CHECK(f.state(id) == PlanState::kApproved);
  f.settle();
  CHECK(f.state(id) == PlanState::kVerifying);
  CHECK(f.executions() == 1);
  f.watch();
  card = f.show(id);
  CHECK(card.plan.state == PlanState::kSucceeded);
  CHECK(card.history.succeeded == 1);
  CHECK(card.targets[0].result->outcome == wire::ResultOutcome::kSucceeded);
}

TEST_CASE("a host that wants three persons gets three") {
  DispatchFixture f(3);
  f.hosts[1].approvals_needed = "3";
  f.hosts[2].approvals_needed = "2";
  const auto id = f.create(f.restart_web());
  f.settle();
  CHECK(f.show(id).approvers_needed == 3);
  CHECK(f.show(id).why_approval.at(1) ==
        "host-policy/approvals: the policy of a host asks for 3 approvers");
  must(f.desk->approve(tenant(), id, "ann", f.approval(id, f.ann)));
  must(f.desk->approve(tenant(), id, "bob", f.approval(id, f.bob)));
  f.restart();  // It is stored
  f.settle();
  CHECK(f.state(id) == PlanState::kSimulated);
  CHECK(f.show(id).approved_by == std::vector<std::string>{"ann", "bob"});
  CHECK(f.show(id).approvers_needed == 3);
  must(f.desk->approve(tenant(), id, "cyd", f.approval(id, f.cyd)));
  f.settle();
  REQUIRE(f.hosts[0].executed.size() == 1);
  CHECK(f.hosts[0].executed[0].approvals.size() == 3);
}

TEST_CASE("a host that asks for fewer persons than the tier needs changes nothing") {
  for (const char* asked : {"0", "1", "none", "-5"}) {
    DispatchFixture f;
    CAPTURE(asked);
    f.hosts[0].approvals_needed = asked;
    const auto id = f.create(f.restart_web());
    f.settle();
    CHECK(f.show(id).approvers_needed == 1);
    for (const auto& why : f.show(id).why_approval)
      CHECK(why.find("policy of a host") == std::string::npos);
  }
}

TEST_CASE("a host that asks for more persons than a command can name is told at once") {
  DispatchFixture f;
  f.hosts[0].approvals_needed = "9";
  const auto id = f.create(f.restart_web());
  f.settle();
  CHECK(f.state(id) == PlanState::kFailed);
  CHECK(f.show(id).plan.detail.find("9 approvers") != std::string::npos);
}

TEST_CASE("a host that takes all its time to look, act and undo is waited for") {
  // Its command's turn comes just before it expires.
  const auto longest = std::chrono::milliseconds(15 * 60'000 + wire::longest_run_ms(60'000));
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  bool answers = true;
  SUBCASE("sent at once") {
    f.step();
  }
  SUBCASE("sent in time, when another one could not be") {
    f.step();
    // As when the wave's time to be sent is over.
    model::PlanChange change;
    change.plan = must(f.store->plans().find(*wire::PlanId::parse(id))).value();
    change.plan.state = PlanState::kDispatching;
    change.plan.deadline_ms = f.clock.unix_ms();
    must(f.store->plans().apply(change));
    f.step();
  }
  SUBCASE("made again after a refusal that passes") {
    f.hosts[0].refusal = "busy";
    f.step();
    f.deliver();
    f.step();
    f.hosts[0].refusal.clear();
    f.clock.advance(minutes(10));
    f.seen();
    f.step();
  }
  SUBCASE("never") {
    answers = false;
    f.step();
  }
  CHECK(f.state(id) == PlanState::kExecuting);
  f.clock.advance(longest);
  f.seen();
  f.step();
  CHECK(f.state(id) == PlanState::kExecuting);
  if (answers) {
    f.deliver();
    f.step();
    CHECK(f.target_state(id) == TargetState::kVerifying);
    return;
  }
  f.clock.advance(minutes(1));
  f.seen();
  f.step();
  CHECK(f.target_state(id) == TargetState::kInconclusive);
}

TEST_CASE("a command carries the approved intent, its path, and the approval as it came") {
  DispatchFixture f(3);
  const auto id = f.create(f.restart_web());
  f.settle();
  const auto envelope = f.approval(id, f.ann);
  must(f.desk->approve(tenant(), id, "ann", envelope));
  f.settle();
  REQUIRE(f.hosts[0].executed.size() == 1);
  const auto& command = f.hosts[0].executed[0];
  const auto plan = f.show(id).plan;
  CHECK(command.batch_root == plan.batch_root);
  CHECK(command.batch_size == 3);
  CHECK(signing::verify_merkle_path(command.intent, command.batch_index, 3, command.path,
                                    plan.batch_root));
  CHECK(command.approvals == std::vector<std::string>{envelope});
  CHECK(command.enrollment == wire::enrollment_id(f.hosts[0].result_key.public_key()));
  CHECK(command.session[0] == 1);
  CHECK(command.expires_ms - command.issued_ms <= 15 * 60'000);
  wire::Digest policy;
  policy.fill(0xaa);
  CHECK(command.policy == policy);
  CHECK(must(wire::decode_intent(command.intent)).state != wire::Digest{});
}

TEST_CASE("an action that only reads needs nobody, and its answer is the outcome") {
  DispatchFixture f;
  auto wanted = f.restart_web();
  wanted.action = "collect.diagnostics";
  wanted.parameters.clear();
  const auto id = f.create(wanted);
  f.settle();
  f.settle();
  CHECK(f.state(id) == PlanState::kSucceeded);
}

TEST_CASE("tier 2 needs two persons") {
  DispatchFixture f;
  auto wanted = f.restart_web();
  wanted.action = "docker.prune";
  wanted.parameters.clear();
  const auto id = f.create(wanted);
  f.settle();
  f.approve(id);
  f.settle();
  CHECK(f.state(id) == PlanState::kSimulated);
  f.approve(id);  // The same person again
  CHECK(f.state(id) == PlanState::kSimulated);
  must(f.desk->approve(tenant(), id, "bob", f.approval(id, f.bob)));
  CHECK(f.state(id) == PlanState::kApproved);
  f.settle();
  REQUIRE(f.hosts[0].executed.size() == 1);
  CHECK(f.hosts[0].executed[0].approvals.size() == 2);
}

TEST_CASE("numbers of an agent ascend strictly, over restarts and above what it has seen") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.restart();
  f.approve(id);
  f.settle();
  REQUIRE(f.hosts[0].received.size() == 2);
  CHECK(f.hosts[0].received[0].seq == 1);
  CHECK(f.hosts[0].received[1].seq == 2);
  CHECK(must(f.store->commands().reserve({{f.hosts[0].id, 100}})).front() == 101);
  CHECK(must(f.store->commands().reserve({{f.hosts[0].id, 7}})).front() == 102);
}

TEST_CASE("a lost command is sent again, byte by byte, until it is answered, and not after") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.down.is_broken = true;
  f.approve(id);
  f.settle();
  CHECK(f.executions() == 0);
  f.down.is_broken = false;
  f.pass(seconds(11));
  CHECK(f.executions() == 1);
  const auto sent = f.down.sent.size();
  f.pass(seconds(11));
  f.hello(f.hosts[0]);
  f.settle();
  CHECK(f.down.sent.size() == sent);
  CHECK(f.signer.signed_commands == 2);
}

TEST_CASE("a hello brings open commands along") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.down.is_broken = true;
  f.approve(id);
  f.settle();
  f.down.is_broken = false;
  f.hello(f.hosts[0]);
  f.settle();
  CHECK(f.executions() == 1);
}

TEST_CASE("a host that never answers leaves it inconclusive, in bounded time") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.hosts[0].is_deaf = true;
  f.approve(id);
  f.settle();
  CHECK(f.state(id) == PlanState::kExecuting);
  f.pass(minutes(20));
  CHECK(f.target_state(id) == TargetState::kInconclusive);
  CHECK(f.state(id) == PlanState::kInconclusive);
  // Its command is over: it is not sent to the host that comes back.
  f.hosts[0].is_deaf = false;
  f.hello(f.hosts[0]);
  f.settle();
  CHECK(f.executions() == 0);
}

TEST_CASE("a host without an executor, or that does not answer, fails the simulation") {
  DispatchFixture f(2);
  f.hosts[1].is_deaf = true;
  const auto id = f.create(f.restart_web());
  f.settle();
  CHECK(f.state(id) == PlanState::kSimulating);
  f.pass(minutes(2));
  CHECK(f.state(id) == PlanState::kFailed);
  CHECK(f.target_state(id, 1) == TargetState::kSilent);
}

TEST_CASE("a safety check that fails ends the plan before anybody is asked") {
  DispatchFixture f;
  f.hosts[0].dry_refusal = "no_target";
  const auto id = f.create(f.restart_web());
  f.settle();
  CHECK(f.state(id) == PlanState::kFailed);
  CHECK(f.show(id).plan.detail.find("no_target") != std::string::npos);
}

TEST_CASE("a freeze holds an approved plan back until it ends, or the plan does") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  must(f.desk->set_freeze(tenant(), "dave", true, "release", 0));
  f.approve(id);
  f.settle();
  CHECK(f.state(id) == PlanState::kApproved);
  CHECK(f.show(id).plan.detail.find("release") != std::string::npos);
  SUBCASE("cleared") {
    must(f.desk->set_freeze(tenant(), "dave", false, "done", 0));
    f.settle();
    CHECK(f.executions() == 1);
  }
  SUBCASE("not cleared") {
    f.pass(minutes(5));
    CHECK(f.state(id) == PlanState::kExpired);
    CHECK(f.executions() == 0);
  }
}

TEST_CASE("an approver who is removed before the dispatch does not count any more") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.roots.root.approvers = {{f.bob.public_key(), "bob"}};
  f.pass(minutes(5));
  CHECK(f.state(id) == PlanState::kExpired);
  CHECK(f.executions() == 0);
}

TEST_CASE("a signer that is away is waited for, one that refuses ends the plan") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  SUBCASE("away") {
    f.signer.is_away = true;
    f.approve(id);
    f.settle();
    CHECK(f.state(id) == PlanState::kDispatching);
    f.signer.is_away = false;
    f.settle();
    CHECK(f.executions() == 1);
  }
  SUBCASE("refuses") {
    f.signer.refuses = true;
    f.approve(id);
    f.settle();
    CHECK(f.state(id) == PlanState::kFailed);
    CHECK(f.show(id).plan.detail.find("out of delegation") != std::string::npos);
    CHECK(f.executions() == 0);
  }
}

TEST_CASE("the same again is held back by the cool-down") {
  DispatchFixture f;
  const auto first = f.create(f.restart_web());
  f.settle();
  f.approve(first);
  f.settle();
  f.watch();
  const auto second = f.create(f.restart_web());
  f.settle();
  CHECK(f.state(second) == PlanState::kFailed);
  CHECK(f.show(second).plan.detail.find("cool_down") != std::string::npos);
}

TEST_CASE("a container that dies after the restart fails the plan, whatever the host said") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  f.report(f.hosts[0], "exited");
  f.watch();
  CHECK(f.state(id) == PlanState::kVerifying);
  f.pass(minutes(5));
  CHECK(f.state(id) == PlanState::kFailed);
}

TEST_CASE("what is done and found wrong later is told with the finding and with its way back") {
  DispatchFixture f;
  auto wanted = f.restart_web();
  wanted.action = "docker.stop";
  wanted.roll_back = true;
  wanted.accept_downtime = true;
  const auto id = f.create(wanted);
  f.settle();
  CHECK(f.show(id).ways_back.empty());
  CHECK(f.show(id).rollback.find("what is found later is told") != std::string::npos);
  f.approve(id);
  f.settle();  // The host says it is done; its container runs on
  f.watch();
  f.pass(minutes(5));
  REQUIRE(f.state(id) == PlanState::kFailed);
  const auto view = f.show(id);
  CHECK(view.plan.detail == "1 of 1 failed (web-1: state (running): it should be stopped)");
  REQUIRE_FALSE(view.targets.at(0).record.verification.empty());
  CHECK(view.ways_back ==
        std::vector<model::WayBack>{{f.hosts[0].id, "docker.start", {{"container", "web"}}}});
  CHECK(f.executions() == 1);  // Nothing is undone by itself
}

TEST_CASE("the cool-down holds the same again, and not what takes it back") {
  DispatchFixture f;
  f.hosts[0].diff = {{"memory limit of web", "33554432 bytes", "67108864 bytes"}};
  const auto limit = [&](const char* bytes) {
    auto wanted = f.restart_web();
    wanted.action = "docker.update_memory";
    wanted.parameters["memory_bytes"] = bytes;
    return wanted;
  };
  const auto id = f.create(limit("67108864"));
  f.settle();
  f.approve(id);
  f.settle();
  f.pass(minutes(6));  // The inventory never shows the limit
  REQUIRE(f.state(id) == PlanState::kFailed);
  const auto ways = f.show(id).ways_back;
  REQUIRE(ways.size() == 1);

  const auto outcome = [&](const model::NewPlan& wanted) {
    f.clock.advance(seconds(1));
    const auto made = f.create(wanted);
    f.settle();
    const auto plan = f.show(made).plan;
    if (plan.state == PlanState::kSimulated) must(f.desk->cancel(tenant(), made, "carol"));
    return plan.state == PlanState::kFailed ? plan.detail : std::string();
  };
  for (const char* bytes : {"67108864", "134217728"})
    CHECK(outcome(limit(bytes)).find("cool_down") != std::string::npos);
  auto back = f.restart_web();
  back.action = ways[0].action;
  back.parameters = ways[0].parameters;
  CHECK(outcome(back).empty());
}
