// What runs between the executor and a program: process_runner.h tells why. Called in a forked child of a
// program with threads, so nothing here allocates, locks or throws: system calls alone.
#pragma once

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>

namespace observeai::agent::executor {

struct KeeperTask {
  pid_t executor = 0;
  int null_fd = -1;  // All descriptors here are 10 or above
  int output_fd = -1;
  int report_fd = -1;
  int program_fd = -1;  // -1: by path
  bool script = false;
  const char* path = nullptr;
  char* const* argv = nullptr;
  char* const* envp = nullptr;
  bool change_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  rlimit cpu{};
  rlimit memory{};
  rlimit open_files{};
  rlimit file_size{};
  std::int64_t grace_ms = 0;  // From TERM to KILL
};

// Written to report_fd by the program's fork (start_error alone) or by the keeper when all is over.
struct KeeperReport {
  std::int32_t start_error = 0;  // errno; 0: it was started
  std::int32_t wait_status = 0;
  std::int32_t timed_out = 0;
  std::int32_t left = 0;  // Something did not die
};

// Every signal is blocked by the caller. SIGTERM, or the executor's end, makes it end everything.
[[noreturn]] void keep(const KeeperTask& task);

}  // namespace observeai::agent::executor
