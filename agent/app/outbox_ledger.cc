#include "agent/app/outbox_ledger.h"

#include <utility>

namespace observeai::agent {

void add_counts(const SourceCounts& counts, wire::LedgerEntry& entry) {
  entry.records_read += counts.records_read;
  entry.bytes_read += counts.bytes_read;
  for (const auto& [reason, count] : counts.records_dropped) entry.records_dropped[reason] += count;
  for (const auto& [reason, count] : counts.bytes_dropped) entry.bytes_dropped[reason] += count;
}

void OutboxLedger::load(std::vector<wire::LedgerEntry> entries,
                        const std::set<std::string>& followed) {
  rows_.clear();
  changed_.clear();
  gone_.clear();
  unsaved_.clear();
  for (auto& entry : entries) {
    const LedgerKey key{entry.source, entry.lane};
    changed_.insert(key);
    if (entry.lane == wire::Lane::kLogs && !followed.contains(entry.source)) gone_.insert(key);
    rows_[key].entry = std::move(entry);
  }
}

wire::LedgerEntry OutboxLedger::entry(const std::string& source, wire::Lane lane) const {
  if (const auto found = rows_.find({source, lane}); found != rows_.end())
    return found->second.entry;
  wire::LedgerEntry entry;
  entry.source = source;
  entry.lane = lane;
  return entry;
}

void OutboxLedger::keep(wire::LedgerEntry entry, bool saved) {
  const LedgerKey key{entry.source, entry.lane};
  if (saved)
    unsaved_.erase(key);
  else
    unsaved_.insert(key);
  changed_.insert(key);
  gone_.erase(key);
  rows_[key].entry = std::move(entry);
}

void OutboxLedger::forget_log(const std::string& source) {
  const LedgerKey key{source, wire::Lane::kLogs};
  if (rows_.contains(key)) gone_.insert(key);
}

std::vector<wire::LedgerEntry> OutboxLedger::unsaved() const {
  std::vector<wire::LedgerEntry> entries;
  for (const auto& key : unsaved_) entries.push_back(rows_.at(key).entry);
  return entries;
}

std::vector<wire::LedgerEntry> OutboxLedger::to_report() const {
  std::vector<wire::LedgerEntry> entries;
  for (const auto& key : changed_) {
    if (!unsaved_.contains(key)) entries.push_back(rows_.at(key).entry);
  }
  return entries;
}

void OutboxLedger::reported(std::uint64_t seq) {
  std::erase_if(changed_, [&](const auto& key) {
    if (unsaved_.contains(key)) return false;
    rows_.at(key).reported_in = seq;
    return true;
  });
}

std::vector<LedgerKey> OutboxLedger::finished(std::uint64_t oldest) const {
  std::vector<LedgerKey> finished;
  for (const auto& key : gone_) {
    const std::uint64_t reported_in = rows_.at(key).reported_in;
    if (!changed_.contains(key) && reported_in != 0 && reported_in < oldest)
      finished.push_back(key);
  }
  return finished;
}

void OutboxLedger::erase(const std::vector<LedgerKey>& keys) {
  for (const auto& key : keys) {
    rows_.erase(key);
    gone_.erase(key);
    unsaved_.erase(key);
  }
}

}  // namespace observeai::agent
