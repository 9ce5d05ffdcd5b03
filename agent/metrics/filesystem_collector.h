// Mounted file systems: which ones are measured, and which of them cannot hang. The measurement is
// HostCalls::statfs, for on a dead network mount it hangs for minutes (deadline_statfs.h).
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

// Answered by this kernel alone: disks and memory. Others ask a server or another process.
bool is_local(const Mount& mount);

// A table with more mounts than this is cut, and the rest counted as malformed.
inline constexpr std::size_t kMaxMounts = 512;

// The mounts worth a measurement: without pseudo file systems, container layers and the usual
// places of temporary mounts (node_exporter's default exclusions as Debian ships them); each once.
std::vector<Mount> parse_mounts(std::string_view text, std::uint64_t& malformed);

// Of the first process, so that a mount namespace of our own does not hide the host's.
Result<std::vector<Mount>> wanted_mounts(const MetricRoots& roots, FileReader& files,
                                         std::uint64_t& malformed);

}  // namespace observeai::agent
