// A program of the host, started by argv and never by a shell, that cannot outlive its command.
//
//   executor -- keeper (a fork of the executor; subreaper; nothing but pipes) -- program -- its children
//
// The keeper gets every orphan below it, those that called setsid() too. When the program ends, when time
// is up or when the executor dies, it ends whatever is left (TERM, then KILL) before it ends itself: what a
// program leaves in the background is ended with it. The program gets: a process group of its own, cwd "/",
// an environment of what is told here alone, /dev/null as input, one pipe for both outputs, no other file
// descriptor, default signals, umask 022, limits, and PR_SET_PDEATHSIG.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/executor/unique_fd.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

inline constexpr std::size_t kMaxProgramBytes = 16U
                                                << 20;  // Of a program that is held: it is memory

// A program's bytes in memory, sealed: what was hashed is what runs, whatever happens to the file.
class HeldProgram {
 public:
  // Of an open regular file, from its beginning. kLimit above kMaxProgramBytes or when it grows meanwhile.
  static Result<HeldProgram> copy_of(int file);

  int fd() const { return fd_.get(); }
  const std::string& sha256() const { return sha256_; }  // 64 lower-case hex digits
  bool script() const { return script_; }                // Begins with "#!"

 private:
  HeldProgram(UniqueFd fd, std::string sha256, bool script)
      : fd_(std::move(fd)), sha256_(std::move(sha256)), script_(script) {}
  UniqueFd fd_;
  std::string sha256_;
  bool script_ = false;
};

struct ProgramLimits {
  std::uint64_t cpu_s = 60;
  std::uint64_t memory_bytes = 4ULL << 30;  // Address space: runtimes reserve more than they use
  std::uint64_t open_files = 1024;
  std::uint64_t file_bytes = 1ULL << 30;  // Of each file that it writes
};

struct Program {
  std::string path;                   // Absolute; argv[0] too
  const HeldProgram* held = nullptr;  // Run these bytes; a script's interpreter sees "/dev/fd/4"
  std::vector<std::string> arguments = {};  // Without argv[0]
  std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"};
  struct User {
    uid_t uid = 0;
    gid_t gid = 0;
  };
  std::optional<User> user = {};  // Supplementary groups are dropped too
  ProgramLimits limits = {};
};

struct ProgramEnd {
  int exit_code = -1;      // -1: by a signal
  int signal = 0;          // 0: by itself
  bool timed_out = false;  // It was ended because time was up
  std::string output;      // Both streams, as they came; the beginning is kept
  bool truncated = false;
  bool succeeded() const { return exit_code == 0 && !timed_out; }
  std::string describe() const;  // "exit code 3", "signal 9", "ended: time was up"
};

// Blocks, for at most `timeout` (a real one, of the steady clock) and a second: TERM comes before
// `timeout` by a quarter of it, at most 2 s, and KILL at `timeout`. Any thread. kInvalid: the path is not
// absolute, or a zero byte is in a text; kNotFound, kDenied, kUnavailable: it cannot be started;
// kTimeout: it could not even be killed (uninterruptible sleep).
Result<ProgramEnd> run_program(const Program& program, std::chrono::milliseconds timeout,
                               std::size_t output_limit);

}  // namespace observeai::agent::executor
