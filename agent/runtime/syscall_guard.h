// What the agent never asks of the kernel is refused to it for good: whoever takes it over (it reads
// foreign bytes all day, with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH) can write no other process's memory
// and start no program.
#pragma once

#include "protocol/base/result.h"

namespace observeai::agent {

// From now on, in every thread of this process and without a way back: EPERM for execve, ptrace,
// process_vm_*, pidfd_getfd, mounts, new namespaces, modules, bpf, perf, keys, io_uring, open_by_handle_at,
// and for system calls of another architecture; no new privileges. Reading other processes stays possible
// (/proc). Call it at the start. Errors: kUnavailable where the kernel has no seccomp.
Result<void> refuse_foreign_syscalls();

}  // namespace observeai::agent
