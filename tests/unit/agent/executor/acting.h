// An executor on private folders with an action that does what a test says.
#pragma once

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/executor/executor.h"
#include "agent/executor/trust.h"
#include "host_time.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/wire/command_time.h"
#include "tests/support/command_rig.h"
#include "tests/support/temp_dir.h"

namespace observeai::agent::executor {

using observeai::test::CommandRig;
using observeai::test::ManualHostTime;
using observeai::test::TempDir;

inline constexpr const char* kPolicy =
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

}  // namespace observeai::agent::executor
