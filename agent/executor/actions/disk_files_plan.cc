#include "agent/executor/actions/disk_files_plan.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <queue>
#include <tuple>

#include "agent/executor/actions/disk_kinds.h"
#include "agent/executor/actions/open_beneath.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kMaxEntries = 200'000;
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxToldBytes = 128U << 10;  // Of all paths: half of what a diff may hold
constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxLeftAlone = 50;

bool older(const OldFile& a, const OldFile& b) {
  return std::tie(a.modified_ns, a.path) < std::tie(b.modified_ns, b.path);
}

class Walk {
 public:
  Walk(const FilesWanted& wanted, const OpenFiles& open, const Run& run)
      : wanted_(wanted), open_(open), run_(run), oldest_(older) {}

  Result<void> enter(int folder, const std::string& prefix, int depth) {
    TRY_VOID(run_.check());
    if (depth > kMaxDepth) return Error(Errc::kLimit, prefix + ": more than 16 folders deep");
    TRY(const auto names, names_in(folder));
    if (is_database_folder(names)) {
      return leave(prefix.empty() ? "the folder" : prefix, "a database's");
    }
    for (const auto& name : names) {
      if (++entries_ > kMaxEntries)
        return Error(Errc::kLimit, "more than 200,000 files: name a smaller folder");
      TRY_VOID(take(folder, name, prefix, depth));
    }
    return {};
  }

  FilesPlan plan() {
    while (!oldest_.empty()) {
      plan_.files.push_back(oldest_.top());
      oldest_.pop();
    }
    std::reverse(plan_.files.begin(), plan_.files.end());
    std::size_t told = 0;
    std::size_t fit = 0;
    while (fit < plan_.files.size() && told + plan_.files[fit].path.size() <= kMaxToldBytes)
      told += plan_.files[fit++].path.size();
    plan_.more += plan_.files.size() - fit;
    plan_.files.resize(fit);
    return std::move(plan_);
  }

 private:
  Result<void> take(int folder, const std::string& name, const std::string& prefix, int depth) {
    std::string path = prefix.empty() ? name : prefix + "/" + name;
    struct stat info {};
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) return {};
    if (path.size() > kMaxPathBytes || text::escape_unprintable(path, path.size() * 4) != path) {
      return leave(text::escape_unprintable(path, 200), "its name cannot be told");
    }
    if (S_ISREG(info.st_mode)) return take_file(folder, name, std::move(path));
    if (name.starts_with("observeai") || name.starts_with(".observeai")) {
      return leave(path, "ObserveAI's");
    }
    auto below = open_beneath(folder, name, O_RDONLY | O_DIRECTORY);
    if (!below) {
      return leave(path, below.error().message());
    }
    return enter(below->get(), path, depth + 1);
  }

  Result<void> take_file(int folder, const std::string& name, std::string path) {
    auto file = look_at_file(folder, name);
    if (!file || file->modified_ns >= wanted_.before_ns) return {};
    if (wanted_.rotated_only && !is_rotated_log(name)) return {};
    file->path = path;
    if (is_database_file(name)) return leave(path, "a database's or no log, by its name");
    if (open_.held(file->device, file->inode)) {
      ++plan_.held_open;
      return leave(path, "a process has it open");
    }
    if (oldest_.size() == kMaxRemovals && !older(*file, oldest_.top())) {
      ++plan_.more;
      return {};
    }
    auto head = head_of(folder, name, *file, kHeadBytes);
    if (!head) return leave(path, head.error().message());
    if (is_database_head(*head)) return leave(path, "a database, by its first bytes");
    oldest_.push(*std::move(file));
    if (oldest_.size() > kMaxRemovals) {
      oldest_.pop();
      ++plan_.more;
    }
    return {};
  }

  // Always fine: what is left alone is told, not an error.
  Result<void> leave(const std::string& path, const std::string& why) {
    if (plan_.left_alone.size() < kMaxLeftAlone) plan_.left_alone.push_back(path + ": " + why);
    return {};
  }

  const FilesWanted wanted_;
  const OpenFiles& open_;
  const Run& run_;
  FilesPlan plan_;
  std::size_t entries_ = 0;
  // The youngest of the oldest on top.
  std::priority_queue<OldFile, std::vector<OldFile>, bool (*)(const OldFile&, const OldFile&)>
      oldest_;
};

}  // namespace

Result<FilesPlan> plan_files(int folder, const FilesWanted& wanted, const OpenFiles& open,
                             const Run& run) {
  Walk walk(wanted, open, run);
  TRY_VOID(walk.enter(folder, "", 0));
  return walk.plan();
}

}  // namespace observeai::agent::executor
