// Which files the processes of this host hold: open, open for writing, or mapped. One look at every
// process; what opens a file later is not seen.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "agent/executor/action.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

class OpenFiles {
 public:
  // kDenied: the files of a process cannot be seen, so nothing can be said.
  static Result<OpenFiles> look(const std::string& proc_root, const Run& run);

  // Mapped files are known by inode alone, as devices differ between maps and stat on some file systems:
  // another file of the same number counts as held.
  bool held(std::uint64_t device, std::uint64_t inode) const {
    return open_.contains({device, inode}) || mapped_.contains(inode);
  }
  bool held_for_writing(std::uint64_t device, std::uint64_t inode) const {
    return written_.contains({device, inode});
  }

 private:
  Result<void> look_at(const std::string& process);
  void take_maps(std::string_view text);

  std::set<std::pair<std::uint64_t, std::uint64_t>> open_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> written_;
  std::set<std::uint64_t> mapped_;
};

}  // namespace observeai::agent::executor
