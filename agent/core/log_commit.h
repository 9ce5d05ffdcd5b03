// What a source of logs read, and what is committed of it in one transaction: records, the places that
// they came from and what the read tells.
#pragma once

#include <string>
#include <vector>

#include "agent/core/observed.h"

namespace observeai::agent {

struct LogCommit {
  std::vector<wire::LogRecord> records;  // Of one target and stream: in source order
  std::vector<SourceCheckpoint> checkpoints;
  std::vector<std::string> forgotten_sources;  // For good: checkpoints and ledger entries leave
  std::vector<SourceCounts> counts;
  std::vector<wire::Event> events;

  bool empty() const {
    return records.empty() && checkpoints.empty() && forgotten_sources.empty() && counts.empty() &&
           events.empty();
  }
};

}  // namespace observeai::agent
