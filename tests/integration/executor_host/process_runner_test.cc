// Real processes: what a program gets, that nothing of it is left, that what was hashed is what runs.
#include "agent/executor/process_runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include "protocol/base/files.h"
#include "protocol/signing/sealing.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using namespace std::chrono_literals;

namespace {

// Tests alone may use a shell: it is the program under watch.
Program shell(const std::string& script) {
  return {.path = "/bin/sh", .arguments = {"-c", script}};
}

ProgramEnd run(const Program& program, std::chrono::milliseconds timeout = 10s,
               std::size_t limit = 64U << 10) {
  auto end = run_program(program, timeout, limit);
  REQUIRE_MESSAGE(end.has_value(), end.error().message());
  return *std::move(end);
}

bool alive(pid_t pid) {
  if (pid <= 1) return false;
  auto stat = files::read("/proc/" + std::to_string(pid) + "/stat");
  return stat && stat->find(") Z ") == std::string::npos;
}

pid_t pid_in(const std::string& path) {
  return std::stoi(files::read(path).value_or("0"));
}

void write(const std::string& path, const std::string& text, unsigned mode = 0755) {
  REQUIRE(files::write_atomic(path, text, mode).has_value());
}

HeldProgram held(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto program = HeldProgram::copy_of(file.get());
  REQUIRE(program.has_value());
  return *std::move(program);
}

}  // namespace

TEST_CASE("exit code, signal, both outputs in order") {
  const auto end = run(shell("echo one; echo two >&2; echo three; exit 7"));
  CHECK(end.exit_code == 7);
  CHECK(end.signal == 0);
  CHECK(end.output == "one\ntwo\nthree\n");
  CHECK_FALSE(end.succeeded());
  CHECK(end.describe() == "exit code 7");
  const auto killed = run(shell("kill -9 $$"));
  CHECK(killed.exit_code == -1);
  CHECK(killed.signal == SIGKILL);
  CHECK(run(shell("exit 0")).succeeded());
}

TEST_CASE("what cannot be started is said with its reason") {
  CHECK(run_program({.path = "sh"}, 1s, 10).error().code() == Errc::kInvalid);
  CHECK(run_program({.path = "/bin/sh", .arguments = {std::string("a\0b", 3)}}, 1s, 10)
            .error()
            .code() == Errc::kInvalid);
  CHECK(run_program({.path = "/nonexistent/x"}, 1s, 10).error().code() == Errc::kNotFound);
  CHECK(run_program({.path = "/etc/passwd"}, 1s, 10).error().code() == Errc::kDenied);
}

TEST_CASE("the environment, folder, input, mask and descriptors are the runner's own") {
  const int leaked = ::open("/dev/null", O_RDONLY);  // Without O_CLOEXEC
  REQUIRE(::setenv("OBSERVEAI_LEAK", "secret", 1) == 0);
  const auto end =
      run(shell("pwd; umask; cat; ls /proc/self/fd | tr '\\n' ' '; echo; env | sort; "
                "sed -n 's/^SigIgn:\\s*//p;s/^SigBlk:\\s*//p' "
                "/proc/self/status"));
  ::close(leaked);
  // ls has the folder itself open as 3; sh adds PWD and the like only for itself.
  CHECK(end.output.starts_with("/\n0022\n0 1 2 3 \n"));
  CHECK(end.output.find("secret") == std::string::npos);
  CHECK(end.output.find("PATH=/usr/sbin:/usr/bin:/sbin:/bin\n") != std::string::npos);
  CHECK(end.output.ends_with("0000000000000000\n0000000000000000\n"));
}

TEST_CASE("output is bounded: the beginning is kept, the program is not blocked") {
  const auto end = run(shell("echo begin; head -c 3000000 /dev/zero; exit 3"), 20s, 100);
  CHECK(end.exit_code == 3);
  CHECK(end.output.size() == 100);
  CHECK(end.output.starts_with("begin\n"));
  CHECK(end.truncated);
  const auto exact = run(shell("printf 12345"), 5s, 5);
  CHECK(exact.output == "12345");
  CHECK_FALSE(exact.truncated);
}

TEST_CASE("limits hold") {
  Program cpu = shell("while :; do :; done");
  cpu.limits.cpu_s = 1;
  const auto spun = run(cpu, 20s);
  CHECK(spun.signal == SIGXCPU);
  CHECK_FALSE(spun.timed_out);
  Program file = shell("ulimit -n; ulimit -c; ulimit -v");
  file.limits = {.cpu_s = 5, .memory_bytes = 1 << 30, .open_files = 77, .file_bytes = 1 << 20};
  const auto told = run(file);
  CHECK(told.output == "77\n0\n1048576\n");
  Program writer = shell("head -c 3000000 /dev/zero > \"$0\"");
  test::TempDir dir;
  writer.arguments.push_back(dir / "big");
  writer.limits.file_bytes = 1 << 20;
  CHECK_FALSE(run(writer).succeeded());
  CHECK(std::filesystem::file_size(dir / "big") == 1 << 20);
}

