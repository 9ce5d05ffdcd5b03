#include "agent/executor/executor.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/executor/trust.h"
#include "host_time.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/wire/command_time.h"
#include "tests/support/command_rig.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using observeai::test::CommandRig;
using observeai::test::ManualHostTime;
using observeai::test::TempDir;

namespace {

constexpr const char* kPolicy =
    "enabled = true\nmax_tier = 2\ncooldown = \"0s\"\n[[allow]]\naction = \"docker.stop\"\n"
    "targets = [\"**\"]\n[vacuum]\ndirectories = [\"/var/log/app\"]\n";

// What an action would say, and what was asked of it.
struct Script {
  std::optional<Error> assess, execute, verify, undo, recover;
  bool recover_later = false;  // The way back of execute() and undo() failed
  std::string hopeless;        // The state that recover() cannot put right
  std::string state = "running=true";
  std::string target;  // As the host calls it
  std::vector<wire::Change> diff = {{"container/web", "running", "stopped"}};
  std::vector<wire::Change> changed = diff;
  std::string output;
  std::vector<std::string> calls;
  std::vector<std::string> lists;   // That the host allowed at assess() or execute()
  std::function<void()> meanwhile;  // Happens during assess()
  std::vector<std::optional<wire::Digest>> approved;  // What assess() was to look for
  ManualClock* slow = nullptr;                        // Everything takes all the time that it has

  void take_time(const Run& run) const {
    if (slow != nullptr) slow->advance(run.deadline() - slow->steady_now());
  }
};

class ScriptedAction final : public Action {
 public:
  ScriptedAction(Script& script, const Host& host) : script_(script), host_(host) {}
  Result<Assessment> assess(const wire::Parameters&, Run& run) override {
    script_.calls.emplace_back("assess");
    script_.take_time(run);
    script_.approved.push_back(run.approved());
    script_.lists = host_.lists.vacuum_directories;
    if (script_.meanwhile) script_.meanwhile();
    if (script_.assess) return *script_.assess;
    Assessment seen;
    seen.state = script_.state;
    seen.diff = script_.diff;
    seen.target = script_.target;
    seen.downtime_ms = 500;
    seen.facts = {{"replicas", "2"}};
    return seen;
  }
  Result<void> execute(const wire::Parameters&, const Assessment&, Run& run) override {
    script_.calls.emplace_back("execute");
    script_.take_time(run);
    script_.lists = host_.lists.vacuum_directories;
    run.step("stop", "web");
    run.output(script_.output);
    if (script_.recover_later) run.recover_later();
    if (script_.execute) return *script_.execute;
    return {};
  }
  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment&,
                                           Run&) override {
    script_.calls.emplace_back("verify");
    if (script_.verify) return *script_.verify;
    return script_.changed;
  }
  Result<void> undo(const wire::Parameters&, const Assessment&, Run& run) override {
    script_.calls.emplace_back("undo");
    script_.take_time(run);
    run.step("start", "web");
    if (script_.undo && script_.recover_later) run.recover_later();
    if (script_.undo) return *script_.undo;
    return {};
  }
  Result<std::string> recover(const std::string& state, Run& run) override {
    script_.calls.emplace_back("recover " + state + " " + run.command().substr(0, 4));
    if (script_.recover) return *script_.recover;
    if (state == script_.hopeless) return Error(Errc::kUnavailable, "the port is taken");
    return "web is back";
  }

 private:
  Script& script_;
  const Host& host_;
};

struct Acting {
  TempDir dir;
  CommandRig rig;
  ManualHostTime time;
  ManualClock clock;
  Host host;
  Script script;
  std::string called = "web";  // The container, by the commands
  std::uint64_t seq = 0;
  std::unique_ptr<Executor> executor;
  std::vector<std::size_t> gave_back;  // After how many calls of the action

