#include "controlplane/plan/verification.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::plan {
namespace {

constexpr std::int64_t kDone = 1'700'000'000'000;

VerificationInput restarted() {
  VerificationInput input;
  input.plan.action = "docker.restart";
  input.plan.tier = 1;
  input.target.target = "container/web";
  input.target.done_ms = kDone;
  input.target.baseline = {"running", "", kDone - 1'000'000, 0};
  input.now = TargetSignals{true, "running", "", kDone - 500, 0, 0, "web:1", "sha256:1"};
  input.host_seen_ms = kDone + kStableMs;
  input.now_ms = kDone + kStableMs;
  input.host_says_done = true;
  return input;
}

TEST_CASE("a container that runs, started anew and stays up is verified") {
  CHECK(verify(restarted()).outcome == Outcome::kVerified);
}

TEST_CASE("what the host says alone proves nothing") {
  auto input = restarted();
  input.host_seen_ms = kDone;
  CHECK(verify(input).outcome == Outcome::kWait);
  input.host_seen_ms = kDone + kStableMs;
  input.now.reset();
  CHECK(verify(input).outcome == Outcome::kWait);
  input.now_ms = kDone + kVerificationMs;
  CHECK(verify(input).outcome == Outcome::kUnclear);
}

TEST_CASE("a container that dies, is unhealthy or was not started anew fails in the end") {
  const auto outcome = [](auto change) {
    auto input = restarted();
    change(input);
    CHECK(verify(input).outcome == Outcome::kWait);
    input.now_ms = kDone + kVerificationMs;
    return verify(input).outcome;
  };
  CHECK(outcome([](auto& i) { i.now->state = "exited"; }) == Outcome::kBroken);
  CHECK(outcome([](auto& i) { i.now->exists = false; }) == Outcome::kBroken);
  CHECK(outcome([](auto& i) { i.now->health = "unhealthy"; }) == Outcome::kBroken);
  CHECK(outcome([](auto& i) { i.now->started_ms = i.target.baseline.started_ms; }) ==
        Outcome::kBroken);
}

TEST_CASE("a crash after the restart fails at once") {
  auto input = restarted();
  input.now->restarts = 1;
  CHECK(verify(input).outcome == Outcome::kBroken);
  input.target.baseline.restarts = 4;  // Docker began to count anew
  CHECK(verify(input).outcome == Outcome::kBroken);
}

TEST_CASE("it is watched for a while before it counts as steady") {
  auto input = restarted();
  input.host_seen_ms = kDone + kStableMs - 1;
  CHECK(verify(input).outcome == Outcome::kWait);
}

TEST_CASE("a named symptom must be back in its band for three samples") {
  auto input = restarted();
  input.plan.symptom = {"container_memory_usage_bytes", 0, 100};
  input.symptom = {{1, 50}, {2, 60}};
  CHECK(verify(input).outcome == Outcome::kWait);
  input.symptom.push_back({3, 70});
  CHECK(verify(input).outcome == Outcome::kVerified);
  input.symptom.push_back({4, 170});
  CHECK(verify(input).outcome == Outcome::kWait);
  input.now_ms = kDone + kVerificationMs;
  CHECK(verify(input).outcome == Outcome::kBroken);
  input.symptom.clear();
  CHECK(verify(input).outcome == Outcome::kUnclear);
}

TEST_CASE("a limit must be the one that was asked for") {
  auto input = restarted();
  input.plan.action = "docker.update_memory";
  input.plan.parameters = {{"memory_bytes", std::int64_t{1 << 30}}};
  input.now->memory_limit_bytes = 1 << 29;
  CHECK(verify(input).outcome == Outcome::kWait);
  input.now->memory_limit_bytes = 1 << 30;
  CHECK(verify(input).outcome == Outcome::kVerified);
}

TEST_CASE("a stopped container should be stopped") {
  auto input = restarted();
  input.plan.action = "docker.stop";
  CHECK(verify(input).outcome == Outcome::kWait);
  input.now->state = "exited";
  CHECK(verify(input).outcome == Outcome::kVerified);
}

TEST_CASE("after an action on the host itself the host must be heard") {
  auto input = restarted();
  input.plan.action = "disk.vacuum_journal";
  input.plan.tier = 2;
  input.target.target = "journal";
  input.now.reset();
  CHECK(verify(input).outcome == Outcome::kVerified);
  input.host_seen_ms = kDone - 1;
  CHECK(verify(input).outcome == Outcome::kWait);
  input.now_ms = kDone + kVerificationMs;
  CHECK(verify(input).outcome == Outcome::kUnclear);
}

TEST_CASE("a runbook's exit code is not its effect") {
  auto input = restarted();
  input.plan.action = "runbook";
  input.plan.tier = 2;
  input.target.target = "runbook/flush";
  input.now.reset();
  CHECK(verify(input).outcome == Outcome::kUnclear);
  CHECK(verify(input).sentence.find("--symptom") != std::string::npos);
  input.host_seen_ms = kDone;
  CHECK(verify(input).outcome == Outcome::kWait);
  input.host_seen_ms = kDone + kStableMs;
  input.plan.symptom = {"queue_length", 0, 10};
  CHECK(verify(input).outcome == Outcome::kWait);
  input.symptom = {{1, 5}, {2, 4}, {3, 4}};
  CHECK(verify(input).outcome == Outcome::kVerified);
}

TEST_CASE("a process that was ended must be gone from what its host reports") {
  auto input = restarted();
  input.plan.action = "process.terminate";
  input.plan.tier = 2;
  input.target.target = "process/4711";
  input.now.reset();
  CHECK(verify(input).outcome == Outcome::kWait);
  input.process_runs = false;
  CHECK(verify(input).outcome == Outcome::kVerified);
  input.host_seen_ms = kDone + kStableMs - 1;
  CHECK(verify(input).outcome == Outcome::kWait);
  input.host_seen_ms = kDone + kStableMs;
  input.process_runs = true;
  CHECK(verify(input).outcome == Outcome::kWait);
  input.now_ms = kDone + kVerificationMs;
  CHECK(verify(input).outcome == Outcome::kBroken);
}

TEST_CASE("a unit must have another main process, and be seen by two looks of its host") {
  auto input = restarted();
  input.plan.action = "systemd.restart";
  input.target.target = "unit/nginx.service";
  input.target.baseline = {"active", "", 0, 0, 100};
  input.now = TargetSignals{};
  input.now->exists = true;
  input.now->state = "active";
  input.now->main_pid = 200;
  input.host_seen_ms = kDone + kUnitStableMs;
  CHECK(verify(input).outcome == Outcome::kVerified);
  input.host_seen_ms = kDone + kStableMs;  // The look may be from before
  CHECK(verify(input).outcome == Outcome::kWait);
  input.host_seen_ms = kDone + kUnitStableMs;
  input.now->main_pid = 100;
  CHECK(verify(input).outcome == Outcome::kWait);
  input.now_ms = kDone + kVerificationMs;
  CHECK(verify(input).outcome == Outcome::kBroken);
  // One that does its work and ends.
  input.target.baseline = {"inactive", "", 0, 0, 0};
  input.now->state = "inactive";
  input.now->main_pid = 0;
  CHECK(verify(input).outcome == Outcome::kVerified);
}

TEST_CASE("that neighbours are not looked at is said") {
  const auto findings = verify(restarted()).findings;
  CHECK(findings.back().name == "neighbours");
  CHECK(findings.back().verdict == model::Verdict::kNotApplicable);
}

}  // namespace
}  // namespace observeai::controlplane::plan
