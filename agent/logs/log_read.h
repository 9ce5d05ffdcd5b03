// What one read of the collector found, and the memory that sources share for it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/log_commit.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

// Read at once from a file, for all sources together.
inline constexpr std::size_t kReadBufferBytes = 256U << 10;

// What LogCollector::read() found. Its counts: bytes_read: raw file bytes of the records, and "nul_hole"
// bytes. bytes_dropped: "nul_hole": NULs of a sparse file, passed over (read); "held_limit",
// "late_write": known to exist, never read. Forgotten are sources that are drained and gone.
struct LogRead : LogCommit {
  // Sources that began without a checkpoint and have one now, or are forgotten. Where the spool holds
  // one of such a source, another collector followed it: not to be committed.
  std::vector<std::string> begun;
  std::uint64_t raw_bytes = 0;
  std::vector<wire::LogRecord> spare;  // Any content: their memory is for add_record()
  std::size_t spare_used = 0;          // Of these, from the first on: as they lie in memory

  // Appends a record with any content: the caller sets all of it.
  wire::LogRecord& add_record() {
    if (spare_used == spare.size()) return records.emplace_back();
    return records.emplace_back(std::move(spare[spare_used++]));
  }
};

// Memory that all sources share while one of them reads.
struct LogWorkspace {
  std::vector<char> buffer = std::vector<char>(kReadBufferBytes);
  std::string scratch;
  std::string backing;
  std::string redacted;
  std::string entry;
  SteadyTime now{};  // When the source was asked: the time of every line that it reads
};

}  // namespace observeai::agent
