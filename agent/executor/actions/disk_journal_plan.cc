#include "agent/executor/actions/disk_journal_plan.h"

#include <fcntl.h>

#include <algorithm>
#include <tuple>

#include "agent/executor/actions/disk_kinds.h"
#include "agent/executor/actions/open_beneath.h"

namespace observeai::agent::executor {
namespace {

struct Archived {
  std::uint64_t time_us = 0;
  bool written = false;  // journald closes a file some time after it archived it
  OldFile file;
};

Result<void> collect(int machine, const std::string& name, const OpenFiles& open,
                     std::vector<Archived>& out, JournalPlan& plan) {
  TRY(const auto names, names_in(machine));
  for (const auto& one : names) {
    const auto journal = parse_journal_name(one);
    if (!journal) continue;
    auto file = look_at_file(machine, one);
    if (!file) continue;  // Gone, a link, or no file
    auto head = head_of(machine, one, *file, kJournalHeadBytes);
    if (!head || (!journal->damaged && !is_archived_journal(*head))) continue;
    const bool written = open.held_for_writing(file->device, file->inode);
    file->path = name + "/" + one;
    plan.archived_bytes += file->size;
    out.push_back({journal->time_us, written, *std::move(file)});
  }
  return {};
}

}  // namespace

Result<JournalPlan> plan_journal(int folder, std::uint64_t keep_bytes, const OpenFiles& open,
                                 const Run& run) {
  JournalPlan plan;
  std::vector<Archived> archived;
  TRY(const auto machines, names_in(folder));
  for (const auto& name : machines) {
    TRY_VOID(run.check());
    if (!is_machine_folder(name)) continue;
    auto machine = open_beneath(folder, name, O_RDONLY | O_DIRECTORY);
    if (!machine) continue;  // A link, or no folder
    TRY_VOID(collect(machine->get(), name, open, archived, plan));
  }
  std::sort(archived.begin(), archived.end(), [](const Archived& a, const Archived& b) {
    return std::tie(a.time_us, a.file.path) < std::tie(b.time_us, b.file.path);
  });
  std::uint64_t kept = plan.archived_bytes;
  for (auto& one : archived) {
    if (kept <= keep_bytes || plan.files.size() == kMaxRemovals) break;
    // It counts as kept: that it is closed meanwhile does not change what else goes.
    if (one.written) {
      ++plan.being_written;
      continue;
    }
    kept -= one.file.size;
    plan.files.push_back(std::move(one.file));
  }
  return plan;
}

}  // namespace observeai::agent::executor
