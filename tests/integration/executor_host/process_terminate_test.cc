// process.terminate on real processes, one of which gets the id of another.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <thread>

#include "agent/executor/actions/process_stat.h"
#include "agent/executor/pidfd.h"
#include "tests/integration/executor_host/action_rig.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

constexpr const char* kName = "process.terminate";

void sleep_for_ever(bool stubborn) {
  if (stubborn) ::signal(SIGTERM, SIG_IGN);
  for (;;) ::pause();
}

// A child that sleeps; whether it ends is its parent's, the test's, to see.
class Child {
 public:
  explicit Child(bool stubborn = false, pid_t wanted = 0) {
    clone_args how{};
    how.exit_signal = SIGCHLD;
    how.flags = CLONE_CLEAR_SIGHAND;  // doctest has handlers of its own
    if (wanted > 0) {
      how.set_tid = reinterpret_cast<std::uint64_t>(&wanted);
      how.set_tid_size = 1;
    }
    pid = static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
    if (pid == 0) sleep_for_ever(stubborn);
    if (pid < 0) return;
    held_ = open_pidfd(pid);
    REQUIRE(bool(held_));
    // Until it has said what it does with TERM.
    while (stubborn && !ignores(SIGTERM)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ~Child() { end(); }
  void end() {
    if (pid <= 0 || reaped_) return;
    kill();
    reap();
  }
  // By descriptor alone: kill(-1) of a child that never was would reach every process of the machine.
  void kill() const { send_signal(held_, SIGKILL); }
  int reap() {
    int status = 0;
    ::waitpid(pid, &status, 0);
    reaped_ = true;
    return status;
  }
  bool running() const {
    const auto stat = read_process_stat("/proc", pid);
    return stat && !stat->ended();
  }
  wire::Parameters parameters() const {
    return {{"pid", std::int64_t{pid}},
            {"start_ticks", read_process_stat("/proc", pid)->start_ticks}};
  }

  pid_t pid = -1;

 private:
  bool ignores(int signal) const;
  UniqueFd held_;
  bool reaped_ = false;
};

bool Child::ignores(int signal) const {
  std::string text;
  char buffer[4096];
  const UniqueFd status(::open(("/proc/" + std::to_string(pid) + "/status").c_str(), O_RDONLY));
  for (ssize_t got; (got = ::read(status.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  const auto at = text.find("SigIgn:");
  if (at == std::string::npos) return false;
  return (std::stoull(text.substr(at + 7), nullptr, 16) >> (signal - 1) & 1) != 0;
}

}  // namespace

TEST_CASE("TERM is enough") {
  test::ActionRig rig;
  Child child;
  REQUIRE(child.pid > 1);
  const auto outcome = rig.carry_out(kName, child.parameters());
  REQUIRE(outcome.real.size() == 1);
  CHECK(outcome.real[0].before == "runs");
  CHECK(outcome.real[0].after == "ended");
  const int status = child.reap();
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("KILL when TERM did not help, and only where it was asked for") {
  test::ActionRig rig;
  Child child(true);
  REQUIRE(child.pid > 1);
  auto never = child.parameters();
  never["kill_after_s"] = std::int64_t{0};
  auto seen = rig.assess(kName, never);
  REQUIRE(seen.has_value());
  auto run = rig.run(std::chrono::milliseconds(300));
  CHECK(rig.action(kName).execute(never, *seen, run).error().code() == Errc::kTimeout);
  CHECK(child.running());
  CHECK(rig.action(kName).verify(never, *seen, run).error().code() == Errc::kTimeout);

  auto after_a_second = child.parameters();
  after_a_second["kill_after_s"] = std::int64_t{1};
  rig.carry_out(kName, after_a_second);
  CHECK(WTERMSIG(child.reap()) == SIGKILL);
}

TEST_CASE("another process under the same id is left alone") {
  test::ActionRig rig;
  Child first;
  REQUIRE(first.pid > 1);
  const auto parameters = first.parameters();
  auto seen = rig.assess(kName, parameters);
  REQUIRE(seen.has_value());
  const UniqueFd held = open_pidfd(first.pid);
  first.end();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));  // Ticks of 10 ms
  Child second(false, first.pid);
  if (second.pid < 0 && errno == EPERM) {
    std::cerr << "SKIPPED: ids cannot be chosen here (clone3 set_tid)\n";
    return;
  }
  REQUIRE(second.pid == first.pid);
  CHECK(rig.refused(kName, parameters) == Errc::kNotFound);
  auto run = rig.run();
  CHECK(rig.action(kName).execute(parameters, *seen, run).error().code() == Errc::kNotFound);
  // And when the id is given away between the look and the signal, the signal has nowhere to go.
  CHECK_FALSE(send_signal(held, SIGKILL));
  CHECK(second.running());
}

TEST_CASE("who is never ended") {
  test::ActionRig rig;
  const auto parameters = [](std::int64_t pid) {
    auto stat = read_process_stat("/proc", pid);
    return wire::Parameters{{"pid", pid}, {"start_ticks", stat ? stat->start_ticks : 0}};
  };
  CHECK(rig.refused(kName, parameters(::getpid())) == Errc::kDenied);
  auto run = rig.run();
  CHECK(rig.action(kName).assess(parameters(::getppid()), run).error().code() == Errc::kDenied);
  // Below what the catalogue lets pass: the action itself says no.
  CHECK(rig.action(kName).assess(parameters(1), run).error().code() == Errc::kDenied);
  CHECK(rig.action(kName).assess(parameters(0), run).error().code() == Errc::kInvalid);
  CHECK(rig.action(kName).assess(parameters(-1), run).error().code() == Errc::kInvalid);
  const auto second = read_process_stat("/proc", 2);  // Not in a namespace of its own
  if (second && second->comm == "kthreadd")
    CHECK(rig.refused(kName, parameters(2)) == Errc::kDenied);
  CHECK(rig.refused(kName, parameters(4'194'304)) == Errc::kNotFound);
  // A thread's id is no process's.
  pid_t thread_id = 0;
  std::atomic<bool> over = false;
  std::thread thread([&] {
    __atomic_store_n(&thread_id, static_cast<pid_t>(::syscall(SYS_gettid)), __ATOMIC_SEQ_CST);
    while (!over) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  while (__atomic_load_n(&thread_id, __ATOMIC_SEQ_CST) == 0) std::this_thread::yield();
  CHECK(rig.refused(kName, parameters(thread_id)) == Errc::kNotFound);
  over = true;
  thread.join();
}

TEST_CASE("one that has ended and waits for its parent is no target") {
  test::ActionRig rig;
  Child child;
  REQUIRE(child.pid > 1);
  const auto parameters = child.parameters();
  child.kill();
  while (child.running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(rig.refused(kName, parameters) == Errc::kNotFound);
}
