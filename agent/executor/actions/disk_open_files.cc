#include "agent/executor/actions/disk_open_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <memory>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kMaxMapsBytes = 64U << 20;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

bool is_number(const char* name) {
  return text::parse_u64(name).has_value();
}

// What went wrong because the process has ended meanwhile is no matter.
bool ended(int error) {
  return error == ENOENT || error == ESRCH;
}

}  // namespace

Result<OpenFiles> OpenFiles::look(const std::string& proc_root, const Run& run) {
  OpenFiles out;
  const Folder processes(::opendir(proc_root.c_str()));
  if (!processes) return files::from_errno("cannot list processes", errno);
  while (const dirent* one = ::readdir(processes.get())) {
    if (!is_number(one->d_name)) continue;
    TRY_VOID(run.check());
    TRY_VOID(out.look_at(proc_root + "/" + one->d_name));
  }
  return out;
}

Result<void> OpenFiles::look_at(const std::string& process) {
  const std::string path = process + "/fd";
  const Folder descriptors(::opendir(path.c_str()));
  if (!descriptors) {
    if (ended(errno)) return {};
    return Error(Errc::kDenied,
                 "cannot see which files are open: " + files::from_errno(path, errno).message());
  }
  const int folder = ::dirfd(descriptors.get());
  while (const dirent* one = ::readdir(descriptors.get())) {
    if (!is_number(one->d_name)) continue;
    struct statx file {};
    // Not synced: a dead server of a network file system must not hang this.
    if (::statx(folder, one->d_name, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &file) != 0)
      continue;
    if (!S_ISREG(file.stx_mode)) continue;
    const std::pair<std::uint64_t, std::uint64_t> id{
        makedev(file.stx_dev_major, file.stx_dev_minor), file.stx_ino};
    open_.insert(id);
    struct stat link {};
    // The link's own mode tells how it was opened (proc(5)).
    if (::fstatat(folder, one->d_name, &link, AT_SYMLINK_NOFOLLOW) == 0 &&
        (link.st_mode & S_IWUSR) != 0)
      written_.insert(id);
  }
  const auto maps = files::read(process + "/maps", kMaxMapsBytes);
  if (maps) take_maps(*maps);
  return {};
}

// "55d0-55d1 r-xp 00000000 fe:00 123456   /usr/bin/x"
void OpenFiles::take_maps(std::string_view text) {
  for (const auto line : text::split(text, '\n')) {
    std::size_t begin = 0;
    for (int field = 0; field < 4 && begin != std::string_view::npos; ++field) {
      begin = line.find(' ', begin);
      if (begin != std::string_view::npos) ++begin;
    }
    if (begin == std::string_view::npos) continue;
    const auto inode = text::parse_u64(line.substr(begin, line.find(' ', begin) - begin));
    if (inode && *inode != 0) mapped_.insert(*inode);
  }
}

}  // namespace observeai::agent::executor