TEST_CASE("another user: no groups, no way back") {
  Program program = shell("id -u; id -g; id -G");
  program.user = Program::User{65534, 65534};
  CHECK(run(program).output == "65534\n65534\n65534\n");
}

TEST_CASE(
    "when time is up everything ends: TERM first, then KILL, those with a session of their own "
    "too") {
  test::TempDir dir;
  const auto began = std::chrono::steady_clock::now();
  const auto polite = run(shell("trap 'echo bye; exit 4' TERM; while :; do sleep 0.05; done"), 2s);
  CHECK(polite.timed_out);
  CHECK(polite.output.ends_with("bye\n"));
  CHECK(polite.describe() == "ended: time was up");
  CHECK(std::chrono::steady_clock::now() - began < 2s);

  Program stubborn = shell(
      "trap '' TERM; (setsid sh -c 'trap \"\" TERM; echo $$ >\"$0/deep\"; while :; do sleep 0.05; "
      "done' \"$0\" &) ; echo $$ >\"$0/main\"; while :; do sleep 0.05; done");
  stubborn.arguments.push_back(dir.path());
  const auto killed = run(stubborn, 2s);
  CHECK(killed.timed_out);
  CHECK(killed.signal == SIGKILL);
  CHECK(pid_in(dir / "main") > 1);
  CHECK(pid_in(dir / "deep") > 1);
  CHECK_FALSE(alive(pid_in(dir / "main")));
  CHECK_FALSE(alive(pid_in(dir / "deep")));
}

TEST_CASE("what a program leaves in the background ends with it") {
  test::TempDir dir;
  Program program = shell(
      "setsid sh -c 'echo $$ >\"$0/left\"; exec sleep 600' \"$0\" & while [ ! -s \"$0/left\" ]; do "
      "sleep 0.02; done; echo done");
  program.arguments.push_back(dir.path());
  const auto began = std::chrono::steady_clock::now();
  const auto end = run(program);
  CHECK(end.succeeded());
  CHECK(end.output == "done\n");
  CHECK(std::chrono::steady_clock::now() - began < 5s);
  CHECK_FALSE(alive(pid_in(dir / "left")));
}

TEST_CASE("when the executor is killed nothing of its program goes on") {
  test::TempDir dir;
  const pid_t executor = ::fork();
  if (executor == 0) {
    Program program = shell(
        "setsid sh -c 'echo $$ >\"$0/deep\"; exec sleep 600' \"$0\" & echo $$ >\"$0/main\"; sleep "
        "600");
    program.arguments.push_back(dir.path());
    (void)run_program(program, 60s, 100);
    ::_exit(0);
  }
  REQUIRE(executor > 1);
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (std::chrono::steady_clock::now() < until &&
         (pid_in(dir / "main") == 0 || pid_in(dir / "deep") == 0))
    std::this_thread::sleep_for(10ms);
  const pid_t main = pid_in(dir / "main");
  const pid_t deep = pid_in(dir / "deep");
  REQUIRE(alive(main));
  REQUIRE(alive(deep));
  ::kill(executor, SIGKILL);
  ::waitpid(executor, nullptr, 0);
  while (std::chrono::steady_clock::now() < until && (alive(main) || alive(deep)))
    std::this_thread::sleep_for(10ms);
  CHECK_FALSE(alive(main));
  CHECK_FALSE(alive(deep));
}

TEST_CASE("held programs: the bytes that were hashed run, scripts and binaries") {
  test::TempDir dir;
  write(dir / "script", "#!/bin/sh\necho \"first $1\"\nls /proc/self/fd | wc -l\n");
  const HeldProgram script = held(dir / "script");
  CHECK(script.script());
  CHECK(script.sha256() == signing::sha256_hex(*files::read(dir / "script")));
  // In place and by another file: neither reaches what is held.
  std::ofstream(dir / "script", std::ios::trunc) << "#!/bin/sh\necho changed\n";
  write(dir / "script", "#!/bin/sh\necho replaced\n");
  const auto end =
      run({.path = dir / "script", .held = &script, .arguments = {"--name=a b; touch x"}});
  CHECK(end.output.starts_with("first --name=a b; touch x\n"));
  CHECK(end.succeeded());
  CHECK(::write(script.fd(), "x", 1) == -1);

  std::filesystem::copy_file("/bin/echo", dir / "binary");
  const HeldProgram binary = held(dir / "binary");
  CHECK_FALSE(binary.script());
  write(dir / "binary", "#!/bin/sh\necho replaced\n");
  CHECK(run({.path = dir / "binary", .held = &binary, .arguments = {"whole"}}).output == "whole\n");

  const UniqueFd folder(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(HeldProgram::copy_of(folder.get()).error().code() == Errc::kInvalid);
  std::filesystem::resize_file(dir / "binary", kMaxProgramBytes + 1);
  const UniqueFd large(::open((dir / "binary").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(HeldProgram::copy_of(large.get()).error().code() == Errc::kLimit);
}

TEST_CASE("a storm of forks ends too") {
  Program storm = shell("for i in $(seq 300); do (setsid sleep 600 &) ; done; sleep 600");
  const auto end = run(storm, 4s);
  CHECK(end.timed_out);
}
