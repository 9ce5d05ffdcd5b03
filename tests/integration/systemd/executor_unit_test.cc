// The life of the executor under its socket: nothing when idle, there when asked, back after every end.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <iostream>
#include <thread>

#include "agent/executor/client.h"
#include "protocol/base/files.h"
#include "tests/integration/systemd/unit_rig.h"

using namespace observeai;
using namespace std::chrono_literals;
using test::call;
using test::kExecutorSocket;
using test::kExecutorUnit;
using test::processes_of;
using test::shown;
using test::wait_until;

namespace {

constexpr const char* kProgram = "/usr/bin/observeai-executor";
constexpr const char* kSocketUnit = "observeai-executor.socket";
constexpr const char* kSettings = "/etc/observeai/executor.toml";

void listen() {
  call({"/usr/bin/systemctl", "start", kSocketUnit});
}
bool listens() {
  return shown(kSocketUnit, "ActiveState") == "active";
}
bool answers() {
  return agent::executor::ask(kExecutorSocket, {test::FrameKind::kStatus, ""}, 1s).has_value();
}

}  // namespace

TEST_CASE("a host that is not enrolled says so, however often it is asked") {
  test::UnitRig rig;
  call({"/usr/bin/systemctl", "stop", kExecutorUnit});
  std::filesystem::remove_all("/var/lib/observeai-executor/trust");
  listen();
  for (int i = 0; i < 50; ++i) CHECK(rig.status().state == "not enrolled");
  CHECK(listens());
  // Enrolled meanwhile: nothing has to be started anew.
  rig.enroll();
  CHECK(rig.status().root_version == 1);
}

TEST_CASE("no process when idle, one when asked, and none again") {
  test::UnitRig rig;
  rig.enroll();
  listen();
  wait_until("idle at first", [] { return processes_of(kProgram).empty(); });
  for (int round = 0; round < 2; ++round) {
    rig.learn_time();
    const auto running = processes_of(kProgram);
    REQUIRE(running.size() == 1);
    CHECK(std::to_string(running.front()) == shown(kExecutorUnit, "MainPID"));
    const auto status = *files::read("/proc/" + std::to_string(running.front()) + "/status");
    const auto at = status.find("VmRSS:");
    std::cout << "executor asked: " << status.substr(at, status.find('\n', at) - at) << "\n";
    wait_until("the executor ends when idle", [] { return processes_of(kProgram).empty(); });
    wait_until("its unit is at rest",
               [] { return shown(kExecutorUnit, "ActiveState") == "inactive"; });
    CHECK(shown(kExecutorUnit, "Result") == "success");
    CHECK(listens());
  }
  // The session outlives the process: the time is still known.
  CHECK(rig.status().state == "ready");
}

TEST_CASE("only root and the agent's user may connect") {
  test::UnitRig rig;
  listen();
  rig.enroll();
  ::chmod("/etc/observeai/policy.d/site.toml", 0600);
  const auto as = [&](const std::string& user, const std::string& command) {
    return test::outcome_of(
        {"/usr/bin/setpriv", "--reuid=" + user, "--clear-groups", kProgram, command});
  };
  CHECK(as("root", "status").exit_code == 0);
  CHECK(as("root", "check-policy").exit_code == 0);
  CHECK(as("observeai", "status").exit_code == 0);
  for (const std::string command : {"status", "check-policy", "run"}) {
    const auto stranger = as("nobody", command);
    CAPTURE(stranger.output);
    CHECK(stranger.exit_code == 1);
    CHECK(stranger.output.find("run it as root") != std::string::npos);
  }
}

TEST_CASE("killed again and again, it comes back by itself and its socket stays") {
  test::UnitRig rig;
  rig.enroll();
  listen();
  for (int i = 0; i < 2; ++i) {
    wait_until("an answer after a kill", answers);
    const auto running = processes_of(kProgram);
    REQUIRE(running.size() == 1);
    ::kill(running.front(), SIGKILL);
    // Nobody asks: what was interrupted is to be told all the same.
    wait_until("it is back without a question", [&] {
      const auto now = processes_of(kProgram);
      return now.size() == 1 && now != running;
    });
  }
  CHECK(listens());
}

TEST_CASE("settings that are wrong keep it down, and not longer than they are wrong") {
  test::UnitRig rig;
  rig.enroll();
  listen();
  wait_until("idle at first", [] { return processes_of(kProgram).empty(); });
  const auto good = *files::read(kSettings);
  test::write(kSettings, "idel_exit = \"2s\"\n");
  for (int i = 0; i < 3; ++i) CHECK_FALSE(answers());
  CHECK(listens());
  test::write(kSettings, good);
  wait_until("an answer when they are right", answers);
  CHECK(shown(kExecutorUnit, "Result") == "success");
}

TEST_CASE("a stop waits for the command that is at work") {
  test::UnitRig rig;
  rig.enroll();
  listen();
  test::write("/usr/local/lib/site/slow", "#!/bin/sh\ntouch /run/slow-began\nsleep 2\necho whole\n",
              0755);
  const auto sha256 = signing::sha256_hex(*files::read("/usr/local/lib/site/slow"));
  rig.allow("[runbook.slow]\npath = \"/usr/local/lib/site/slow\"\nsha256 = \"" + sha256 + "\"\n");
  const auto command = rig.approved("runbook", {{"runbook", std::string("slow")}});
  std::thread agent([&] {
    (void)agent::executor::ask(kExecutorSocket, {test::FrameKind::kCommand, command}, 30s);
  });
  wait_until("it began", [] { return files::exists("/run/slow-began"); });
  const auto stopped = test::outcome_of({"/usr/bin/systemctl", "stop", kExecutorUnit});
  agent.join();
  CHECK(stopped.succeeded());
  // Who asked was not told; the result waits.
  const auto results = rig.waiting_results();
  REQUIRE(!results.empty());
  const auto& result = results.back();
  CHECK(result.outcome == wire::ResultOutcome::kSucceeded);
  CHECK(result.output == "whole\n");
  CHECK(listens());
}
