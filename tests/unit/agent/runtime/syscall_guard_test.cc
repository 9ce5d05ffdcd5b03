// What an agent that was taken over would try, tried by a child that has the guard: against its parent.
#include "agent/runtime/syscall_guard.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <future>
#include <thread>

using namespace observeai::agent;

namespace {

volatile char g_target[8] = "parent";

// The errno with which `attempt` ended in a child, 0 when it went well; 255 when the guard could not be set.
int errno_in_child(bool guarded, const std::function<long()>& attempt) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (guarded && !refuse_foreign_syscalls()) ::_exit(255);
    errno = 0;
    ::_exit(attempt() < 0 ? errno : 0);
  }
  int status = 0;
  REQUIRE(child > 0);
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

long write_into(pid_t process) {
  char text[] = "owned";
  const iovec here{text, sizeof text};
  const iovec there{const_cast<char*>(g_target), sizeof text};
  return ::process_vm_writev(process, &here, 1, &there, 1, 0);
}

long read_from(pid_t process) {
  char text[8];
  const iovec here{text, sizeof text};
  const iovec there{const_cast<char*>(g_target), sizeof text};
  return ::process_vm_readv(process, &here, 1, &there, 1, 0);
}

}  // namespace

TEST_CASE("with the guard no memory of another process is read or written, and no program starts") {
  const pid_t parent = ::getpid();
  CHECK(errno_in_child(true, [&] { return write_into(parent); }) == EPERM);
  CHECK(errno_in_child(true, [&] { return read_from(parent); }) == EPERM);
  CHECK(std::string_view(const_cast<char*>(g_target)) == "parent");
  CHECK(errno_in_child(true, [&] { return ::ptrace(PTRACE_ATTACH, parent, 0, 0); }) == EPERM);
  CHECK(errno_in_child(true, [] { return ::execl("/bin/true", "true", nullptr); }) == EPERM);
  CHECK(errno_in_child(true, [] { return ::unshare(CLONE_NEWNS); }) == EPERM);
  CHECK(errno_in_child(true, [] { return ::syscall(SYS_clone, CLONE_NEWUSER, 0, 0, 0, 0); }) ==
        EPERM);
  CHECK(errno_in_child(true, [] { return ::syscall(SYS_clone3, nullptr, 0); }) == ENOSYS);
  CHECK(errno_in_child(true, [] { return ::syscall(SYS_open_by_handle_at, -1, nullptr, 0); }) ==
        EPERM);
  CHECK(errno_in_child(true, [] { return ::syscall(SYS_io_uring_setup, 1, nullptr); }) == EPERM);
#if defined(__x86_64__)
  CHECK(errno_in_child(true, [] { return ::syscall(0x40000000 | SYS_getpid); }) == EPERM);
#endif
}

TEST_CASE(
    "without the guard the same attempts are not refused with EPERM: the checks above can fail") {
  const pid_t parent = ::getpid();
  if (::getuid() == 0) {
    CHECK(errno_in_child(false, [&] { return write_into(parent); }) == 0);
    CHECK(std::string_view(const_cast<char*>(g_target)) == "owned");
  }
  CHECK(errno_in_child(false, [] { return ::execl("/bin/true", "true", nullptr); }) == 0);
  CHECK(errno_in_child(false, [] { return ::syscall(SYS_open_by_handle_at, -1, nullptr, 0); }) !=
        EPERM);
}

TEST_CASE("threads that run already are guarded as well") {
  CHECK(errno_in_child(false, [] {
          std::promise<void> guarded;
          long got = 0;
          int error = 0;
          std::thread before([&] {
            guarded.get_future().wait();
            got = ::syscall(SYS_kcmp, ::getpid(), ::getpid(), 0, 0, 0);
            error = errno;
          });
          const bool set = bool(refuse_foreign_syscalls());
          guarded.set_value();
          before.join();
          errno = error;
          return set ? got : 0L;
        }) == EPERM);
}

TEST_CASE("an ordinary life goes on") {
  CHECK(errno_in_child(true, [] {
          const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
          if (file < 0) return -1L;
          char text[64];
          long got = -1;
          std::thread([&] { got = ::read(file, text, sizeof text); }).join();
          return got;
        }) == 0);
}
