// The kernel's table of mounts, read again when it has changed.
#pragma once

#include <memory>
#include <string>

#include "agent/logs/remote_mounts.h"
#include "agent/logs/unique_fd.h"

namespace observeai::agent {

// Single thread. Never waits: the table is the kernel's own.
class MountTable {
 public:
  explicit MountTable(std::string path = "/proc/self/mountinfo") : path_(std::move(path)) {}
  // The same object as long as nothing that matters has changed, also while the table cannot be read:
  // that is tried again each time. Without /proc everything counts as local. nullptr: the table is
  // there and could not be read yet.
  std::shared_ptr<const RemoteMounts> mounts();

 private:
  bool changed();

  const std::string path_;
  UniqueFd fd_;
  bool unread_ = true;  // It changed, and could not be read since
  std::shared_ptr<const RemoteMounts> mounts_;
};

}  // namespace observeai::agent
