#include "tests/unit/controlplane/dispatch/dispatch_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::dispatch_test;

namespace {

// A plan whose command is out and not answered.
struct OpenCommand : DispatchFixture {
  std::string id;
  std::string envelope;
  wire::Command command;

  explicit OpenCommand(int host_count = 1) : DispatchFixture(host_count) {
    id = create(restart_web());
    settle();
    approve(id);
    step();
    const auto open = must(store->commands().open(hosts[0].id));
    REQUIRE(open.size() == 1);
    envelope = open[0].envelope;
    command = must(wire::decode_command(must(wire::decode_envelope(envelope)).payload));
    delivered = down.sent.size();
  }
  void bring(const std::string& result) {
    wire::ControlBatch control;
    control.results.push_back(result);
    commit(hosts[0], control);
    step();
  }
  wire::CommandResult good() const { return result_of(hosts[0], command, envelope); }
  std::size_t alerts() {
    std::size_t count = 0;
    for (const auto& alert : must(store->alerts().open())) count += alert.kind == "command.result";
    return count;
  }
};

}  // namespace

TEST_CASE("a result that the host's key did not sign changes nothing") {
  OpenCommand f;
  FakeHost other;
  f.bring(f.sign_result(other, f.good()));
  CHECK(f.target_state(f.id) == TargetState::kDispatched);
  CHECK(f.alerts() == 1);
  f.bring(f.sign_result(f.hosts[0], f.good()));
  CHECK(f.target_state(f.id) == TargetState::kVerifying);
}

TEST_CASE("a result about other bytes than were sent changes nothing") {
  OpenCommand f;
  auto result = f.good();
  result.command_sha256[0] ^= 1;
  f.bring(f.sign_result(f.hosts[0], result));
  CHECK(f.target_state(f.id) == TargetState::kDispatched);
  CHECK(f.alerts() == 1);
}

TEST_CASE("a result of another command than this host was sent is an alert, and nothing more") {
  OpenCommand f;
  auto result = f.good();
  result.command_id.fill(9);
  result.command_sha256.fill(9);
  f.bring(f.sign_result(f.hosts[0], result));
  f.bring("rubbish");
  CHECK(f.target_state(f.id) == TargetState::kDispatched);
  CHECK(f.alerts() == 1);
}

TEST_CASE("a command that was delivered to another host is told with what that host answered") {
  OpenCommand f(2);
  auto& stranger = f.hosts[1];
  auto result = f.good();
  result.agent = stranger.id;
  result.outcome = wire::ResultOutcome::kRefused;
  result.reason = "wrong_host";
  result.state_before = result.state_after = {};
  const auto bring = [&](const std::string& envelope) {
    wire::ControlBatch control;
    control.results.push_back(envelope);
    f.commit(stranger, control);
    f.step();
  };
  std::string kind = "result.stray";
  SUBCASE("in its own words") {
    bring(f.sign_result(stranger, result));
  }
  SUBCASE("which are bounded, and take nothing from the host that was asked") {
    for (std::size_t i = 0; i < model::kMaxResultsOfCommand; ++i) {
      result.finished_ms += static_cast<std::int64_t>(i);
      bring(f.sign_result(stranger, result));
    }
  }
  SUBCASE("but not without its signature") {
    kind = "result.forged";
    bring(f.sign_result(f.hosts[0], result));
  }
  const auto log = must(f.store->audit().list(0, 1'000));
  const auto told = std::count_if(log.begin(), log.end(),
                                  [&](const auto& entry) { return entry.action == kind; });
  CHECK(told == 1);
  CHECK(f.target_state(f.id) == TargetState::kDispatched);
  f.bring(f.sign_result(f.hosts[0], f.good()));
  CHECK(f.target_state(f.id) == TargetState::kVerifying);
}

TEST_CASE("a result is stored once, however often it comes") {
  OpenCommand f;
  const auto result = f.sign_result(f.hosts[0], f.good());
  for (int i = 0; i < 3; ++i) f.bring(result);
  CHECK(must(f.store->commands().results(f.command.id)).size() == 1);
  CHECK(f.target_state(f.id) == TargetState::kVerifying);
}

TEST_CASE("a host that answers one command again and again is bounded") {
  OpenCommand f;
  for (std::size_t i = 0; i < model::kMaxResultsOfCommand + 4; ++i) {
    auto result = f.good();
    result.finished_ms += static_cast<std::int64_t>(i);
    f.bring(f.sign_result(f.hosts[0], result));
  }
  CHECK(must(f.store->commands().results(f.command.id)).size() == model::kMaxResultsOfCommand);
  CHECK(f.alerts() == 1);
}

TEST_CASE("a host that could not read the command refuses it by its hash") {
  OpenCommand f;
  auto result = f.good();
  result.command_id = {};
  result.seq = 0;
  result.session = {};
  result.outcome = wire::ResultOutcome::kRefused;
  result.reason = "bad_signature";
  result.state_before = result.state_after = {};
  f.bring(f.sign_result(f.hosts[0], result));
  CHECK(f.target_state(f.id) == TargetState::kRefused);
}

TEST_CASE("a target that changed since the dry run voids the approval") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.hosts[0].refusal = "stale";
  f.approve(id);
  f.settle();
  CHECK(f.state(id) == PlanState::kExpired);
  CHECK(f.executions() == 0);
}

TEST_CASE("another session gets another command, after the hello that names it") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.hosts[0].session = 2;  // It was started anew since its hello
  f.approve(id);
  f.settle();
  CHECK(f.executions() == 0);
  CHECK(f.target_state(id) == TargetState::kSimulated);
  f.clock.advance(std::chrono::seconds(1));
  f.hello(f.hosts[0]);
  f.settle();
  CHECK(f.executions() == 1);
  CHECK(f.show(id).targets[0].record.attempts == 2);
}

TEST_CASE("a refusal for a reason that passes is tried three times, not for ever") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.hosts[0].refusal = "time_unknown";
  f.approve(id);
  for (int i = 0; i < 6; ++i) f.pass(std::chrono::seconds(11));
  CHECK(f.state(id) == PlanState::kFailed);
  CHECK(f.hosts[0].received.size() == 4);  // One dry run, three commands
  CHECK(f.executions() == 0);
}

TEST_CASE("what the host put back is rolled back") {
  DispatchFixture f;
  f.hosts[0].outcome = wire::ResultOutcome::kRolledBack;
  const auto id = f.create(f.restart_web());
  f.settle();
  f.approve(id);
  f.settle();
  CHECK(f.state(id) == PlanState::kRolledBack);
}
