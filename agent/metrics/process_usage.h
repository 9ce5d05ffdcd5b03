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
};

}  // namespace observeai::agent
