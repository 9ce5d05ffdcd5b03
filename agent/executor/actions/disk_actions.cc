#include "agent/executor/actions/disk_actions.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include <algorithm>
#include <numeric>

#include "agent/executor/actions/disk_files_plan.h"
#include "agent/executor/actions/disk_journal_plan.h"
#include "agent/executor/actions/disk_kinds.h"
#include "agent/executor/actions/open_beneath.h"
#include "agent/executor/actions/values.h"
#include "agent/executor/facts.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

namespace observeai::agent::executor {
namespace {

constexpr std::int64_t kHourNs = 3'600'000'000'000;
// A plan waits for its approval for a day at most, and its commands live for as long.
constexpr int kMaxHoursSince = 48;

using Approved = std::optional<wire::Digest>;

std::uint64_t bytes_of(const std::vector<OldFile>& files) {
  return std::accumulate(files.begin(), files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const OldFile& one) { return sum + one.size; });
}

// The way of both: plan, tell, plan again, remove exactly that, look what is gone.
class Vacuum : public Action {
 public:
  explicit Vacuum(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    TRY(const Plan plan, make_plan(parameters, run, run.approved()));
    if (plan.files.empty()) return Error(Errc::kUnavailable, plan.none);
    Assessment seen;
    seen.state = removal_state(plan.facts, plan.files);
    seen.diff = removal_diff(plan.path, plan.files);
    seen.facts = {{facts::kOpenFiles, std::to_string(plan.held_open)}};
    run.output(std::to_string(plan.files.size()) + " files, " +
               text::format_bytes(static_cast<double>(bytes_of(plan.files))) + "\n" + plan.notes);
    return seen;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                       Run& run) override {
    doomed_ = {};
    TRY(doomed_, make_plan(parameters, run, wire::digest_of(seen.state)));
    if (removal_state(doomed_.facts, doomed_.files) != seen.state)
      return Error(Errc::kCorrupt, "the files are not those that were assessed");
    run.step("remove", std::to_string(doomed_.files.size()) + " files");
    return remove_files(doomed_.folder.get(), doomed_.files, run);
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment&,
                                           Run&) override {
    if (!doomed_.folder) return Error(Errc::kInternal, "nothing was removed");
    TRY(const auto gone, gone_of(doomed_.folder.get(), doomed_.files));
    return removal_diff(doomed_.path, gone);
  }

 protected:
  struct Plan {
    UniqueFd folder;
    std::string path;
    std::vector<OldFile> files;
    std::map<std::string, std::string> facts;  // Of the state
    std::uint64_t held_open = 0;
    std::string notes;  // For people: what is left alone and why
    std::string none;   // Why there is nothing to remove
  };
  virtual Result<Plan> make_plan(const wire::Parameters& parameters, Run& run,
                                 const Approved& approved) const = 0;

  const Host& host_;

 private:
  Plan doomed_;  // By the latest execute()
};

class VacuumFiles final : public Vacuum {
 public:
  using Vacuum::Vacuum;

 private:
  Result<Plan> make_plan(const wire::Parameters& parameters, Run& run,
                         const Approved& approved) const override {
    Plan plan;
    plan.path = parameter<std::string>(parameters, "directory", "");
    const auto& listed = host_.lists.vacuum_directories;
    if (std::find(listed.begin(), listed.end(), plan.path) == listed.end())
      return Error(Errc::kDenied, "the policy does not list " + plan.path);
    if (is_system_folder(plan.path))
      return Error(Errc::kDenied, plan.path + " is the system's: nothing is removed there");
    const auto hours = parameter<std::int64_t>(parameters, "older_than_h", 0);
    if (hours < 1) return Error(Errc::kInvalid, "older_than_h must be 1 or more");
    FilesWanted wanted;
    wanted.rotated_only = parameter<bool>(parameters, "rotated_only");
    const std::int64_t now_ns = to_unix_ns(host_.clock->wall_now());
    wanted.before_ns = (now_ns / kHourNs - hours) * kHourNs;
    TRY(plan.folder, open_without_links(plan.path, O_RDONLY | O_DIRECTORY));
    TRY(const auto open, OpenFiles::look(host_.proc_root, run));
    TRY(auto found, plan_files(plan.folder.get(), wanted, open, run));
    plan.files = std::move(found.files);
    plan.held_open = found.held_open;
    plan.facts = {{"directory", plan.path}, {"older_than_h", std::to_string(hours)}};
    plan.none = "no file of " + plan.path + " is old enough and free to go";
    if (found.more > 0)
      plan.notes = std::to_string(found.more) + " more are old enough: run it again for them\n";
    for (const auto& one : found.left_alone) plan.notes += "left alone: " + one + "\n";
    plan.notes += "modified before " + text::format_time_ms(wanted.before_ns / 1'000'000) + "\n";
    if (approved) leave_younger(plan, wanted.before_ns, *approved);
    return plan;
  }

  // A file that has become old enough since the dry run is none of what was approved, and no reason to refuse
  // it: the hour of the dry run is the one that gives the approved state. None does: all stay, and are told.
  static void leave_younger(Plan& plan, std::int64_t before_ns, const wire::Digest& approved) {
    auto files = plan.files;
    for (int hours = 0; hours <= kMaxHoursSince; ++hours, before_ns -= kHourNs) {
      while (!files.empty() && files.back().modified_ns >= before_ns) files.pop_back();
      if (wire::digest_of(removal_state(plan.facts, files)) != approved) continue;
      plan.files = std::move(files);
      return;
    }
  }
};

class VacuumJournal final : public Vacuum {
 public:
  using Vacuum::Vacuum;

 private:
  Result<Plan> make_plan(const wire::Parameters& parameters, Run& run,
                         const Approved&) const override {
    Plan plan;
    plan.path = host_.journal_directory;
    const auto keep = parameter<std::int64_t>(parameters, "keep_bytes", -1);
    if (keep < 0) return Error(Errc::kInvalid, "keep_bytes must not be negative");
    TRY(plan.folder, open_without_links(plan.path, O_RDONLY | O_DIRECTORY));
    TRY(const auto open, OpenFiles::look(host_.proc_root, run));
    TRY(auto found, plan_journal(plan.folder.get(), static_cast<std::uint64_t>(keep), open, run));
    plan.files = std::move(found.files);
    plan.held_open = found.being_written;
    plan.facts = {{"directory", plan.path}, {"keep_bytes", std::to_string(keep)}};
    plan.none = "the archived journals take " +
                text::format_bytes(static_cast<double>(found.archived_bytes)) +
                ": no more than is to be kept";
    return plan;
  }
};

}  // namespace

void add_disk_actions(const Host& host, Actions& actions) {
  actions.emplace("disk.vacuum_files", std::make_unique<VacuumFiles>(host));
  actions.emplace("disk.vacuum_journal", std::make_unique<VacuumJournal>(host));
}

}  // namespace observeai::agent::executor
