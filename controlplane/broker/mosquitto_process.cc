#include "controlplane/broker/mosquitto_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "controlplane/broker/broker_user.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::controlplane {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kMaxLine = 4096;

int remaining_ms(Steady::time_point end) {
  const auto left = std::chrono::duration_cast<milliseconds>(end - Steady::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

constexpr std::size_t kMaxConfig = 64U << 10;
constexpr std::string_view kCannotBecome = "Error: cannot become the broker's user in its folder\n";

struct Start {
  const char* program;
  char* const* argv;
  const char* directory;
  std::optional<BrokerUser> user;
  int output;
  pid_t parent;
};

// For good: real, effective and saved ids. The folder first, the way to it is closed afterwards.
bool enter_as(const char* directory, const std::optional<BrokerUser>& user) {
  if (::chdir(directory) != 0) return false;
  if (!user) return true;
  return ::setgroups(0, nullptr) == 0 && ::setgid(user->gid) == 0 && ::setuid(user->uid) == 0;
}

// Between fork and exec only async-signal-safe calls: the program may have other threads.
[[noreturn]] void become_broker(const Start& start) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, 0);
  ::dup2(start.output, 1);
  ::dup2(start.output, 2);
  ::close_range(3, ~0U, 0);
  if (!enter_as(start.directory, start.user)) {
    [[maybe_unused]] const auto told = ::write(2, kCannotBecome.data(), kCannotBecome.size());
    ::_exit(126);
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);             // After the change of user, which takes it away
  if (::getppid() != start.parent) ::_exit(126);  // The parent died before the request took effect.
  ::execv(start.program, start.argv);
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<MosquittoProcess>> MosquittoProcess::start(const Options& options) {
  if (::access(options.program.c_str(), X_OK) != 0) {
    return files::from_errno("cannot run " + options.program, errno);
  }
  TRY(const std::string written, files::read(options.config_file, kMaxConfig));
  TRY(const auto user, find_broker_user(user_in_config(written)));
  const std::filesystem::path config_path(options.config_file);
  const std::string directory = config_path.parent_path();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return files::from_errno("cannot make a pipe", errno);
  std::string program = options.program;
  std::string flag = "-c";
  std::string config = config_path.filename();
  char* const argv[] = {program.data(), flag.data(), config.data(), nullptr};
  const Start start{program.c_str(), argv, directory.c_str(), user, ends[1], ::getpid()};
  const pid_t pid = ::fork();
  if (pid == 0) become_broker(start);
  const int fork_error = errno;
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    return files::from_errno("cannot start " + options.program, fork_error);
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  // By number: the header of glibc 2.36 declares pidfd_open() without C linkage.
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  return std::unique_ptr<MosquittoProcess>(
      new MosquittoProcess(pid, pidfd, ends[0], options.forward_output));
}

MosquittoProcess::~MosquittoProcess() {
  stop();
  ::close(output_);
  if (pidfd_ >= 0) ::close(pidfd_);
}

Result<void> MosquittoProcess::wait_until_ready(milliseconds patience) {
  const auto end = Steady::now() + patience;
  while (!ready_) {
    pollfd wait[] = {{output_, POLLIN, 0}, {pidfd_, POLLIN, 0}};
    ::poll(wait, 2, remaining_ms(end));
    read_output();
    if (ready_) break;
    if (auto how = ended()) {
      return Error(Errc::kUnavailable, "the broker did not start (" + *how + ")" +
                                           (last_error_.empty() ? "" : ": " + last_error_));
    }
    if (remaining_ms(end) == 0) return Error(Errc::kTimeout, "the broker did not start in time");
  }
  return {};
}

void MosquittoProcess::stop(milliseconds grace) {
  if (ended()) return;
  ::kill(pid_, SIGTERM);
  const auto end = Steady::now() + grace;
  while (!ended() && remaining_ms(end) > 0) {
    pollfd wait[] = {{pidfd_, POLLIN, 0}, {output_, POLLIN, 0}};
    ::poll(wait, 2, std::min(remaining_ms(end), 50));
    read_output();
  }
  if (ended()) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ended_ = "killed";
}

void MosquittoProcess::read_output() {
  std::array<char, 4096> buffer;
  for (;;) {
    const auto got = ::read(output_, buffer.data(), buffer.size());
    if (got <= 0) return;
    partial_.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t newline;
    while ((newline = partial_.find('\n')) != std::string::npos) {
      take_line(std::string_view(partial_).substr(0, newline));
      partial_.erase(0, newline + 1);
    }
    if (partial_.size() > kMaxLine) {
      take_line(partial_);
      partial_.clear();
    }
  }
}

// "1699999999: mosquitto version 2.0.11 running" is written once its listeners are open
// (src/mosquitto.c).
void MosquittoProcess::take_line(std::string_view line) {
  if (line.find("mosquitto version ") != line.npos && line.ends_with(" running")) ready_ = true;
  const bool error = line.find("Error") != line.npos;
  if (error) last_error_ = log::printable(line, 300);
  if (!forward_) return;
  const std::string text = "mosquitto: " + log::printable(line, 500);
  if (error) {
    log::warning(text);
  } else {
    log::info(text);
  }
}

std::optional<std::string> MosquittoProcess::ended() {
  if (ended_) return ended_;
  int status = 0;
  const pid_t got = ::waitpid(pid_, &status, WNOHANG);
  if (got != pid_) return std::nullopt;
  read_output();
  ended_ = WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                             : "signal " + std::to_string(WTERMSIG(status));
  return ended_;
}

}  // namespace observeai::controlplane
