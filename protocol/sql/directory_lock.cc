#include "protocol/sql/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::sql {

Result<DirectoryLock> DirectoryLock::acquire(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return files::from_errno("cannot open " + path, errno);
  DirectoryLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return files::from_errno("cannot lock " + path, errno);
    std::array<char, 32> owner{};
    const auto length = ::pread(descriptor, owner.data(), owner.size(), 0);
    const std::string_view text(owner.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    return Error(Errc::kUnavailable, directory + " is in use by process " +
                                         std::string(text::trim(text)) + ": stop it first");
  }
  const std::string owner = std::to_string(::getpid()) + "\n";
  // For the message above only: the lock holds without it, on a full disk for example.
  const bool noted =
      ::ftruncate(descriptor, 0) == 0 && ::pwrite(descriptor, owner.data(), owner.size(), 0) > 0;
  static_cast<void>(noted);
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace observeai::sql
