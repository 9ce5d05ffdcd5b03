#include "attack_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/executor/client.h"
#include "agent/executor/trust.h"
#include "protocol/base/files.h"
#include "protocol/signing/envelope.h"

namespace observeai::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr auto kAnswer = 30s;

std::string sha256_of(const std::string& path) {
  const auto bytes = files::read(path);
  REQUIRE(bytes);
  return signing::sha256_hex(*bytes);
}

}  // namespace

// struct control of tests/support/faultlib.c.
struct AttackRig::Faults {
  volatile std::int64_t clock_shift_ns;
  volatile std::int32_t fails;
  volatile std::int32_t error;
  volatile std::int32_t per_mille;
  volatile std::int32_t failed;
  volatile std::int64_t passed_ns;
};

AttackRig::AttackRig() {
  for (const char* name : {"etc", "etc/policy.d", "state", "bin"}) {
    fs::create_directory(path(name));
    ::chmod(path(name).c_str(), 0755);
  }
  write_program("mark", "echo began >> '" + path("marker") + "'\n");
  write_policy(site_policy());
  const std::string config = "state_dir = \"" + path("state") + "\"\nrun_dir = \"" + path("run") +
                             "\"\npolicy_dir = \"" + path("etc/policy.d") + "\"\nsocket = \"" +
                             path("sock/executor.sock") +
                             "\"\nagent_user = \"nobody\"\ntrusted_owner = \"self\"\n" +
                             "[docker]\nsocket = \"" + path("engine.sock") + "\"\n";
  REQUIRE(files::write_atomic(path("executor.toml"), config, 0644));
  enroll();
  start();
  learn_time();
}

AttackRig::~AttackRig() {
  kill_now();
  if (faults_ != nullptr) ::munmap(faults_, sizeof *faults_);
}

void AttackRig::enroll() {
  const auto root = keys.sign_root(keys.root_metadata());
  REQUIRE(agent::executor::write_trust(
      path("state/trust"),
      {keys.agent, keys.tenant, keys.result_key, root, signing::sha256_hex(root)}));
}

void AttackRig::start() {
  REQUIRE_MESSAGE(try_start(), *files::read(path("log")));
}

bool AttackRig::try_start() {
  REQUIRE(pid_ < 0);
  const std::string config = path("executor.toml");
  const std::string log = path("log");
  std::vector<const char*> variables = {"PATH=/usr/bin:/bin"};
  for (const auto& one : environment) variables.push_back(one.c_str());
  variables.push_back(nullptr);
  const std::array<const char*, 5> arguments = {OBSERVEAI_EXECUTOR, "run", "-c", config.c_str(),
                                                nullptr};
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execve(arguments[0], const_cast<char* const*>(arguments.data()),
             const_cast<char* const*>(variables.data()));
    ::_exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + kAnswer;
  while (!agent::executor::ask(path("sock/executor.sock"), {FrameKind::kStatus, ""}, 5s)) {
    if (!alive()) {
      pid_ = -1;  // Reaped
      return false;
    }
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

bool AttackRig::alive() const {
  return pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0;
}

void AttackRig::stop() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  int code = 0;
  REQUIRE(::waitpid(pid_, &code, 0) == pid_);
  pid_ = -1;
  CHECK(code == 0);
}

void AttackRig::kill_now() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait_for_end();
}

