#include "agent/executor/guarded_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/executor/unique_fd.h"
#include "protocol/base/files.h"

namespace observeai::agent::executor {
namespace {

constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

std::string owner_name(uid_t owner) {
  return owner == 0 ? "root" : "user " + std::to_string(owner);
}

Result<void> check_owner(const struct stat& status, uid_t owner, const std::string& path) {
  if (status.st_uid != owner && status.st_uid != 0)
    return Error(Errc::kDenied, path + " belongs to user " + std::to_string(status.st_uid) +
                                    " and must belong to " + owner_name(owner) + ": chown it");
  return {};
}

Result<void> check_guarded(const struct stat& status, uid_t owner, const std::string& path) {
  TRY_VOID(check_owner(status, owner, path));
  if ((status.st_mode & kOthersMayWrite) != 0)
    return Error(Errc::kDenied,
                 path + " may be written by others than its owner: chmod go-w " + path);
  return {};
}

Result<void> check_parent(const std::string& path, uid_t owner) {
  const auto slash = path.find_last_of('/');
  const std::string parent = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : path.substr(0, slash);
  struct stat status {};
  if (::stat(parent.c_str(), &status) != 0)
    return files::from_errno("cannot look at " + parent, errno);
  TRY_VOID(check_owner(status, owner, parent));
  if ((status.st_mode & S_ISVTX) != 0) return {};
  return check_guarded(status, owner, parent);
}

}  // namespace

Result<GuardedFolder> GuardedFolder::open(const std::string& given, uid_t owner) {
  std::string path = given;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder.get() < 0) {
    if (errno == ELOOP || errno == ENOTDIR)
      return Error(Errc::kDenied, path + " is not a folder (a link is not followed)");
    return files::from_errno("cannot open " + path, errno);
  }
  struct stat status {};
  if (::fstat(folder.get(), &status) != 0)
    return files::from_errno("cannot look at " + path, errno);
  TRY_VOID(check_guarded(status, owner, path));
  TRY_VOID(check_parent(path, owner));
  return GuardedFolder(std::move(path), owner, std::move(folder));
}

Result<std::vector<std::string>> GuardedFolder::names(std::size_t limit) const {
  const int again = ::openat(descriptor_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return files::from_errno("cannot open " + path_, errno);
  DIR* listing = ::fdopendir(again);  // Closes it too
  if (listing == nullptr) {
    const int failed = errno;
    ::close(again);
    return files::from_errno("cannot list " + path_, failed);
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(listing)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    if (names.size() > limit) break;
    errno = 0;
  }
  const int failed = errno;
  ::closedir(listing);
  if (names.size() > limit)
    return Error(Errc::kLimit, path_ + " holds more than " + std::to_string(limit) + " files");
  if (failed != 0) return files::from_errno("cannot list " + path_, failed);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> GuardedFolder::read(const std::string& name, std::size_t limit) const {
  const std::string path = path_ + "/" + name;
  if (name.empty() || name.find('/') != std::string::npos)
    return Error(Errc::kInvalid, "not the name of a file: " + name);
  // Without O_NONBLOCK the opening of a pipe would wait for ever.
  UniqueFd file(
      ::openat(descriptor_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ELOOP) return Error(Errc::kDenied, path + " is a link: put the file itself there");
    return files::from_errno("cannot open " + path, errno);
  }
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return files::from_errno("cannot look at " + path, errno);
  if (!S_ISREG(status.st_mode)) return Error(Errc::kDenied, path + " is not a plain file");
  TRY_VOID(check_guarded(status, owner_, path));
  std::string bytes;
  std::array<char, 16384> chunk{};
  for (;;) {
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return files::from_errno("cannot read " + path, errno);
    if (got == 0) return bytes;
    bytes.append(chunk.data(), static_cast<std::size_t>(got));
    if (bytes.size() > limit)
      return Error(Errc::kLimit, path + " is longer than " + std::to_string(limit) + " bytes");
  }
}

}  // namespace observeai::agent::executor
