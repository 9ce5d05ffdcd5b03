// Commits batches. Internal to controlplane/store.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "controlplane/model/repositories.h"
#include "controlplane/store/epoch_book.h"
#include "controlplane/store/inventory_cache.h"
#include "controlplane/store/partitions.h"
#include "controlplane/store/prepared.h"
#include "controlplane/store/series_use.h"
#include "controlplane/store/state_db.h"
#include "protocol/base/clock.h"

namespace observeai::controlplane::store {

// Lane 0 is committed into state.db together with its cursor; lanes 1 and 2 into the current partition:
// batch row, chunk and index in one transaction. What is in memory (the book) follows a commit, never
// leads it. Lock order: commit_mutex_, then state.db's writer, then the book.
class Writer final : public model::TelemetryWriter {
 public:
  Writer(StateDb& state, EpochBook& book, Partitions& partitions, InventoryCache& inventories,
         const Clock& clock)
      : state_(state),
        book_(book),
        partitions_(partitions),
        inventories_(inventories),
        clock_(clock),
        use_(state, book, partitions) {}

  Result<model::CommitOutcome> commit(const wire::Batch& batch) override;
  Result<std::vector<Result<model::CommitOutcome>>> commit_all(
      const std::vector<wire::Batch>& batches) override;
  Result<void> give_up(const wire::Batch& batch) override;
  Result<model::LaneCursors> cursors(const AgentId& agent, const Epoch& epoch) override;
  Result<model::SpoolComparison> compare(const wire::Hello& hello) override;
  Result<std::string> inventory_digest(const AgentId& agent) override;
  Result<std::uint64_t> series_known(const AgentId& agent, const Epoch& epoch) override;
  void on_committed(std::function<void(const model::Committed&)> listener) override {
    listeners_.push_back(std::move(listener));
  }

  // The agent says which batches it still has. What is missing below is gone for good (a damaged
  // partition, a state.db from a backup): the cursor passes over it, with an alert, or the agent's
  // spool would fill up waiting for it.
  Result<void> pass_over_lost(const AgentId& agent, const wire::Hello& hello)
      EXCLUDES(commit_mutex_);
  // Retention of partitions, and of sources, series and epochs that are gone since `before_ms`.
  Result<void> retain(std::int64_t now_ms, std::int64_t before_ms) EXCLUDES(commit_mutex_);

 private:
  using Cursors = std::map<std::int64_t, LaneCursor>;  // Of lane 0, as they will be
  using NewSources = std::map<AgentId, std::set<std::pair<std::int64_t, SourceKey>>>;

  void commit_slice(std::vector<Prepared>& slice) EXCLUDES(commit_mutex_);
  Result<void> name_epochs(std::vector<Prepared>& slice) REQUIRES(commit_mutex_);
  // What one agent may make grow. `lane_has_room`: for one more gap. `made`: sources that earlier
  // batches of the same transaction make; those of this one are added when there is room.
  Result<void> check_room(const Prepared& prepared, bool lane_has_room, NewSources& made);
  Result<void> check_sources(const Prepared& prepared, NewSources& made) REQUIRES(book_.mutex);
  // Of an agent that has just defined `added` series. kLimit: too many.
  Result<void> check_series(sql::Database& db, const AgentId& agent, std::size_t added);

  // writer_compare.cc
  Result<std::optional<ContentHash>> find_any_hash(std::int64_t epoch_no, wire::Lane lane,
                                                   std::uint64_t seq);
  Result<bool> differs(std::int64_t epoch_no, wire::Lane lane, const wire::Hello& hello,
                       const LaneCursor& cursor);

  // writer_control.cc
  void commit_control(std::vector<Prepared>& slice) REQUIRES(commit_mutex_);
  Result<void> store_control_group(sql::Database& db, std::vector<Prepared>& slice,
                                   Cursors& cursors);
  Result<model::CommitOutcome> store_control(sql::Database& db, Prepared& prepared,
                                             LaneCursor& cursor);
  Result<bool> is_control_stored_elsewhere(sql::Database& db, const Prepared& prepared);
  Result<void> store_content(sql::Database& db, Prepared& prepared, const LaneCursor& cursor);
  Result<void> store_control_loss(sql::Database& db, const Prepared& prepared);
  Result<void> store_inventory(sql::Database& db, const Prepared& prepared,
                               const LaneCursor& cursor);
  Result<void> apply_waiting(sql::Database& db, const AgentId& agent, std::int64_t epoch_no,
                             std::uint64_t through);
  // After a transaction that may have changed inventories, whether it was committed or not.
  void tell_inventories() REQUIRES(commit_mutex_);
  void publish_control(const std::vector<Prepared>& slice, const Cursors& cursors)
      REQUIRES(commit_mutex_);

  // writer_data.cc
  void commit_data(std::vector<Prepared>& slice) REQUIRES(commit_mutex_);
  Result<void> store_data_group(Partition& partition, std::vector<Prepared>& slice)
      REQUIRES(commit_mutex_);
  Result<model::CommitOutcome> store_data(Partition& partition, Prepared& prepared,
                                          std::set<MovedContent>& moved_now)
      REQUIRES(commit_mutex_);
  // Of a number of lanes 1 to 3 in any partition; nullopt: gone by retention, or never there.
  Result<std::optional<ContentHash>> find_sealed_hash(std::int64_t epoch_no, wire::Lane lane,
                                                      std::uint64_t seq);
  // True when this content is stored under another number: that of its origin, or one to which a copied
  // spool moved it. `moved_now`: by this transaction.
  Result<bool> is_stored_elsewhere(Partition& partition, const Prepared& prepared,
                                   const std::set<MovedContent>& moved_now);
  Result<bool> all_series_defined(const Prepared& prepared);
  void publish_data(const std::vector<Prepared>& slice) REQUIRES(commit_mutex_);

  StateDb& state_;
  EpochBook& book_;
  Partitions& partitions_;
  InventoryCache& inventories_;
  const Clock& clock_;
  std::vector<std::function<void(const model::Committed&)>>
      listeners_;  // Complete before the first commit

  Mutex commit_mutex_;
  SeriesUse use_ GUARDED_BY(commit_mutex_);
  std::map<AgentId, std::string> digests_
      GUARDED_BY(commit_mutex_);  // Erased when the inventory changes
  // Of those that defined one since the last were forgotten. Committing thread only
  std::map<AgentId, std::size_t> series_of_;
  std::set<AgentId> changed_inventories_;  // Of the transaction in hand; committing thread only
};

}  // namespace observeai::controlplane::store
