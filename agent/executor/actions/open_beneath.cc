#include "agent/executor/actions/open_beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <algorithm>
#include <memory>

#include "protocol/base/files.h"

namespace observeai::agent::executor {
namespace {

constexpr int kAttempts = 32;  // EAGAIN: a rename elsewhere made the kernel unsure

constexpr std::size_t kMaxNames = 200'000;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<UniqueFd> open_resolved(int folder, const std::string& path, int flags,
                               std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  how.resolve = resolve | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  int error = EAGAIN;
  for (int attempt = 0; attempt < kAttempts && error == EAGAIN; ++attempt) {
    UniqueFd opened(
        static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how)));
    if (opened) return opened;
    error = errno;
  }
  const std::string what = "cannot open " + path;
  if (error == ELOOP) return Error(Errc::kDenied, what + ": a link is in the way");
  if (error == EXDEV) return Error(Errc::kDenied, what + ": it leads out of its folder");
  if (error == ENOTDIR) return Error(Errc::kDenied, what + ": a link or a file is in the way");
  return files::from_errno(what, error);
}

}  // namespace

Result<UniqueFd> open_without_links(const std::string& path, int flags) {
  if (path.empty() || path.front() != '/')
    return Error(Errc::kInvalid, path + " is not an absolute path");
  return open_resolved(AT_FDCWD, path, flags, 0);
}

Result<UniqueFd> open_beneath(int folder, const std::string& path, int flags) {
  return open_resolved(folder, path, flags, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
}

Result<std::vector<std::string>> names_in(int folder) {
  UniqueFd again(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!again) return files::from_errno("cannot list a folder", errno);
  const std::unique_ptr<DIR, CloseFolder> list(::fdopendir(again.get()));
  if (!list) return files::from_errno("cannot list a folder", errno);
  again.release();
  std::vector<std::string> out;
  while (const dirent* one = ::readdir(list.get())) {
    const std::string_view name = one->d_name;
    if (name == "." || name == "..") continue;
    if (out.size() == kMaxNames)
      return Error(Errc::kLimit, "a folder with more than 200,000 entries");
    out.emplace_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace observeai::agent::executor
