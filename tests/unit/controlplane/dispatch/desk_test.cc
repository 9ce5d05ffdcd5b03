#include "protocol/base/text.h"
#include "tests/unit/controlplane/dispatch/dispatch_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::dispatch_test;

namespace {

Errc code_of(const Result<model::PlanView>& result) {
  REQUIRE_FALSE(result);
  return result.error().code();
}

std::vector<std::string> audited(DispatchFixture& f) {
  std::vector<std::string> out;
  for (const auto& entry : must(f.store->audit().list(0, 1'000))) out.push_back(entry.action);
  return out;
}

}  // namespace

TEST_CASE("a wish that the catalogue does not know is refused by name") {
  DispatchFixture f;
  const auto refused = [&](auto change) {
    auto wanted = f.restart_web();
    change(wanted);
    const auto made = f.desk->create(wanted, tenant(), "carol", true);
    REQUIRE_FALSE(made);
    return made.error().message();
  };
  CHECK(refused([](auto& w) { w.action = "shell.run"; }).find("shell.run") != std::string::npos);
  CHECK(refused([](auto& w) {
          w.parameters = {{"contaner", "web"}};
        }).find("container") != std::string::npos);
  CHECK(refused([](auto& w) { w.parameters["container"] = "--privileged"; }).find("container") !=
        std::string::npos);
  CHECK(refused([](auto& w) { w.parameters["container"] = "web; rm -rf /"; }).find("container") !=
        std::string::npos);
  CHECK(refused([](auto& w) { w.parameters["stop_timeout_s"] = "9999"; }).find("stop_timeout_s") !=
        std::string::npos);
  CHECK(refused([](auto& w) { w.reason = "a\x1b[31m"; }).find("reason") != std::string::npos);
  CHECK(refused([](auto& w) { w.roll_back = true; }).find("undone") != std::string::npos);
  refused([](auto& w) { w.agents.clear(); });
  refused([](auto& w) { w.agents = {*AgentId::parse("nobody")}; });
  refused([](auto& w) { w.timeout_ms = 999; });
  refused([](auto& w) { w.approval_lifetime_ms = 25LL * 3'600'000; });
  CHECK(must(f.store->plans().unfinished()).empty());
}

TEST_CASE("one target has one name, however the requester writes it") {
  DispatchFixture f;
  const auto named = [&](const std::string& action, const char* parameter,
                         const std::string& text) {
    auto wanted = f.restart_web();
    wanted.action = action;
    wanted.parameters = {{parameter, text}};
    const auto plan = must(f.desk->create(wanted, tenant(), "carol", false)).plan;
    return std::get<std::string>(plan.parameters.at(parameter));
  };
  const std::string id(64, 'c');
  for (const auto& text : {std::string("web"), std::string("/web"), id, id.substr(0, 12)})
    CHECK(named("docker.restart", "container", text) == "web");
  CHECK(named("docker.restart", "container", "cccc") == "cccc");  // Too short to be an id
  CHECK(named("docker.restart", "container", std::string(64, 'd')) == std::string(64, 'd'));
  CHECK(named("systemd.restart", "unit", "nginx") == "nginx.service");
  CHECK(named("systemd.restart", "unit", "nginx.service") == "nginx.service");
  CHECK(named("systemd.restart", "unit", "backup.timer") == "backup.timer");
}

TEST_CASE("two plans for one container are the same plan, whatever their other parameters") {
  DispatchFixture f;
  const auto first = f.create(f.restart_web());
  f.settle();
  REQUIRE(f.state(first) == PlanState::kSimulated);
  f.clock.advance(std::chrono::milliseconds(1));
  auto wanted = f.restart_web();
  wanted.parameters = {{"container", std::string(64, 'c')}, {"stop_timeout_s", "1"}};
  const auto second = f.create(wanted);
  f.settle();
  CHECK(f.state(second) == PlanState::kFailed);
  CHECK(f.show(second).plan.detail.find("duplicate (" + first) != std::string::npos);
}

TEST_CASE("a unit that systemd starts again and again is not restarted once more") {
  DispatchFixture f;
  auto& host = f.hosts[0];
  const auto restarted = [&](const char* unit, const char* times) {
    wire::ControlBatch control;
    auto& event = control.events.emplace_back();
    event.ts_ms = f.clock.unix_ms();
    event.kind = "unit.restart";
    event.target = unit;
    event.attributes = {{"restart_count", "9"}, {"restarts", times}};
    f.commit(host, control);
  };
  const auto flapping = [&] {
    auto wanted = f.restart_web();
    wanted.action = "systemd.restart";
    wanted.parameters = {{"unit", "nginx"}};
    wanted.accept_downtime = true;
    host.target = "unit/nginx.service";
    const auto id = f.create(wanted);
    f.settle();
    for (const auto& check : f.show(id).plan.checks)
      if (check.name == "flapping") return check.value + " " + std::to_string(int(check.verdict));
    return std::string("no check");
  };
  restarted("unit/other.service", "5");
  restarted("unit/nginx.service", "2");
  CHECK(flapping() == "2 in 30 min 1");
  restarted("unit/nginx.service", "1");
  CHECK(flapping() == "3 in 30 min 3");
  // What is counted is in the store, not in a process.
  f.restart();
  CHECK(flapping() == "3 in 30 min 3");
  f.pass(std::chrono::minutes(31));
  CHECK(flapping() == "0 in 30 min 1");
}

TEST_CASE("what holds plans back is in the store: a control plane that was killed knows it again") {
  DispatchFixture f(6);
  const auto plan_for = [&](std::size_t host) {
    auto wanted = f.restart_web();
    wanted.agents = {f.hosts[host].id};
    return f.create(wanted);
  };
  const auto finding = [&](const std::string& id, const char* name) {
    for (const auto& check : f.show(id).plan.checks)
      if (check.name == name) return check;
    return model::CheckFinding{};
  };
  // One after the other fails on hosts of its own.
  for (std::size_t i = 0; i < 5; ++i) {
    f.hosts[i].outcome = wire::ResultOutcome::kFailed;
    const auto id = plan_for(i);
    f.settle();
    f.approve(id);
    f.settle();
    REQUIRE(f.state(id) == PlanState::kFailed);
    f.pass(std::chrono::seconds(10));
  }
  f.restart();
  const auto sixth = plan_for(5);
  f.settle();
  CHECK(f.state(sixth) == PlanState::kFailed);
  CHECK(finding(sixth, "circuit_breaker").verdict == model::Verdict::kFail);
  CHECK(finding(sixth, "circuit_breaker").value.find("open for 14m") == 0);
  CHECK(finding(sixth, "cool_down").verdict == model::Verdict::kPass);
  const auto again = plan_for(0);
  f.settle();
  // After a failure twice as long: 30 minutes.
  CHECK(finding(again, "cool_down").value.find("29m") == 0);
  f.pass(std::chrono::minutes(16));
  const auto later = plan_for(5);
  f.settle();
  CHECK(f.state(later) == PlanState::kSimulated);
  CHECK(finding(later, "circuit_breaker").value == "closed");
}

TEST_CASE("a card says who may approve, what was passed over, and where it stands in the audit") {
  DispatchFixture f;
  f.roots.root.approvers.push_back({signing::SigningKeyPair::generate().public_key(), "carol"});
  const auto id = f.create(f.restart_web());
  f.settle();
  auto card = f.show(id);
  std::vector<std::string> persons;
  for (const auto& one : card.may_approve) persons.push_back(one.person);
  // Not carol, who asks.
  REQUIRE(persons == std::vector<std::string>{"ann", "bob", "cyd"});
  CHECK(card.may_approve[0].key_ids == std::vector<std::string>{f.ann.id().value()});
  REQUIRE(card.alternatives.size() == 2);
  CHECK(card.alternatives[0].action == "docker.update_memory");
  CHECK(card.why_approval.at(0).find("catalogue/tier-1:") == 0);
  const auto simulated = card.audit;
  CHECK(simulated.seq > 0);
  CHECK(card.history.median_ms == 0);
  f.approve(id);
  f.settle();
  f.watch();
  card = f.show(id);
  REQUIRE(card.plan.state == PlanState::kSucceeded);
  CHECK(card.audit.seq > simulated.seq);
  const auto entries = must(f.store->audit().list(card.audit.seq - 1, 1));
  CHECK(entries.at(0).object == id);
  CHECK(entries.at(0).hash == card.audit.hash);
  CHECK(card.history.succeeded == 1);
  CHECK(card.history.median_ms == 31'000);
  // What verification looked at stays, also for the control plane that starts next.
  f.restart();
  card = f.show(id);
  std::vector<std::string> looked;
  for (const auto& one : card.targets.at(0).record.verification)
    if (one.verdict == model::Verdict::kPass) looked.push_back(one.name);
  CHECK(looked == std::vector<std::string>{"state", "restarts", "as_intended"});
}

TEST_CASE("another tenant sees and moves nothing") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  const auto other = TenantId::parse("other").value();
  CHECK(code_of(f.desk->show(other, id)) == Errc::kNotFound);
  CHECK(code_of(f.desk->cancel(other, id, "eve")) == Errc::kNotFound);
  CHECK(code_of(f.desk->create(f.restart_web(), other, "eve", true)) == Errc::kNotFound);
  CHECK(must(f.desk->list(other)).empty());
  f.settle();
  CHECK(must(f.desk->commands(other)).empty());
  const auto commands = must(f.desk->commands(tenant()));
  REQUIRE(commands.size() == 1);
  const auto hex = text::to_hex(commands[0].id);
  CHECK_FALSE(f.desk->command(other, hex));
  CHECK(must(f.desk->command(tenant(), hex)).results.size() == 1);
}

TEST_CASE("the requester does not approve, whatever key is used") {
  DispatchFixture f;
  f.roots.root.approvers = {{f.ann.public_key(), "carol"}};
  const auto id = f.create(f.restart_web());
  f.settle();
  CHECK(code_of(f.desk->approve(tenant(), id, "ann", f.approval(id, f.ann))) == Errc::kDenied);
  CHECK(f.state(id) == PlanState::kSimulated);
}

TEST_CASE("large and small letters make no other person of the requester") {
  DispatchFixture f;
  f.roots.root.approvers = {{f.ann.public_key(), "Carol"}, {f.bob.public_key(), "bob"}};
  const auto id = f.create(f.restart_web());
  f.settle();
  const auto refused = f.desk->approve(tenant(), id, "ann", f.approval(id, f.ann));
  CHECK(code_of(refused) == Errc::kDenied);
  CHECK(refused.error().message().find("asked for this plan") != std::string::npos);
}

TEST_CASE("a requester whom the root does not name is told to who approves") {
  const auto is_told = [](DispatchFixture& f, const std::string& id) {
    for (const auto& why : f.show(id).why_approval) {
      if (why.find("API user carol, who is no person") != std::string::npos) return true;
    }
    return false;
  };
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  CHECK(is_told(f, id));
  f.roots.root.approvers.push_back({f.cyd.public_key(), "Carol"});
  CHECK_FALSE(is_told(f, id));
}

TEST_CASE("simulating anew voids what was approved") {
  DispatchFixture f;
  auto wanted = f.restart_web();
  wanted.action = "docker.prune";
  wanted.parameters.clear();
  const auto id = f.create(wanted);
  f.settle();
  const auto first = f.approval(id, f.ann);
  must(f.desk->approve(tenant(), id, "ann", first));
  CHECK(f.show(id).approved_by.size() == 1);
  must(f.desk->simulate(tenant(), id, "carol"));
  CHECK(f.show(id).approvals.empty());
  f.clock.advance(std::chrono::seconds(1));
  f.settle();
  CHECK(f.state(id) == PlanState::kSimulated);
  CHECK(f.hosts[0].received.size() == 2);
}

TEST_CASE("one signed no rejects, and so does a person at the console") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  SUBCASE("signed") {
    must(f.desk->approve(tenant(), id, "bob",
                         f.approval(id, f.bob, wire::ApprovalDecision::kReject)));
    CHECK(f.show(id).plan.decided_by == "bob");
  }
  SUBCASE("said") {
    must(f.desk->reject(tenant(), id, "dave", "not now"));
  }
  CHECK(f.state(id) == PlanState::kRejected);
  CHECK(code_of(f.desk->approve(tenant(), id, "ann", f.approval(id, f.ann))) == Errc::kDenied);
  f.settle();
  CHECK(f.executions() == 0);
}

TEST_CASE("what has no place in a state is refused") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  CHECK(code_of(f.desk->reject(tenant(), id, "dave", "x")) == Errc::kDenied);
  must(f.desk->cancel(tenant(), id, "dave"));
  CHECK(f.state(id) == PlanState::kCancelled);
  CHECK(code_of(f.desk->cancel(tenant(), id, "dave")) == Errc::kDenied);
  CHECK(code_of(f.desk->simulate(tenant(), id, "dave")) == Errc::kDenied);
  CHECK(f.target_state(id) == TargetState::kSkipped);
  CHECK(must(f.store->commands().open(f.hosts[0].id)).empty());
}

TEST_CASE("every step is audited, in the transaction that makes it") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  f.watch();
  const auto actions = audited(f);
  for (const char* wanted :
       {"plan.create", "plan.simulate", "plan.approve", "plan.dispatch", "plan.result"}) {
    CAPTURE(wanted);
    CHECK(std::find(actions.begin(), actions.end(), wanted) != actions.end());
  }
}

TEST_CASE("plans that are over for long are forgotten with all that belongs to them") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  f.watch();
  f.clock.advance(std::chrono::hours(24 * 90) + std::chrono::seconds(1));
  must(f.store->maintenance());
  CHECK_FALSE(f.desk->show(tenant(), id));
  CHECK(must(f.desk->commands(tenant())).empty());
}

TEST_CASE("the catalogue is listed with everything a form needs") {
  DispatchFixture f;
  const auto actions = f.desk->actions();
  CHECK(actions.size() > 10);
  CHECK(actions.front().manifest_sha256.size() == 64);
}