  Acting() {
    std::filesystem::create_directory(dir / "policy.d");
    ::chmod((dir / "policy.d").c_str(), 0755);
    REQUIRE(files::write_atomic(dir / "policy.d/a.toml", kPolicy, 0644));
    const auto root = rig.sign_root(rig.root_metadata());
    REQUIRE(write_trust(dir / "trust",
                        {rig.agent, rig.tenant, rig.result_key, root, signing::sha256_hex(root)}));
    start();
    const auto answer = executor->take_time(rig.sign_time(status().time_challenge, rig.now_ms));
    REQUIRE(answer.kind == FrameKind::kDone);
  }
  void start() {
    executor.reset();
    Actions actions;
    actions.emplace("docker.stop", std::make_unique<ScriptedAction>(script, host));
    executor = std::make_unique<Executor>(
        Places{dir / "trust", dir / "ledger.db", dir / "run", dir / "policy.d", ::geteuid()}, clock,
        time, host, std::move(actions), [this] { gave_back.push_back(script.calls.size()); });
  }
  void set_policy(const std::string& settings, const std::string& targets) {
    const auto text = "enabled = true\nmax_tier = 2\n" +
                      (settings.empty() ? "cooldown = \"0s\"\n" : settings) +
                      "[[allow]]\naction = \"docker.stop\"\ntargets = [\"" + targets + "\"]\n";
    REQUIRE(files::write_atomic(dir / "policy.d/a.toml", text, 0644));
  }
  Status status() { return *decode_status(executor->status().body); }
  wire::CommandResult open_result(const Frame& frame) {
    REQUIRE(frame.kind == FrameKind::kResult);
    const auto opened = wire::decode_envelope(frame.body);
    REQUIRE(opened);
    const std::vector<signing::VerifyKey> host_key = {rig.result_key.public_key()};
    REQUIRE(signing::verify(*opened, wire::kResultType, 1, host_key));
    const auto result = wire::decode_result(opened->payload);
    REQUIRE(result);
    return *result;
  }
  wire::Command addressed(wire::Command command) {
    command.session = status().session;
    command.seq = ++seq;
    return command;
  }
  wire::Intent intent(bool roll_back = false) {
    auto out = rig.intent("docker.stop", {{"container", called}});
    out.roll_back = roll_back;
    return out;
  }
  wire::Command command(bool roll_back = false) {
    auto out = intent(roll_back);
    out.plan = *wire::PlanId::parse("plan-" + std::to_string(seq + 1));
    out.state = wire::digest_of(script.state);
    out.diff = wire::diff_digest(script.diff);
    auto command = rig.execute(out);
    rig.approve(command, {rig.alice});
    return addressed(std::move(command));
  }
  Frame deliver(const wire::Command& command) {
    auto admitted = executor->admit(rig.sign_command(command));
    if (auto* frame = std::get_if<Frame>(&admitted)) return *frame;
    return executor->run(std::move(std::get<std::unique_ptr<Executor::Job>>(admitted)));
  }
  wire::CommandResult result(const wire::Command& command) { return open_result(deliver(command)); }
};

using Calls = std::vector<std::string>;

}  // namespace

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

// What the ledger holds after a crash in the middle of an execution.
struct Interrupted : Acting {
  wire::Command at_work = command();

  Interrupted() {
    executor.reset();
    const auto trust = Trust::open(dir / "trust", ::geteuid());
    auto ledger = *Ledger::open(dir / "ledger.db", trust->enrollment());
    wire::CommandResult draft;
    draft.command_id = at_work.id;
    draft.command_sha256 = signing::sha256(rig.sign_command(at_work));
    draft.seq = at_work.seq;
    draft.tenant = rig.tenant;
    draft.agent = rig.agent;
    draft.target = "container/web";
    draft.outcome = wire::ResultOutcome::kInterrupted;
    Ledger::Entry entry;
    entry.id = at_work.id;
    entry.sha256 = draft.command_sha256;
    entry.seq = at_work.seq;
    entry.execute = true;
    entry.received_ms = rig.now_ms;
    entry.draft = *wire::encode_result(draft);
    REQUIRE(ledger.receive(entry));
    REQUIRE(ledger.start({at_work.id, wire::digest_of(at_work.intent), "container/web",
                          "docker.stop", rig.now_ms - 3'600'000, entry.draft, "was=up"}));
    script.calls.clear();
  }
  // Of an earlier start, which could not be put right: it is told already.
  void leave_before(const std::string& state) {
    const auto trust = Trust::open(dir / "trust", ::geteuid());
    auto ledger = *Ledger::open(dir / "ledger.db", trust->enrollment());
    Ledger::Entry entry;
    entry.id = {1, 2, 3};
    entry.seq = 77;
    entry.execute = true;
    entry.draft = "draft";
    REQUIRE(ledger.receive(entry));
    REQUIRE(ledger.start({entry.id, {7}, "container/db", "docker.stop", 1, "begun", state}));
    REQUIRE(ledger.finish(entry.id, "told", true));
    REQUIRE(ledger.mark_spooled(signing::sha256("told")));
  }
  std::string recovery() const { return "recover was=up " + text::to_hex(at_work.id).substr(0, 4); }
  std::string told() {
    const auto list = decode_list(executor->results().body);
    REQUIRE(list->size() == 1);
    const auto result = open_result(Frame{FrameKind::kResult, list->front()});
    CHECK(result.outcome == wire::ResultOutcome::kInterrupted);
    return result.message;
  }
};

