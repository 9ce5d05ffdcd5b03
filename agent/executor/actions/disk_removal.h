// Files that are to go, told one by one, and their removal: each by its parent's descriptor, reached without
// following a link or leaving the mount, after a look that it is still the same file. A swap in the instant
// between that look and the removal reaches another name in the same folder at worst, never another folder.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

inline constexpr std::size_t kMaxRemovals = 200;  // By one command; a result lists 256 changes

struct OldFile {
  std::string path;  // Relative to the folder
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;  // Bytes
  std::int64_t modified_ns = 0;
  bool operator==(const OldFile&) const = default;
};

// Assessment::state and diff. `facts`: of the action's own.
std::string removal_state(std::map<std::string, std::string> facts,
                          const std::vector<OldFile>& files);
std::vector<wire::Change> removal_diff(const std::string& folder,
                                       const std::vector<OldFile>& files);

// Stops at the first that is not what it was: kCorrupt.
Result<void> remove_files(int folder, const std::vector<OldFile>& files, Run& run);
// Those that are gone, in the same order.
Result<std::vector<OldFile>> gone_of(int folder, const std::vector<OldFile>& files);

// The file as it stands below `parent`, nothing followed. kNotFound.
Result<OldFile> look_at_file(int parent, const std::string& name);
// The first bytes, without a trace in its access time; kCorrupt when it is another file by now.
Result<std::string> head_of(int parent, const std::string& name, const OldFile& file,
                            std::size_t bytes);

}  // namespace observeai::agent::executor
