// libsystemd reads journal files through mmap. A file that is cut short under it (a damaged disk, a
// careless administrator) raises SIGBUS, which ends the process. While a guard lives on a thread, such
// a page reads as zeros there instead, which libsystemd takes for damage: what systemd's own programs
// do.
//
// The signal's handler is installed with the first guard and stays; every other SIGBUS goes where it
// went before. Guards do not nest.
#pragma once

#include <cstdint>

namespace observeai::agent {

class MappedFileGuard {
 public:
  MappedFileGuard();
  ~MappedFileGuard();
  MappedFileGuard(const MappedFileGuard&) = delete;
  MappedFileGuard& operator=(const MappedFileGuard&) = delete;

  // Pages replaced since this guard was made.
  std::uint32_t hits() const;
};

}  // namespace observeai::agent
