// One pass over /proc: process groups with their usage, and which process is in which container.
//
// Known processes cost one read (their stat) for each scan; name, owner and user are read when a
// process is first seen and once more at the next scan, since a process is often moved and renamed
// in its first moments (runtimes fork, move, drop privileges, exec). One that used no CPU time in
// kRestingLooks looks is read by turns, in one scan of kRestingTurns: what it does next, its successor
// under the same pid included, is seen so much later.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/discovery/cgroup_owner.h"
#include "agent/discovery/docker_json.h"
#include "agent/discovery/proc_files.h"
#include "agent/runtime/deadline_calls.h"
#include "agent/runtime/paths.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

struct GroupUsage {
  std::string key;
  // Counter: never falls while the group exists, also when processes of it end. What a process used
  // between its last scan and its end is not in it.
  double cpu_seconds = 0;
  std::uint64_t rss_bytes = 0;  // Shared pages are counted in each process.
  std::uint64_t threads = 0;
  std::uint32_t count = 0;
  std::optional<std::uint64_t> open_fds;  // Unless no process of the group may be looked into
  // Of the process that is nearest to its own soft limit of open files; 0 = not known.
  std::uint64_t worst_fds = 0;
  std::uint64_t worst_fd_limit = 0;
  std::int64_t started_ms = 0;  // Of the oldest process
};

struct ProcessRef {
  std::uint32_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string comm;
  std::string container_id;
  bool rests = false;  // Used no CPU time for long: it is looked at by turns
};

struct ProcScan {
  std::vector<wire::ProcessGroup> groups;  // By key
  std::vector<GroupUsage> usage;           // By key, the same keys
  std::vector<ProcessRef> processes;       // By pid; without kernel threads and zombies
  std::uint32_t kernel_threads = 0;
  std::uint32_t zombies = 0;
  std::uint32_t vanished = 0;    // Ended while being looked at
  std::uint32_t over_limit = 0;  // Processes left out, see ProcScanner::Limits
};

// Blocks: run it on the BlockingPool, held by a shared_ptr. Not thread-safe. Reading a command line
// looks into the memory of its process, which may hang: that is done with a deadline.
class ProcScanner {
 public:
  static constexpr std::chrono::milliseconds kCommandDeadline{200};
  static constexpr std::size_t kMaxStuckCommands = 8;  // Each keeps a thread
  static constexpr std::size_t kMaxGroupPids = 16;     // As wire::ProcessGroup promises.
  static constexpr std::uint32_t kRestingLooks = 6;
  static constexpr std::uint32_t kRestingTurns = 3;
  struct Limits {
    std::size_t processes = 65'536;  // About 400 bytes each
    std::size_t groups = 2'000;
  };

  // Without `redact` no command lines are reported.
  ProcScanner(Paths paths, RedactText redact, Limits limits);
  ProcScanner(Paths paths, RedactText redact)
      : ProcScanner(std::move(paths), std::move(redact), Limits()) {}

  ProcScan scan();
  // Processes whose command line does not come ("1234/cmdline"): their memory does not answer, for a
  // page of it is on a dead mount, say. Any thread.
  std::vector<std::string> stuck() const { return commands_.stuck(); }

 private:
  struct Process {
    std::uint64_t start_ticks = 0;
    std::uint64_t seen_scan = 0;
    std::uint32_t times_seen = 0;
    std::uint32_t idle_looks = 0;  // In a row, at most kRestingLooks
    bool kernel_thread = false;
    std::uint64_t cpu_ticks = 0;
    std::uint64_t threads = 0;
    std::uint64_t rss_pages = 0;
    std::optional<std::uint64_t> open_fds;
    std::uint64_t fd_limit = 0;  // Soft; 0 = not known
    std::string comm;
    CgroupOwner owner;
    std::string user;
    std::string group;
    std::optional<std::string> command;  // Read when first needed
  };
  struct Group {
    std::uint64_t cpu_ticks = 0;
    std::uint64_t seen_scan = 0;
  };
  struct Member {
    std::uint32_t pid;
    Process* process;
  };

  std::vector<std::uint32_t> list_pids() const;
  bool keep_resting(std::uint32_t pid, ProcScan& scan);
  void look_at(std::uint32_t pid, ProcScan& scan);
  void identify(std::uint32_t pid, Process& process);
  void count_fds(std::uint32_t pid, Process& process);
  void read_fd_limit(std::uint32_t pid, Process& process);
  void add_group(const std::string& key, std::vector<Member>& members, ProcScan& scan);
  const std::string& command_of(const Member& member);
  std::string user_name(std::uint32_t uid);

  const Paths paths_;
  const RedactText redact_;
  const Limits limits_;
  const std::shared_ptr<const ProcDirectory> proc_directory_;  // Shared with a call that hangs
  const ProcDirectory& proc_;
  DeadlineCalls commands_;
  const std::uint64_t ticks_per_second_;
  const std::uint64_t page_bytes_;
  std::int64_t boot_time_ms_ =
      0;  // Read once: the kernel's answer moves when the clock is corrected.
  std::uint64_t scan_ = 0;
  std::unordered_map<std::uint32_t, Process> processes_;
  std::unordered_map<std::string, Group> groups_;
  std::unordered_map<std::uint32_t, std::string> users_;
  std::uint64_t users_read_scan_ = 0;
  std::string buffer_;
};

}  // namespace observeai::agent
