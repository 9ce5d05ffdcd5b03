#include "tests/integration/systemd/unit_rig.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <thread>

#include "agent/executor/client.h"
#include "agent/executor/trust.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace executor = agent::executor;

constexpr const char* kTrustFolder = "/var/lib/observeai-executor/trust";
constexpr const char* kPolicyFile = "/etc/observeai/policy.d/site.toml";
constexpr auto kPatience = 60s;

// Once for the whole program, as a package would.
void install() {
  static const bool done = [] {
    // What this machine itself may have shines through.
    for (const char* ours : {"/etc/observeai", "/var/lib/observeai", "/var/lib/observeai-executor",
                             "/var/lib/observeai-signer"})
      fs::remove_all(ours);
    call({"/usr/bin/systemd-sysusers", "/observeai-test/observeai-agent.sysusers",
          "/observeai-test/observeai-signer.sysusers"});
    call({"/usr/bin/systemd-tmpfiles", "--create", "/observeai-test/observeai-agent.tmpfiles"});
    write("/etc/observeai/executor.toml", "idle_exit = \"1s\"\n");
    call({"/usr/bin/systemctl", "daemon-reload"});
    return true;
  }();
  (void)done;
}

}  // namespace

executor::ProgramEnd outcome_of(const std::vector<std::string>& argv) {
  executor::Program program{.path = argv.front()};
  program.arguments.assign(argv.begin() + 1, argv.end());
  auto end = executor::run_program(program, kPatience, 256U << 10);
  REQUIRE_MESSAGE(end.has_value(), argv.front() << ": " << end.error().message());
  return *std::move(end);
}

std::string call(const std::vector<std::string>& argv, bool ok) {
  auto end = outcome_of(argv);
  if (ok)
    REQUIRE_MESSAGE(end.succeeded(), argv.front() << ": " << end.describe() << "\n" << end.output);
  return end.output;
}

std::string shown(const std::string& unit, const std::string& property) {
  const auto out = call({"/usr/bin/systemctl", "show", "--value", "--property=" + property, unit});
  return std::string(text::trim(out));
}

std::vector<pid_t> processes_of(const std::string& program) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = text::parse_u64(entry.path().filename().string());
    if (!pid) continue;
    std::error_code gone;
    if (fs::read_symlink(entry.path() / "exe", gone) == program)
      out.push_back(static_cast<pid_t>(*pid));
  }
  return out;
}

void wait_until(const std::string& what, const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    REQUIRE_MESSAGE(std::chrono::steady_clock::now() < end, what);
    std::this_thread::sleep_for(20ms);
  }
}

void write(const std::string& path, const std::string& text, unsigned mode) {
  fs::create_directories(fs::path(path).parent_path());
  REQUIRE(files::write_atomic(path, text, mode).has_value());
  ::chmod(path.c_str(), mode);
}

UnitRig::UnitRig() {
  if (std::getenv("OBSERVEAI_IN_SYSTEMD") == nullptr) {
    std::cerr << "SKIPPED: this test is run by in_systemd.sh, in a container of its own\n";
    std::exit(77);
  }
  install();
}

void UnitRig::enroll() const {
  const auto root = keys.sign_root(keys.root_metadata());
  REQUIRE(executor::write_trust(
      kTrustFolder, {keys.agent, keys.tenant, keys.result_key, root, signing::sha256_hex(root)}));
  allow("");
}

void UnitRig::allow(const std::string& more) const {
  std::string text =
      "enabled = true\nmax_tier = 2\ncooldown = \"0s\"\nmax_per_hour = 1000\n" + more;
  for (const auto& action : actions::catalogue())
    text += "[[allow]]\naction = \"" + std::string(action.name) + "\"\ntargets = [\"**\"]\n";
  write(kPolicyFile, text);
}

Frame UnitRig::ask(FrameKind kind, const std::string& body) const {
  auto reply = executor::ask(kExecutorSocket, {kind, body}, kPatience);
  REQUIRE_MESSAGE(reply.has_value(), reply.error().message());
  return *std::move(reply);
}

executor::Status UnitRig::status() const {
  const auto status = executor::decode_status(ask(FrameKind::kStatus).body);
  REQUIRE(status.has_value());
  return *status;
}

void UnitRig::learn_time() const {
  const auto challenge = status().time_challenge;
  if (challenge == wire::Bytes16{}) return;  // It knows
  const auto reply = ask(FrameKind::kTime, keys.sign_time(challenge, keys.now_ms));
  REQUIRE_MESSAGE(reply.kind == FrameKind::kDone, reply.body);
}

wire::Command UnitRig::addressed(wire::Command command) const {
  const auto now = status();
  command.session = now.session;
  command.seq = now.command_seq + 1;
  return command;
}

wire::CommandResult UnitRig::open_result(const std::string& envelope) const {
  const auto opened = wire::decode_envelope(envelope);
  REQUIRE(opened.has_value());
  const std::vector<signing::VerifyKey> host = {keys.result_key.public_key()};
  REQUIRE(signing::verify(*opened, wire::kResultType, 1, host));
  auto result = wire::decode_result(opened->payload);
  REQUIRE(result.has_value());
  return *std::move(result);
}

wire::CommandResult UnitRig::deliver(const std::string& envelope) const {
  const auto reply = ask(FrameKind::kCommand, envelope);
  REQUIRE_MESSAGE(reply.kind == FrameKind::kResult, reply.body);
  return open_result(reply.body);
}

std::vector<wire::CommandResult> UnitRig::waiting_results() const {
  const auto items = executor::decode_list(ask(FrameKind::kResults).body);
  REQUIRE(items.has_value());
  std::vector<wire::CommandResult> out;
  for (const auto& item : *items) out.push_back(open_result(item));
  // Results are listed up to 64 at once, the oldest first: these are done with.
  std::string digests;
  for (const auto& item : *items) digests += text::as_text(wire::digest_of(item));
  REQUIRE(ask(FrameKind::kSpooled, digests).kind == FrameKind::kDone);
  return out;
}

wire::CommandResult UnitRig::look(wire::Intent& intent) const {
  learn_time();
  intent.timeout_ms = 30'000;
  intent.output_limit = 32U << 10;
  auto looked = deliver(keys.sign_command(addressed(keys.dry_run(intent))));
  intent.state = looked.state_before;
  intent.diff = wire::diff_digest(looked.diff);
  return looked;
}

std::string UnitRig::approve(const wire::Intent& intent) const {
  auto command = keys.execute(intent);
  keys.approve(command, {keys.alice, keys.bob});
  return keys.sign_command(addressed(std::move(command)));
}

std::string UnitRig::approved(const std::string& action, const wire::Parameters& parameters) {
  while (!waiting_results().empty()) {
  }
  auto intent = keys.intent(action, parameters);
  const auto looked = look(intent);
  REQUIRE_MESSAGE(looked.outcome == wire::ResultOutcome::kDryRun, looked.message);
  return approve(intent);
}

wire::CommandResult UnitRig::attempt(const std::string& action,
                                     const wire::Parameters& parameters) {
  auto intent = keys.intent(action, parameters);
  auto looked = look(intent);
  if (looked.outcome != wire::ResultOutcome::kDryRun) return looked;
  return deliver(approve(intent));
}

wire::CommandResult UnitRig::carry_out(const std::string& action,
                                       const wire::Parameters& parameters) {
  auto result = attempt(action, parameters);
  INFO(action << ": " << result.reason << ": " << result.message << "\n" << result.output);
  CHECK(result.outcome == wire::ResultOutcome::kSucceeded);
  CHECK(result.message.empty());
  return result;
}

}  // namespace observeai::test