void AttackRig::wait_for_end() {
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void AttackRig::restart() {
  stop();
  start();
}

void AttackRig::preload_faults() {
  const int file = ::open(path("faults").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  REQUIRE(::ftruncate(file, sizeof(Faults)) == 0);
  void* mapped = ::mmap(nullptr, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  REQUIRE(mapped != MAP_FAILED);
  faults_ = static_cast<Faults*>(mapped);
  environment = {std::string("LD_PRELOAD=") + OBSERVEAI_FAULTLIB,
                 "OBSERVEAI_FAULTS=" + path("faults"), "OBSERVEAI_FAULTS_UNDER=" + path("state"),
                 "ASAN_OPTIONS=verify_asan_link_order=0"};
}

void AttackRig::shift_clock_ms(std::int64_t ms) {
  faults_->clock_shift_ns = ms * 1'000'000;
}

void AttackRig::pass_time_ms(std::int64_t ms) {
  faults_->passed_ns = faults_->passed_ns + ms * 1'000'000;
}

void AttackRig::fail_writes(int error) {
  constexpr std::int32_t kWritesAndSyncs = 1 | 4;
  faults_->error = error;
  faults_->per_mille = 1000;
  faults_->fails = error == 0 ? 0 : kWritesAndSyncs;
}

std::string AttackRig::site_policy(const std::string& head, const std::string& rules) const {
  std::string text = head.empty() ? "enabled = true\nmax_tier = 2\ncooldown = \"0s\"\n"
                                    "max_per_hour = 1000\n"
                                  : head;
  text += rules.empty() ? "[[allow]]\naction = \"runbook\"\ntargets = [\"runbook/*\"]\n" : rules;
  for (const auto& entry : fs::directory_iterator(path("bin"))) {
    const std::string name = entry.path().filename();
    text += "[runbook." + name + "]\npath = \"" + entry.path().string() + "\"\nsha256 = \"" +
            sha256_of(entry.path()) + "\"\n";
    if (name == "choose")
      text += "[[runbook.choose.parameter]]\nname = \"what\"\nchoices = [\"one\", \"two\"]\n";
  }
  return text;
}

void AttackRig::write_policy(const std::string& text) const {
  REQUIRE(files::write_atomic(policy_file(), text, 0644));
}

void AttackRig::write_program(const std::string& name, const std::string& script) const {
  REQUIRE(files::write_atomic(path("bin/" + name), "#!/bin/sh\n" + script, 0755));
}

void AttackRig::copy_state(const std::string& to) const {
  fs::remove_all(path(to));
  fs::copy(path("state"), path(to), fs::copy_options::recursive);
}

void AttackRig::restore_state(const std::string& from) const {
  fs::remove_all(path("state"));
  fs::copy(path(from), path("state"), fs::copy_options::recursive);
  ::chmod(path("state").c_str(), 0700);
  ::chmod(path("state/trust").c_str(), 0700);
}

std::size_t AttackRig::marks() const {
  const auto text = files::read(path("marker"));
  if (!text) return 0;
  return static_cast<std::size_t>(std::count(text->begin(), text->end(), '\n'));
}

Frame AttackRig::ask(FrameKind kind, const std::string& body) const {
  auto reply = agent::executor::ask(path("sock/executor.sock"), {kind, body}, kAnswer);
  REQUIRE_MESSAGE(reply, (reply ? "" : reply.error().message()));
  return std::move(*reply);
}

Status AttackRig::status() const {
  const auto reply = ask(FrameKind::kStatus);
  REQUIRE(reply.kind == FrameKind::kStatusReply);
  const auto status = agent::executor::decode_status(reply.body);
  REQUIRE(status);
  return *status;
}

Frame AttackRig::tell_time(std::int64_t unix_ms) {
  return ask(FrameKind::kTime, keys.sign_time(status().time_challenge, unix_ms));
}

void AttackRig::learn_time() {
  const auto reply = tell_time(keys.now_ms);
  REQUIRE_MESSAGE(reply.kind == FrameKind::kDone, reply.body);
}

Frame AttackRig::offer_roots(const std::vector<std::string>& envelopes) const {
  return ask(FrameKind::kRoots, agent::executor::encode_list(envelopes));
}

wire::CommandResult AttackRig::open_result(const std::string& envelope) const {
  const auto opened = wire::decode_envelope(envelope);
  REQUIRE(opened);
  const std::vector<signing::VerifyKey> host = {keys.result_key.public_key()};
  REQUIRE(signing::verify(*opened, wire::kResultType, 1, host));
  const auto result = wire::decode_result(opened->payload);
  REQUIRE(result);
  CHECK(result->agent == keys.agent);
  CHECK(result->tenant == keys.tenant);
  return *result;
}

wire::CommandResult AttackRig::deliver(const std::string& envelope) const {
  const auto reply = ask(FrameKind::kCommand, envelope);
  REQUIRE_MESSAGE(reply.kind == FrameKind::kResult, reply.body);
  auto result = open_result(reply.body);
  CHECK(result.command_sha256 == wire::digest_of(envelope));
  return result;
}

std::vector<wire::CommandResult> AttackRig::waiting_results() const {
  const auto reply = ask(FrameKind::kResults);
  REQUIRE(reply.kind == FrameKind::kResultList);
  const auto items = agent::executor::decode_list(reply.body);
  REQUIRE(items);
  std::vector<wire::CommandResult> out;
  for (const auto& item : *items) out.push_back(open_result(item));
  return out;
}

wire::Intent AttackRig::mark_intent() const {
  auto intent = keys.intent("runbook", {{"runbook", std::string("mark")}});
  intent.timeout_ms = 20'000;
  return intent;
}

wire::Command AttackRig::addressed(wire::Command command) {
  command.session = status().session;
  command.seq = ++seq;
  return command;
}

wire::Intent AttackRig::looked_at(wire::Intent intent) {
  const auto result = deliver(sign(addressed(keys.dry_run(intent))));
  REQUIRE_MESSAGE(result.outcome == wire::ResultOutcome::kDryRun,
                  result.reason << ": " << result.message);
  intent.state = result.state_before;
  intent.diff = wire::diff_digest(result.diff);
  return intent;
}

wire::Command AttackRig::approved(wire::Intent intent) {
  intent.plan = *wire::PlanId::parse("plan-" + std::to_string(++plans_));
  auto command = keys.execute(intent);
  keys.approve(command, {keys.alice, keys.bob});
  return addressed(std::move(command));
}

wire::Command AttackRig::made_anew(wire::Command command) {
  signing::random_bytes(command.id);
  return addressed(std::move(command));
}

void AttackRig::refused(const std::string& envelope, const std::string& reason) const {
  const std::size_t before = marks();
  const auto result = deliver(envelope);
  CAPTURE(result.message);
  CHECK(result.outcome == wire::ResultOutcome::kRefused);
  CHECK(result.reason == reason);
  CHECK(!result.message.empty());
  CHECK(result.started_ms == 0);
  CHECK(marks() == before);
  CHECK(alive());
}

void AttackRig::refused_with(const std::string& reason,
                             const std::function<void(wire::Command&)>& change) {
  auto command = approved_mark();
  change(command);
  refused(command, reason);
}

void AttackRig::executed(const wire::Command& command) const {
  const std::size_t before = marks();
  const auto result = deliver(sign(command));
  CHECK_MESSAGE(result.outcome == wire::ResultOutcome::kSucceeded,
                result.reason << ": " << result.message);
  CHECK(marks() == before + 1);
}

}  // namespace observeai::test
