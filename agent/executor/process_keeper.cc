#include "agent/executor/process_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace observeai::agent::executor {
namespace {

// The only descriptors of the keeper; the program has the first three and, for a script, the last.
constexpr int kReportFd = 3;
constexpr int kProgramFd = 4;
constexpr std::int64_t kBackgroundGraceMs = 200;  // For what a program left behind
constexpr std::int64_t kKillPatienceMs = 900;     // Until something counts as not to be killed
constexpr std::int64_t kKillAgainMs = 5;

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

void report(const KeeperReport& said) {
  // A pipe takes so little at once, or the executor is gone.
  [[maybe_unused]] const auto written = ::write(kReportFd, &said, sizeof said);
}

// Calls `each` with the pid of every child; false where the kernel does not list them.
template <class Each>
bool for_each_child(Each each) {
  const int list = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (list < 0) return false;
  char buffer[4096];
  pid_t pid = 0;
  for (;;) {
    const auto got = ::read(list, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (ssize_t at = 0; at < got; ++at) {
      if (buffer[at] >= '0' && buffer[at] <= '9') {
        pid = pid * 10 + (buffer[at] - '0');
      } else if (pid > 0) {
        each(pid);
        pid = 0;
      }
    }
  }
  if (pid > 0) each(pid);
  ::close(list);
  return true;
}

void take_descriptors(const KeeperTask& task) {
  ::dup2(task.null_fd, 0);
  ::dup2(task.output_fd, 1);
  ::dup2(task.output_fd, 2);
  ::dup2(task.report_fd, kReportFd);
  if (task.program_fd >= 0) ::dup2(task.program_fd, kProgramFd);
  const unsigned first = task.program_fd >= 0 ? kProgramFd + 1 : kReportFd + 1;
  if (::close_range(first, ~0U, 0) == 0) return;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  for (unsigned fd = first; fd < files.rlim_cur; ++fd) ::close(static_cast<int>(fd));
}

bool limit(__rlimit_resource which, const rlimit& value) {
  return ::setrlimit(which, &value) == 0;
}

bool become(const KeeperTask& task) {
  if (!task.change_user) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(task.gid, task.gid, task.gid) == 0 &&
         ::setresuid(task.uid, task.uid, task.uid) == 0;
}

[[noreturn]] void start(const KeeperTask& task, pid_t keeper) {
  ::setpgid(0, 0);
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  ::umask(022);
  ::fcntl(kReportFd, F_SETFD, FD_CLOEXEC);
  if (task.program_fd >= 0 && !task.script) ::fcntl(kProgramFd, F_SETFD, FD_CLOEXEC);
  const rlimit no_core{};
  bool ready = ::chdir("/") == 0 && limit(RLIMIT_CORE, no_core) && limit(RLIMIT_CPU, task.cpu) &&
               limit(RLIMIT_NOFILE, task.open_files) && limit(RLIMIT_FSIZE, task.file_size) &&
               become(task);
  // After become(): another user clears it.
  ready = ready && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && limit(RLIMIT_AS, task.memory);
  if (ready && ::getppid() != keeper) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (ready && task.program_fd >= 0)
    ::syscall(SYS_execveat, kProgramFd, "", task.argv, task.envp, AT_EMPTY_PATH);
  else if (ready)
    ::execve(task.path, task.argv, task.envp);
  report({.start_error = errno});
  ::_exit(127);
}

// The program and all below it, from the start of the end until nothing is left.
class Watch {
 public:
  Watch(pid_t program, std::int64_t grace_ms) : program_(program), grace_ms_(grace_ms) {}

  [[noreturn]] void run() {
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGCHLD);
    ::sigaddset(&wanted, SIGTERM);
    for (;;) {
      const int got = wait_for(wanted);
      if (!reap()) finish(false);
      if (got == SIGTERM && !ending_) {
        timed_out_ = !program_ended_;
        begin_end(grace_ms_);
      }
      if (program_ended_ && !ending_) begin_end(kBackgroundGraceMs);
      if (!ending_ || now_ms() < kill_at_ms_) continue;
      if (now_ms() > kill_at_ms_ + kKillPatienceMs) finish(true);
      signal_all(SIGKILL);
    }
  }

 private:
  int wait_for(const sigset_t& wanted) const {
    if (!ending_) return ::sigwaitinfo(&wanted, nullptr);
    std::int64_t wait_ms = kill_at_ms_ - now_ms();
    if (wait_ms < kKillAgainMs) wait_ms = kKillAgainMs;
    const timespec wait{wait_ms / 1000, (wait_ms % 1000) * 1'000'000};
    return ::sigtimedwait(&wanted, nullptr, &wait);
  }
  // False when there are no children any more.
  bool reap() {
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid == 0 || (pid < 0 && errno == EINTR)) return true;
      if (pid < 0) return false;
      if (pid != program_) continue;
      program_ended_ = true;
      status_ = status;
    }
  }
  void begin_end(std::int64_t grace_ms) {
    ending_ = true;
    kill_at_ms_ = now_ms() + grace_ms;
    signal_all(SIGTERM);
  }
  void signal_all(int number) const {
    // The group's number is nobody else's as long as the program was not reaped.
    // 1 and below would be everybody.
    if (!program_ended_ && program_ > 1) ::kill(-program_, number);
    for_each_child([number](pid_t child) {
      if (child > 1) ::kill(child, number);
    });
  }
  [[noreturn]] void finish(bool left) const {
    report(
        {.start_error = 0, .wait_status = status_, .timed_out = timed_out_ ? 1 : 0, .left = left});
    ::_exit(0);
  }

  const pid_t program_;
  const std::int64_t grace_ms_;
  bool program_ended_ = false;
  bool timed_out_ = false;
  bool ending_ = false;
  std::int64_t kill_at_ms_ = 0;
  int status_ = 0;
};

}  // namespace

void keep(const KeeperTask& task) {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &by_default, nullptr);
  ::setpgid(0, 0);
  take_descriptors(task);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != task.executor) ::_exit(1);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || !for_each_child([](pid_t) {})) {
    report({.start_error = ENOSYS});
    ::_exit(1);
  }
  const pid_t keeper = ::getpid();
  const pid_t program = ::fork();
  if (program < 0) {
    report({.start_error = errno});
    ::_exit(1);
  }
  if (program == 0) start(task, keeper);
  ::setpgid(program, program);
  Watch(program, task.grace_ms).run();
}

}  // namespace observeai::agent::executor
