// Which files of a folder are old enough to go: disk.vacuum_files, before anything is touched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/actions/disk_open_files.h"
#include "agent/executor/actions/disk_removal.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

struct FilesWanted {
  std::int64_t before_ns = 0;  // Modified before
  bool rotated_only = true;
};

struct FilesPlan {
  std::vector<OldFile> files;  // The oldest first, at most kMaxRemovals
  std::uint64_t held_open = 0;
  std::uint64_t more = 0;               // Old enough too, beyond kMaxRemovals
  std::vector<std::string> left_alone;  // "path: why", some of them
};

// Walks below `folder`: follows no link, enters no other mount and no folder of a database, takes regular
// files with one name whose path is printable. kLimit: more than 200,000 entries, or 16 folders deep.
Result<FilesPlan> plan_files(int folder, const FilesWanted& wanted, const OpenFiles& open,
                             const Run& run);

}  // namespace observeai::agent::executor
