#include "agent/executor/process_runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>

#include "agent/executor/pidfd.h"
#include "agent/executor/process_keeper.h"
#include "protocol/base/files.h"
#include "protocol/signing/sealing.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // linux/memfd.h of 6.3; older kernels answer EINVAL
#endif

namespace observeai::agent::executor {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr milliseconds kMostGrace{2000};
constexpr milliseconds kKeeperPatience{1000};  // After KILL, until the keeper itself is killed
constexpr int kLowestFd = 10;                  // The keeper numbers its own from 0

Error failed(std::string_view what) {
  return files::from_errno(what, errno);
}

// The same open file under a number that the keeper's own do not touch.
Result<UniqueFd> high(UniqueFd fd) {
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestFd));
  if (!moved) return failed("cannot duplicate a descriptor");
  return moved;
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed("cannot make a pipe");
  Pipe made{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::fcntl(made.read.get(), F_SETFL, O_NONBLOCK);
  TRY(made.write, high(std::move(made.write)));
  return made;
}

std::vector<char*> pointers(const std::vector<std::string>& texts, const std::string* first) {
  std::vector<char*> out;
  if (first != nullptr) out.push_back(const_cast<char*>(first->c_str()));
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

bool has_zero(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

// nullptr: nothing.
const char* wrong_with(const Program& program) {
  if (program.path.empty() || program.path.front() != '/' || has_zero(program.path))
    return "a program is named by its absolute path";
  if (std::any_of(program.arguments.begin(), program.arguments.end(), has_zero) ||
      std::any_of(program.environment.begin(), program.environment.end(), has_zero))
    return "an argument holds a zero byte";
  return nullptr;
}

rlimit both(std::uint64_t value) {
  return {value, value};
}

// What of the task is the program's alone.
KeeperTask task_of(const Program& program) {
  KeeperTask task;
  task.executor = ::getpid();
  task.program_fd = program.held == nullptr ? -1 : program.held->fd();
  task.script = program.held != nullptr && program.held->script();
  task.path = program.path.c_str();
  task.change_user = program.user.has_value();
  task.uid = program.user.value_or(Program::User{}).uid;
  task.gid = program.user.value_or(Program::User{}).gid;
  task.cpu = {program.limits.cpu_s, program.limits.cpu_s + 1};  // XCPU, a second later KILL
  task.memory = both(program.limits.memory_bytes);
  task.open_files = both(program.limits.open_files);
  task.file_size = both(program.limits.file_bytes);
  return task;
}

// With every signal blocked in the child from its first instruction.
pid_t fork_keeper(const KeeperTask& task) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t keeper = ::fork();
  if (keeper == 0) keep(task);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return keeper;
}

// The executor's end: reads the output, tells the keeper that time is up, reaps it.
class Supervisor {
 public:
  Supervisor(pid_t keeper, UniqueFd output, UniqueFd report, std::size_t output_limit)
      : keeper_(keeper),
        keeper_end_(open_pidfd(keeper)),
        output_(std::move(output)),
        report_(std::move(report)),
        output_limit_(output_limit) {}
  ~Supervisor() { reap(); }

  Result<ProgramEnd> run(Steady::time_point term_at, Steady::time_point give_up_at) {
    if (!keeper_end_) return failed("cannot watch a process");
    bool told = false;
    while (!ended_) {
      const auto now = Steady::now();
      if (now >= give_up_at)
        return Error(Errc::kTimeout, "the program could not be ended: it is stuck in the kernel");
      if (now >= term_at && !told) {
        ::kill(keeper_, SIGTERM);
        told = true;
      }
      wait_until(told ? give_up_at : term_at);
    }
    drain();
    return outcome();
  }

 private:
  void wait_until(Steady::time_point until) {
    // A closed output is not looked at any more: it would be ready for ever.
    std::array<pollfd, 2> watched{pollfd{keeper_end_.get(), POLLIN, 0},
                                  pollfd{output_.get(), POLLIN, 0}};
    const auto left = std::chrono::ceil<milliseconds>(until - Steady::now()).count();
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    if (::poll(watched.data(), watched.size(), timeout) <= 0) return;
    if (watched[1].revents != 0) drain();
    if (watched[0].revents != 0) ended_ = true;
  }
  void drain() {
    char buffer[16'384];
    while (output_) {
      const auto got = ::read(output_.get(), buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return;
      if (got <= 0) return output_.reset();
      const std::size_t room = output_limit_ - end_.output.size();
      end_.output.append(buffer, std::min(room, static_cast<std::size_t>(got)));
      end_.truncated |= static_cast<std::size_t>(got) > room;
    }
  }
  Result<ProgramEnd> outcome() {
    KeeperReport said;
    if (::read(report_.get(), &said, sizeof said) != static_cast<ssize_t>(sizeof said))
      return Error(Errc::kUnavailable, "the program's keeper was killed");
    if (said.start_error != 0) return files::from_errno("cannot start", said.start_error);
    if (said.left != 0)
      return Error(Errc::kTimeout, "something that the program started could not be ended");
    end_.timed_out = said.timed_out != 0;
    if (WIFEXITED(said.wait_status)) end_.exit_code = WEXITSTATUS(said.wait_status);
    if (WIFSIGNALED(said.wait_status)) end_.signal = WTERMSIG(said.wait_status);
    return std::move(end_);
  }
  void reap() const {
    if (!ended_) ::kill(keeper_, SIGKILL);
    while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  const pid_t keeper_;
  UniqueFd keeper_end_;
  UniqueFd output_;
  UniqueFd report_;
  const std::size_t output_limit_;
  ProgramEnd end_;
  bool ended_ = false;
};

// memfd that may be executed, whatever vm.memfd_noexec says as default.
int make_memfd() {
  const int fd = ::memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (fd >= 0 || errno != EINVAL) return fd;
  return ::memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

}  // namespace

Result<HeldProgram> HeldProgram::copy_of(int file) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return failed("cannot look at the program");
  if (!S_ISREG(info.st_mode)) return Error(Errc::kInvalid, "the program is not a regular file");
  if (static_cast<std::uint64_t>(info.st_size) > kMaxProgramBytes)
    return Error(Errc::kLimit, "the program is larger than 16 MiB");
  std::string bytes(static_cast<std::size_t>(info.st_size) + 1, '\0');  // One more: it may grow
  std::size_t size = 0;
  while (size < bytes.size()) {
    const auto got =
        ::pread(file, bytes.data() + size, bytes.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read the program");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size != static_cast<std::size_t>(info.st_size))
    return Error(Errc::kLimit, "the program changed while it was read");
  bytes.resize(size);
  UniqueFd memory(make_memfd());
  if (!memory) return failed("cannot hold the program in memory");
  for (std::size_t at = 0; at < size;) {
    const auto put = ::write(memory.get(), bytes.data() + at, size - at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return failed("cannot hold the program in memory");
    at += static_cast<std::size_t>(put);
  }
  ::fchmod(memory.get(), 0555);
  if (::fcntl(memory.get(), F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return failed("cannot seal the program in memory");
  TRY(UniqueFd held, high(std::move(memory)));
  return HeldProgram(std::move(held), signing::sha256_hex(bytes), bytes.starts_with("#!"));
}

std::string ProgramEnd::describe() const {
  if (timed_out) return "ended: time was up";
  return exit_code >= 0 ? "exit code " + std::to_string(exit_code)
                        : "signal " + std::to_string(signal);
}

Result<ProgramEnd> run_program(const Program& program, milliseconds timeout,
                               std::size_t output_limit) {
  const char* const wrong = wrong_with(program);
  if (wrong != nullptr) return Error(Errc::kInvalid, program.path + ": " + wrong);
  const auto began = Steady::now();
  const auto grace = std::min(kMostGrace, timeout / 4);
  UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) return failed("cannot open /dev/null");
  TRY(null, high(std::move(null)));
  TRY(Pipe output, make_pipe());
  TRY(Pipe report, make_pipe());
  const auto argv = pointers(program.arguments, &program.path);
  const auto envp = pointers(program.environment, nullptr);
  KeeperTask task = task_of(program);
  task.null_fd = null.get();
  task.output_fd = output.write.get();
  task.report_fd = report.write.get();
  task.argv = argv.data();
  task.envp = envp.data();
  task.grace_ms = grace.count();
  const pid_t keeper = fork_keeper(task);
  if (keeper < 0) return failed("cannot start a process");
  output.write.reset();
  report.write.reset();
  Supervisor supervisor(keeper, std::move(output.read), std::move(report.read), output_limit);
  auto ended = supervisor.run(began + timeout - grace, began + timeout + kKeeperPatience);
  if (!ended) return std::move(ended).error().with_context(program.path);
  return ended;
}

}  // namespace observeai::agent::executor
