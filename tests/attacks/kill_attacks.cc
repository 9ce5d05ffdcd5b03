// SIGKILL at any moment: what was begun is told, and nothing is done twice.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "agent/executor/client.h"
#include "attack_rig.h"
#include "protocol/base/files.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;
using namespace std::chrono_literals;

namespace {

// A runbook that says when it begins and when it is over.
void make_slow(AttackRig& rig, const std::string& seconds) {
  rig.write_program("mark", "echo began >> '" + rig.path("marker") + "'\nsleep " + seconds +
                                "\necho over >> '" + rig.path("over") + "'\n");
  rig.write_policy(rig.site_policy());
}

// Sends it and does not wait for the answer.
std::jthread send_aside(const AttackRig& rig, const std::string& envelope) {
  return std::jthread([socket = rig.path("sock/executor.sock"), envelope] {
    (void)agent::executor::ask(socket, {FrameKind::kCommand, envelope}, 30s);
  });
}

void wait_for_marks(const AttackRig& rig, std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (rig.marks() < count) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(1ms);
  }
}

}  // namespace

TEST_CASE_FIXTURE(AttackRig,
                  "killed while an action is at work: told as interrupted, not run again") {
  make_slow(*this, "5");
  const auto command = approved_mark();
  const auto envelope = sign(command);
  auto sender = send_aside(*this, envelope);
  wait_for_marks(*this, 1);
  kill_now();
  sender.join();
  start();
  bool told = false;
  for (const auto& result : waiting_results()) {
    if (result.command_id != command.id) continue;
    told = true;
    CHECK(result.outcome == wire::ResultOutcome::kInterrupted);
    CHECK(result.started_ms > 0);
    CHECK(result.target == "runbook/mark");
  }
  CHECK(told);
  CHECK(deliver(envelope).outcome == wire::ResultOutcome::kInterrupted);
  std::this_thread::sleep_for(200ms);
  CHECK(marks() == 1);
  CHECK(!files::exists(path("over")));  // The program did not outlive the executor
}

TEST_CASE_FIXTURE(AttackRig, "killed by the runbook that it runs") {
  write_program("mark", "echo began >> '" + path("marker") + "'\nread -r line < '" + path("pid") +
                            "'\nkill -9 $line\nsleep 5\n");
  write_policy(site_policy());
  const auto command = approved_mark();
  REQUIRE(files::write_atomic(path("pid"), std::to_string(pid()) + "\n", 0600));
  const auto reply =
      agent::executor::ask(path("sock/executor.sock"), {FrameKind::kCommand, sign(command)}, 20s);
  CHECK(!reply);
  kill_now();
  start();
  CHECK(deliver(sign(command)).outcome == wire::ResultOutcome::kInterrupted);
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig,
                  "killed at any moment around an action: at most once, and always told") {
  const auto intent = looked_at(mark_intent());
  std::size_t interrupted = 0;
  std::size_t succeeded = 0;
  std::size_t refused_or_new = 0;
  std::size_t expected = 0;
  for (int round = 0; round < 24; ++round) {
    const auto envelope = sign(approved(intent));
    const std::size_t before = marks();
    auto sender = send_aside(*this, envelope);
    std::this_thread::sleep_for(std::chrono::microseconds(1'500 * round));
    kill_now();
    sender.join();
    // The keeper ends what is left within moments of the executor's end.
    std::this_thread::sleep_for(20ms);
    const std::size_t between = marks();
    CHECK(between <= before + 1);
    start();
    const auto result = deliver(envelope);
    const std::size_t after = marks();
    switch (result.outcome) {
      case wire::ResultOutcome::kSucceeded:
        // Before the kill, or now because nothing had been received.
        ++succeeded;
        CHECK(after == before + 1);
        break;
      case wire::ResultOutcome::kInterrupted:
        ++interrupted;
        CHECK(after == between);
        break;
      default:
        ++refused_or_new;
        CHECK(result.outcome == wire::ResultOutcome::kRefused);
        CHECK((result.reason == "interrupted" || result.reason == "sequence"));
        CHECK(after == before);
    }
    expected = after;
    CHECK(deliver(envelope).outcome == result.outcome);
    CHECK(marks() == expected);
  }
  MESSAGE("succeeded " << succeeded << ", interrupted " << interrupted << ", not begun "
                       << refused_or_new);
  CHECK(succeeded + interrupted + refused_or_new == 24);
}

TEST_CASE_FIXTURE(AttackRig, "a second executor on the same folders does not start") {
  const pid_t second = ::fork();
  REQUIRE(second >= 0);
  if (second == 0) {
    ::execl(OBSERVEAI_EXECUTOR, OBSERVEAI_EXECUTOR, "run", "-c", path("executor.toml").c_str(),
            nullptr);
    ::_exit(127);
  }
  int code = 0;
  REQUIRE(::waitpid(second, &code, 0) == second);
  CHECK(WIFEXITED(code));
  CHECK(WEXITSTATUS(code) == 1);
  executed(approved_mark());
}

TEST_CASE_FIXTURE(AttackRig, "two commands for one target at one time") {
  write_program("mark", "echo began >> '" + path("marker") + "'\nwhile [ ! -e '" + path("go") +
                            "' ]; do sleep 0.02; done\n");
  write_policy(site_policy());
  const auto intent = looked_at(mark_intent());
  const auto first = sign(approved(intent));
  auto sender = send_aside(*this, first);
  wait_for_marks(*this, 1);
  refused(approved(intent), "busy");
  // The same one: neither run again nor refused, for it is at work.
  CHECK(ask(FrameKind::kCommand, first).kind == FrameKind::kError);
  CHECK(status().state == "ready");  // Answered meanwhile
  std::ofstream(path("go")).close();
  sender.join();
  CHECK(deliver(first).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig, "a runbook that hangs is ended by the command's time") {
  make_slow(*this, "60");
  auto intent = mark_intent();
  intent.timeout_ms = 1'000;
  const auto result = deliver(sign(approved(looked_at(intent))));
  CHECK(result.outcome == wire::ResultOutcome::kFailed);
  CHECK(result.reason == "timeout");
  CHECK(!files::exists(path("over")));
}
