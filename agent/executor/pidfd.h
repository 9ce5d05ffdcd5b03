// Processes by descriptor: a number that is given to another process meanwhile does no harm. glibc 2.36
// declares these without C linkage, so the calls are made here.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "agent/executor/unique_fd.h"

namespace observeai::agent::executor {

// Empty with errno: ESRCH, or EINVAL and ENOENT for a thread that is not its process's first.
inline UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

// False with errno.
inline bool send_signal(const UniqueFd& process, int number) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0) == 0;
}

}  // namespace observeai::agent::executor
