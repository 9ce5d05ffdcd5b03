// Mounted file systems. A statfs on a dead network mount hangs for minutes, so it is a HostCalls
// function: a caller that cannot wait gathers wanted_mounts() first, runs statfs for each where it
// may hang, and gives the collector a function that answers from those results.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/metrics/file_reader.h"
#include "agent/metrics/roots.h"
#include "protocol/base/result.h"

namespace observeai::agent {

struct Mount {
  std::string device;
  std::string mount_point;
  std::string type;
  bool operator==(const Mount&) const = default;
};

// A table with more mounts than this is cut, and the rest counted as malformed.
inline constexpr std::size_t kMaxMounts = 512;

// The mounts worth a measurement: without pseudo file systems, container layers and the usual
// places of temporary mounts (node_exporter's default exclusions as Debian ships them); each once.
std::vector<Mount> parse_mounts(std::string_view text, std::uint64_t& malformed);

// Of the first process, so that a mount namespace of our own does not hide the host's.
Result<std::vector<Mount>> wanted_mounts(const MetricRoots& roots, FileReader& files,
                                         std::uint64_t& malformed);

}  // namespace observeai::agent
