// One process per state folder.
#pragma once

#include <string>

#include "protocol/base/result.h"

namespace observeai::sql {

// Holds `directory`/lock (flock) until destroyed; the kernel releases it when the process ends, however
// it ends. The file stays and holds the process id of the last owner.
class DirectoryLock {
 public:
  // kUnavailable: "… is in use by process N"; kDenied: not writable.
  static Result<DirectoryLock> acquire(const std::string& directory);
  DirectoryLock(DirectoryLock&& other) noexcept : descriptor_(other.descriptor_) {
    other.descriptor_ = -1;
  }
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace observeai::sql
