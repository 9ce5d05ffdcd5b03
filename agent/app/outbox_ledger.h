// What was read, spooled and dropped of each source, in memory: which entries the control plane has not
// heard of, and which may leave.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "agent/spool/spool.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

void add_counts(const SourceCounts& counts, wire::LedgerEntry& entry);

class OutboxLedger {
 public:
  // Instead of what is there. All entries are to be reported. Those of logs that are not `followed` were
  // forgotten by an earlier run, which did not live to see their last report arrive.
  void load(std::vector<wire::LedgerEntry> entries, const std::set<std::string>& followed);

  // A new one when there is none.
  wire::LedgerEntry entry(const std::string& source, wire::Lane lane) const;
  // Replaces it; it is to be reported. `saved`: the spool has it; before that it is not reported, for a
  // crash would take back what was told.
  void keep(wire::LedgerEntry entry, bool saved = true);
  std::vector<wire::LedgerEntry> unsaved() const;
  void note_saved() { unsaved_.clear(); }
  // Its log is gone for good: the entry leaves once its last report has arrived.
  void forget_log(const std::string& source);

  std::vector<wire::LedgerEntry> to_report() const;
  // Those of to_report() are in batch `seq` of lane 0.
  void reported(std::uint64_t seq);
  // Forgotten, with their last counts acknowledged: before `oldest` lane 0 is.
  std::vector<LedgerKey> finished(std::uint64_t oldest) const;
  void erase(const std::vector<LedgerKey>& keys);
  std::size_t size() const { return rows_.size(); }

 private:
  struct Row {
    wire::LedgerEntry entry;
    std::uint64_t reported_in = 0;  // Batch of lane 0 with these counts; 0 = none yet
  };

  std::map<LedgerKey, Row> rows_;
  std::set<LedgerKey> changed_;  // Since they were reported
  std::set<LedgerKey> gone_;     // Their sources were forgotten
  std::set<LedgerKey> unsaved_;
};

}  // namespace observeai::agent