TEST_CASE_FIXTURE(Interrupted, "what an interrupted command left is put right once, and told") {
  start();
  executor->open();
  CHECK(script.calls == Calls{recovery()});
  CHECK(told().find("not run again; web is back") != std::string::npos);
  for (int i = 0; i < 2; ++i) {
    start();
    executor->open();
  }
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(script.calls == Calls{recovery(), "assess", "execute", "verify", "assess"});
}

TEST_CASE_FIXTURE(
    Interrupted,
    "what cannot be put right is tried again, at the start and before a command of its kind") {
  script.recover = Error(Errc::kUnavailable, "no engine");
  start();
  executor->open();
  CHECK(told().find("not put right yet (no engine)") != std::string::npos);
  start();
  executor->open();
  CHECK(script.calls == Calls{recovery(), recovery()});
  script.recover.reset();
  script.calls.clear();
  CHECK(result(addressed(rig.dry_run(intent()))).outcome == wire::ResultOutcome::kDryRun);
  CHECK(script.calls == Calls{recovery(), "assess"});
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(script.calls == Calls{recovery(), "assess", "assess", "execute", "verify", "assess"});
}

TEST_CASE_FIXTURE(Interrupted, "what cannot be put right is tried again between commands") {
  script.recover = Error(Errc::kUnavailable, "no engine");
  start();
  executor->open();
  executor->recover_again();
  CHECK(script.calls == Calls{recovery(), recovery()});
  script.recover.reset();
  for (int i = 0; i < 2; ++i) executor->recover_again();
  CHECK(script.calls == Calls{recovery(), recovery(), recovery()});
}

TEST_CASE_FIXTURE(Interrupted, "what cannot be put right is not in the way of the rest") {
  leave_before("hopeless");
  script.hopeless = "hopeless";
  start();
  executor->open();
  CHECK(script.calls.size() == 2);
  CHECK(told().find("not run again; web is back") != std::string::npos);
  start();
  executor->open();
  CHECK(script.calls.size() == 3);
  CHECK(script.calls.back().substr(0, 16) == "recover hopeless");
}

TEST_CASE_FIXTURE(Interrupted, "a refusal too makes room in the ledger") {
  leave_before("gone");  // Received in 1970
  const auto known = [&] {
    executor.reset();
    const auto trust = Trust::open(dir / "trust", ::geteuid());
    auto ledger = *Ledger::open(dir / "ledger.db", trust->enrollment());
    return ledger.find({1, 2, 3})->has_value();
  };
  REQUIRE(known());
  start();
  seq = 77;
  set_policy("", "container/db");
  CHECK(result(command()).reason == "policy");
  CHECK(!known());
}

TEST_CASE_FIXTURE(Interrupted, "nothing is put right while the host's owner lets nothing be done") {
  SUBCASE("commands are switched off") {
    REQUIRE(files::write_atomic(kill_switch_path(dir / "policy.d"), "", 0644));
  }
  SUBCASE("dry runs only") {
    REQUIRE(files::write_atomic(dir / "policy.d/a.toml", "enabled = false\n", 0644));
  }
  SUBCASE("a policy that cannot be read") {
    REQUIRE(files::write_atomic(dir / "policy.d/a.toml", "enabled = perhaps\n", 0644));
  }
  start();
  executor->open();
  CHECK(script.calls.empty());
  CHECK(told().find("not put right yet") != std::string::npos);
  std::filesystem::remove(kill_switch_path(dir / "policy.d"));
  REQUIRE(files::write_atomic(dir / "policy.d/a.toml", kPolicy, 0644));
  start();
  executor->open();
  CHECK(script.calls == Calls{recovery()});
}

TEST_CASE_FIXTURE(Acting, "a way back that failed is tried again before the next command") {
  script.execute = Error(Errc::kUnavailable, "the port is taken");
  script.recover_later = true;
  SUBCASE("of the action itself") {
    CHECK(result(command()).reason == "failed");
  }
  SUBCASE("asked for") {
    script.undo = Error(Errc::kUnavailable, "still taken");
    CHECK(result(command(true)).outcome == wire::ResultOutcome::kFailed);
  }
  script = Script();
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  REQUIRE(script.calls.size() == 5);
  CHECK(script.calls[0].substr(0, 21) == "recover running=true ");
  CHECK(script.calls[1] == "assess");
}

TEST_CASE_FIXTURE(Acting, "a way back that succeeded leaves nothing") {
  script.execute = Error(Errc::kUnavailable, "the port is taken");
  script.recover_later = true;
  CHECK(result(command(true)).outcome == wire::ResultOutcome::kRolledBack);
  script = Script();
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(script.calls.front() == "assess");
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
