#include "acting.h"

using namespace observeai;
using namespace observeai::agent::executor;

TEST_CASE_FIXTURE(Acting, "a dry run looks and does nothing") {
  const auto told = result(addressed(rig.dry_run(intent())));
  CHECK(told.outcome == wire::ResultOutcome::kDryRun);
  CHECK(told.diff == script.diff);
  CHECK(told.state_before == wire::digest_of(script.state));
  CHECK(told.downtime_ms == 500);
  CHECK(told.facts == wire::Labels{{"approvals_needed", "1"}, {"replicas", "2"}});
  CHECK(told.started_ms == 0);
  CHECK(script.calls == Calls{"assess"});
  CHECK(script.lists == std::vector<std::string>{"/var/log/app"});
}

TEST_CASE_FIXTURE(Acting,
                  "a host that wants three persons says so in the dry run, and gets three") {
  set_policy("cooldown = \"0s\"\n[approvals]\ntier1 = 3\n", "**");
  const auto told = result(addressed(rig.dry_run(intent())));
  CHECK(told.facts == wire::Labels{{"approvals_needed", "3"}, {"replicas", "2"}});
  auto asked = intent();
  asked.requester = "dave";
  asked.state = told.state_before;
  asked.diff = wire::diff_digest(told.diff);
  std::vector<signing::SigningKeyPair> persons = {rig.alice, rig.bob};
  auto two = rig.execute(asked);
  rig.approve(two, persons);
  CHECK(result(addressed(two)).reason == "approval_missing");
  persons.push_back(rig.carol);
  auto three = rig.execute(asked);
  rig.approve(three, persons);
  const auto done = result(addressed(three));
  CHECK(done.outcome == wire::ResultOutcome::kSucceeded);
  CHECK(done.facts == wire::Labels{{"replicas", "2"}});
}

TEST_CASE_FIXTURE(Acting, "what was approved is done, verified and told") {
  script.output = "stopped\n";
  const auto told = result(command());
  CHECK(told.outcome == wire::ResultOutcome::kSucceeded);
  CHECK(told.reason.empty());
  CHECK(told.diff == script.diff);
  CHECK(told.target == "container/web");
  CHECK(told.output == "stopped\n");
  REQUIRE(told.steps.size() == 1);
  CHECK(told.steps[0].name == "stop");
  CHECK(script.calls == Calls{"assess", "execute", "verify", "assess"});
}

TEST_CASE_FIXTURE(Acting,
                  "the look before an execution knows what was approved, no other look does") {
  result(command());
  result(addressed(rig.dry_run(intent())));
  using Looks = std::vector<std::optional<wire::Digest>>;
  CHECK(script.approved == Looks{wire::digest_of(script.state), std::nullopt, std::nullopt});
}

TEST_CASE_FIXTURE(Acting, "memory may be given back between the phases, and nowhere else") {
  using Counts = std::vector<std::size_t>;
  CHECK(gave_back == Counts{0, 0, 0});  // For the ledger, and for the time that the host was told
  gave_back.clear();
  result(addressed(rig.dry_run(intent())));
  CHECK(gave_back == Counts{0, 1});
  gave_back.clear();
  result(command());
  CHECK(script.calls == Calls{"assess", "assess", "execute", "verify", "assess"});
  CHECK(gave_back == Counts{1, 2, 5, 5});
}

TEST_CASE_FIXTURE(Acting, "what changed in another way than foreseen is said") {
  script.changed = {{"container/web", "running", "dead"}};
  const auto told = result(command());
  CHECK(told.outcome == wire::ResultOutcome::kSucceeded);
  CHECK(told.diff == script.changed);
  CHECK(!told.message.empty());
}

TEST_CASE_FIXTURE(Acting, "a target that is not as it was approved is left alone") {
  const auto stale = command();
  script.state = "running=false";
  CHECK(result(stale).reason == "stale");
  auto other = command();
  script.diff.push_back({"container/db", "running", "stopped"});
  CHECK(result(other).reason == "diff_changed");
  CHECK(script.calls == Calls{"assess", "assess"});
}

TEST_CASE_FIXTURE(Acting, "why the target cannot be acted on becomes the reason") {
  const auto reason = [&](Errc code) {
    script.assess = Error(code, "because");
    const auto told = result(command());
    CHECK(told.outcome == wire::ResultOutcome::kRefused);
    CHECK(told.message == "because");
    return told.reason;
  };
  CHECK(reason(Errc::kNotFound) == "no_target");
  CHECK(reason(Errc::kDenied) == "policy");
  CHECK(reason(Errc::kInvalid) == "bad_parameter");
  CHECK(reason(Errc::kUnavailable) == "precondition");
  CHECK(reason(Errc::kTimeout) == "precondition");
}

