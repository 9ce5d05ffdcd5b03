// Opens the spool's database, brings it to this program's schema and reads what stays in memory.
// Internal to agent/spool.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/sql/database.h"

namespace observeai::agent {

inline constexpr std::uint64_t kSpoolPageBytes = 4096;
// Copied back at half of it, kept at most this long and reserved at full length: what an
// acknowledgement writes fits without new disk space.
inline constexpr std::uint64_t kSpoolLogBytes = 4U << 20;

struct LoadedSpool {
  sql::Database database;
  SpoolState state;
  std::array<std::uint64_t, wire::kLaneCount> lane_bytes{};
  std::uint32_t next_series_id = 1;
};

// kCorrupt: damaged, to be put aside. Everything small is read; the bodies only when suspect_mark() is
// there, because reading a large spool takes seconds.
Result<LoadedSpool> load_spool(const std::string& directory, const Clock& clock);
Result<std::vector<SourceCheckpoint>> all_checkpoints(sql::Database& database);

// Left when damage was met while running: the next load reads every page.
std::string suspect_mark(const std::string& directory);

}  // namespace observeai::agent
