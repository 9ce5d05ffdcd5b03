// What a group of processes uses now; whoever walks /proc fills it, once for each scrape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace observeai::agent {

struct ProcessUsage {
  std::string key;         // wire::ProcessGroup::key; becomes the target "process/<key>"
  double cpu_seconds = 0;  // User + system, summed over the living processes; may fall at an exit
  std::uint64_t rss_bytes = 0;
  std::uint64_t threads = 0;
  std::optional<std::uint64_t> open_fds;  // Unless none of its processes may be looked into
  std::uint64_t count = 0;                // Processes
  // Of the process that is nearest to its own soft limit of open files; 0 = not known.
  std::uint64_t worst_fds = 0;
  std::uint64_t worst_fd_limit = 0;
  std::int64_t started_ms = 0;  // The oldest, 0 = not known
};

}  // namespace observeai::agent