TEST_CASE_FIXTURE(Acting, "what failed is undone only where that was approved") {
  script.verify = Error(Errc::kUnavailable, "it does not answer");
  auto told = result(command());
  CHECK(told.outcome == wire::ResultOutcome::kFailed);
  CHECK(told.reason == "post_condition");
  CHECK(script.calls == Calls{"assess", "execute", "verify", "assess"});
  script.calls.clear();
  told = result(command(true));
  CHECK(told.outcome == wire::ResultOutcome::kRolledBack);
  CHECK(told.reason.empty());
  CHECK(told.steps.back().name == "undo: start");
  CHECK(script.calls == Calls{"assess", "execute", "verify", "undo", "assess"});
  script.undo = Error(Errc::kUnavailable, "nor does it start");
  told = result(command(true));
  CHECK(told.outcome == wire::ResultOutcome::kFailed);
  CHECK(told.message.find("could not be undone: nor does it start") != std::string::npos);
}

TEST_CASE_FIXTURE(Acting, "an action that fails is told with its reason") {
  script.execute = Error(Errc::kUnavailable, "no engine\x1b[2J");
  auto told = result(command());
  CHECK(told.outcome == wire::ResultOutcome::kFailed);
  CHECK(told.reason == "failed");
  CHECK(told.message == "no engine\\x1b[2J");
  script.execute = Error(Errc::kTimeout, "too slow");
  told = result(command());
  CHECK(told.reason == "timeout");
}

TEST_CASE_FIXTURE(Acting, "no command takes longer than the control plane waits for its answer") {
  script.slow = &clock;
  script.execute = Error(Errc::kTimeout, "too slow");
  const auto before = clock.steady_now();
  const auto slow = command(true);
  CHECK(result(slow).outcome == wire::ResultOutcome::kRolledBack);
  CHECK(script.calls == std::vector<std::string>{"assess", "execute", "undo", "assess"});
  CHECK(clock.steady_now() - before ==
        std::chrono::milliseconds(wire::longest_run_ms(intent().timeout_ms)));
}

TEST_CASE_FIXTURE(Acting, "what a result cannot carry is left out, and that is said") {
  script.diff = {{"\x1b[2J", "", ""}};
  script.changed = script.diff;
  const auto dry = result(addressed(rig.dry_run(intent())));
  CHECK(dry.outcome == wire::ResultOutcome::kRefused);
  CHECK(dry.reason == "precondition");
  CHECK(dry.message.find("cannot be told") != std::string::npos);
}

TEST_CASE_FIXTURE(Acting, "a target that waits for its command is locked, others are not") {
  auto first = executor->admit(rig.sign_command(command()));
  REQUIRE(std::holds_alternative<std::unique_ptr<Executor::Job>>(first));
  CHECK(result(command()).reason == "busy");
  CHECK(result(addressed(rig.dry_run(intent()))).reason == "busy");
  auto& job = std::get<std::unique_ptr<Executor::Job>>(first);
  CHECK(open_result(executor->turn_away(std::move(job))).reason == "busy");
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
}

TEST_CASE_FIXTURE(Acting, "one container is one target, whatever a command calls it") {
  set_policy("cooldown = \"15m\"\n", "**");
  script.target = "container/web";
  called = std::string(64, 'a');
  const auto first = result(command());
  CHECK(first.outcome == wire::ResultOutcome::kSucceeded);
  CHECK(first.target == "container/web");
  for (const auto& name : {std::string("web"), std::string(64, 'a'), std::string(12, 'a')}) {
    called = name;
    CAPTURE(name);
    CHECK(result(command()).reason == "cooldown");
  }
}

