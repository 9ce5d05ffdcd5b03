// Answers queries. Internal to controlplane/store.
#pragma once

#include <atomic>
#include <map>
#include <vector>

#include "controlplane/model/repositories.h"
#include "controlplane/store/epoch_book.h"
#include "controlplane/store/inventory_cache.h"
#include "controlplane/store/partitions.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Thread-safe; never waits for a commit. A partition that shows damage is put aside and the answer is
// given from the others; a chunk that does not decode is left out, counted and alerted.
class Reader final : public model::TelemetryReader {
 public:
  Reader(StateDb& state, EpochBook& book, Partitions& partitions, InventoryCache& inventories,
         const Clock& clock)
      : state_(state),
        book_(book),
        partitions_(partitions),
        inventories_(inventories),
        clock_(clock) {}

  Result<std::vector<model::HostInventory>> inventories(const TenantId& tenant) override;
  Result<std::optional<model::HostInventory>> inventory(const AgentId& agent) override;
  Result<std::vector<model::InventoryCounts>> inventory_counts(const TenantId& tenant) override;
  Result<std::vector<model::TargetName>> target_names(const TenantId& tenant,
                                                      const std::string& text) override;
  Result<std::vector<model::LogRow>> logs(const model::LogQuery& query) override;  // logs_query.cc
  Result<std::vector<model::SeriesInfo>> series(const AgentId& agent,
                                                const wire::Target& target) override;
  Result<std::vector<model::SeriesPoints>> points(const model::SeriesQuery& query) override;
  Result<std::vector<model::SeriesPoints>> latest(const AgentId& agent, const wire::Target& target,
                                                  const std::vector<std::string>& names) override;
  Result<std::vector<model::EventRow>> events(const model::EventQuery& query) override;
  Result<std::vector<model::LedgerRow>> ledger(const AgentId& agent) override;

  std::uint64_t unreadable_chunks() const { return unreadable_chunks_; }

 private:
  struct EpochName {
    std::int64_t no = 0;
    AgentId agent;
  };
  std::vector<EpochName> epochs_of(const AgentId& agent) EXCLUDES(book_.mutex);  // Oldest first

  // Newest first or oldest first, calls `visit` for each partition that may hold data of the range.
  template <class Visit>
  Result<void> each_partition(const model::TimeRange& range, bool newest_first, Visit&& visit);
  void unreadable_chunk(const Partition& partition, const Error& why);
  Result<std::vector<model::SeriesPoints>> matching_series(
      const model::SeriesQuery& query,
      std::map<std::int64_t, std::map<std::uint32_t, std::size_t>>& where);

  StateDb& state_;
  EpochBook& book_;
  Partitions& partitions_;
  InventoryCache& inventories_;
  const Clock& clock_;
  std::atomic<std::uint64_t> unreadable_chunks_ = 0;
};

template <class Visit>
Result<void> Reader::each_partition(const model::TimeRange& range, bool newest_first,
                                    Visit&& visit) {
  auto all = partitions_.snapshot();
  if (newest_first) std::reverse(all.begin(), all.end());
  for (const auto& partition : all) {
    const auto bounds = partition->bounds();
    if (partition->is_damaged() || bounds.last_ms < range.since_ms) continue;
    if (range.until_ms != 0 && bounds.first_ms >= range.until_ms) continue;
    auto visited =
        partition->read([&](sql::Database& db) -> Result<void> { return visit(db, *partition); });
    if (visited) continue;
    if (visited.error().code() == Errc::kCorrupt) {
      partitions_.quarantine(partition, visited.error());
    } else if (visited.error().code() != Errc::kNotFound) {  // Dropped by retention meanwhile
      return visited;
    }
  }
  return {};
}

}  // namespace observeai::controlplane::store
