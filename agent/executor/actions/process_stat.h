// /proc/PID/stat and what else tells one process from another (proc(5)). Foreign bytes: comm is whatever
// the process says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::agent::executor {

struct ProcessStat {
  std::int64_t pid = 0;
  std::string comm;  // As it is; up to 15 bytes of any kind
  char state = '?';
  std::int64_t parent = 0;
  std::uint64_t flags = 0;
  std::uint64_t cpu_ticks = 0;  // User and system
  std::int64_t start_ticks = 0;
  std::int64_t resident_pages = 0;

  bool ended() const { return state == 'Z' || state == 'X'; }
  bool kernel_thread() const { return (flags & 0x0020'0000) != 0; }  // PF_KTHREAD
  bool operator==(const ProcessStat&) const = default;
};

// nullopt: not what the kernel writes.
std::optional<ProcessStat> parse_process_stat(std::string_view text);
// kNotFound: there is no such process.
Result<ProcessStat> read_process_stat(const std::string& proc_root, std::int64_t pid);

}  // namespace observeai::agent::executor