TEST_CASE_FIXTURE(Acting, "a lock by name holds against the id, and is opened by its owner only") {
  script.target = "container/web";
  auto waits = executor->admit(rig.sign_command(command()));
  REQUIRE(std::holds_alternative<std::unique_ptr<Executor::Job>>(waits));
  called = std::string(64, 'a');
  CHECK(result(command()).reason == "busy");
  CHECK(result(command()).reason == "busy");
  auto& job = std::get<std::unique_ptr<Executor::Job>>(waits);
  CHECK(open_result(executor->run(std::move(job))).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
}

TEST_CASE_FIXTURE(Acting,
                  "the policy is the one in force when a command begins, not when it came") {
  auto waits = executor->admit(rig.sign_command(command()));
  REQUIRE(std::holds_alternative<std::unique_ptr<Executor::Job>>(waits));
  set_policy("", "container/db");
  auto& job = std::get<std::unique_ptr<Executor::Job>>(waits);
  const auto told = open_result(executor->run(std::move(job)));
  CHECK(told.reason == "policy");
  CHECK(told.policy == load_policy(dir / "policy.d", ::geteuid())->hash);
  CHECK(script.calls.empty());
  // A dry run that waited says what would happen now.
  set_policy("", "**");
  auto looks = executor->admit(rig.sign_command(addressed(rig.dry_run(intent()))));
  set_policy("", "container/db");
  CHECK(open_result(executor->run(std::move(std::get<std::unique_ptr<Executor::Job>>(looks))))
            .reason == "policy");
  CHECK(script.calls.empty());
}

TEST_CASE_FIXTURE(Acting, "what is taken away while the target is looked at does not happen") {
  script.target = "container/web";
  called = std::string(64, 'a');
  script.meanwhile = [&] { set_policy("", "container/a*"); };
  set_policy("", "**");
  const auto told = result(command());
  CHECK(told.reason == "policy");
  CHECK(told.target == "container/web");
  CHECK(script.calls == Calls{"assess"});
  // Both names' locks are open again.
  script.meanwhile = nullptr;
  set_policy("", "**");
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  called = "web";
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  // What the policy lists is what the action may use.
  script.meanwhile = [&] {
    const std::string rest = "[vacuum]\ndirectories = [\"/srv/app\"]\n";
    REQUIRE(files::write_atomic(dir / "policy.d/b.toml", rest, 0644));
  };
  auto one = command();
  one.policy = load_policy(dir / "policy.d", ::geteuid())->hash;
  CHECK(result(one).reason == "policy");
  std::filesystem::remove(dir / "policy.d/b.toml");
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(script.lists == std::vector<std::string>{"/srv/app"});
}

TEST_CASE_FIXTURE(Acting, "a rule for names is none for the ids that look like them") {
  set_policy("", "container/a*");
  script.target = "container/db";
  called = std::string(64, 'a');
  const auto told = result(command());
  CHECK(told.reason == "policy");
  CHECK(told.message.find("container/db") != std::string::npos);
  CHECK(result(addressed(rig.dry_run(intent()))).reason == "policy");
  CHECK(script.calls == Calls{"assess", "assess"});
}

TEST_CASE_FIXTURE(Acting,
                  "a command that was received when the program ended is told as not begun") {
  const auto waiting = command();
  auto admitted = executor->admit(rig.sign_command(waiting));
  REQUIRE(std::holds_alternative<std::unique_ptr<Executor::Job>>(admitted));
  start();
  const auto told = open_result(deliver(waiting));
  CHECK(told.outcome == wire::ResultOutcome::kRefused);
  CHECK(told.reason == "interrupted");
  CHECK(script.calls.empty());
}

TEST_CASE_FIXTURE(Acting, "results wait until they are spooled") {
  const auto frame = deliver(command());
  const auto list = executor->results();
  REQUIRE(list.kind == FrameKind::kResultList);
  CHECK(*decode_list(list.body) == std::vector<std::string>{frame.body});
  const auto digest = signing::sha256(frame.body);
  CHECK(executor->spooled(std::string(digest.begin(), digest.end())).kind == FrameKind::kDone);
  CHECK(decode_list(executor->results().body)->empty());
}

TEST_CASE("a host that is not enrolled answers, and does nothing") {
  TempDir dir;
  ManualHostTime time;
  ManualClock clock;
  Host host;
  Executor executor(Places{dir / "trust", dir / "ledger.db", dir / "run", dir / "policy.d", 0},
                    clock, time, host, {});
  executor.open();
  const auto status = decode_status(executor.status().body);
  REQUIRE(status);
  CHECK(status->state == "not enrolled");
  auto answer = executor.admit("a command");
  REQUIRE(std::holds_alternative<Frame>(answer));
  CHECK(std::get<Frame>(answer).kind == FrameKind::kError);
  CHECK(executor.take_time("x").kind == FrameKind::kError);
  CHECK(executor.take_roots("").kind == FrameKind::kError);
  CHECK(executor.results().kind == FrameKind::kError);
  CHECK(executor.spooled("").kind == FrameKind::kError);
}
