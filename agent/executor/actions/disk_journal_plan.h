// Which archived files of systemd's journal go: disk.vacuum_journal, before anything is touched.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/actions/disk_open_files.h"
#include "agent/executor/actions/disk_removal.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

struct JournalPlan {
  std::vector<OldFile> files;  // The oldest first, at most kMaxRemovals
  std::uint64_t archived_bytes = 0;
  std::uint64_t being_written = 0;  // Would have gone, but somebody has them open for writing
};

// `folder` holds one folder for each machine. A file counts when its name and its header say archived (a
// damaged one: its name) and nobody has it open for writing.
Result<JournalPlan> plan_journal(int folder, std::uint64_t keep_bytes, const OpenFiles& open,
                                 const Run& run);

}  // namespace observeai::agent::executor
