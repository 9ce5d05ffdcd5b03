// An external copy of the audit log's signed heads: one line each (docs/formats/audit.md), appended and
// synced, best on another machine. Read back only for the last number in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controlplane/model/repositories.h"

namespace observeai::controlplane {

// One thread.
class HeadsFile {
 public:
  explicit HeadsFile(std::string path) : path_(std::move(path)) {}

  // Appends every head that is not in it yet; what failed before is made up for. kUnavailable, kDenied:
  // the file cannot be opened or written; kCorrupt: its last line is no head, and it is left alone.
  Result<void> copy(model::AuditHeadRepository& heads);

 private:
  Result<std::uint64_t> last_seq() const;

  const std::string path_;
  std::optional<std::uint64_t> copied_;  // Known since the first copy
};

}  // namespace observeai::controlplane
