// What the simulated agents gave out, and whether exactly that is in the store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::bench {

struct LedgerOfAgent {
  std::size_t number = 0;
  std::string id;
  std::size_t series = 0;
  std::uint64_t log_lines = 0;             // Numbered from 1
  std::vector<std::int64_t> scrape_times;  // Of all its series
};

Result<void> write_ledger(const std::string& file, const std::vector<LedgerOfAgent>& ledger);

struct Verdict {
  std::uint64_t samples = 0;  // In the store
  std::uint64_t log_lines = 0;
  std::uint64_t lost = 0;
  std::uint64_t duplicated = 0;
  std::uint64_t damaged = 0;  // Neither: never given out, or changed
};

// Reads every sample and line of these agents from the store of a control plane that has stopped.
Result<Verdict> judge(const std::string& state_dir, const std::string& ledger_file);

}  // namespace observeai::bench
