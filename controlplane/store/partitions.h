// All partitions of the store: which one is written, which ones are read, when they go.
// Internal to controlplane/store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "controlplane/store/epoch_book.h"
#include "controlplane/store/partition.h"
#include "controlplane/store/state_db.h"
#include "protocol/base/clock.h"

namespace observeai::controlplane::store {

struct PartitionLimits {
  std::uint64_t max_bytes = 0;
  std::int64_t length_ms = 0;
  std::uint64_t min_free_bytes = 0;  // Of the file system
};

struct PartitionCounters {
  std::uint64_t partitions = 0;
  std::uint64_t bytes = 0;
  std::uint64_t dropped_partitions = 0;  // By retention, since the start of the program
  std::uint64_t dropped_bytes = 0;
  std::uint64_t quarantined_partitions = 0;
};

// A partition is filed under the time of arrival. Life: current -> sealed (its part of the cursors and
// counts is written to state.db, then it is never written again) -> dropped, or quarantined when it is
// found damaged.
//
// Threads: snapshot(), quarantine() and counters() from any; the rest from the committing thread.
class Partitions {
 public:
  Partitions(std::string directory, PartitionLimits limits, StateDb& state, EpochBook& book,
             const Clock& clock)
      : directory_(std::move(directory)),
        limits_(limits),
        state_(state),
        book_(book),
        clock_(clock) {}

  // Before anything is opened, which takes room: unlinks the oldest partitions while less than
  // limits.min_free_bytes are free. Never the newest, the only one that may not be sealed.
  static void make_room_on_disk(const std::string& directory, const PartitionLimits& limits);
  // Opens what is there, puts damaged ones aside, adds what is younger than the last sealing to the
  // book. Call after book.load().
  Result<void> load();

  // The one to write to; seals the last one and makes the next when it is due.
  Result<std::shared_ptr<Partition>> current();
  // Drops whole partitions of before `oldest_ms`, beyond bytes, or while the disk is nearly full: oldest
  // first, never the newest. Works on a full disk: what cannot be counted now is counted later.
  Result<void> retain(std::int64_t oldest_ms);

  std::vector<std::shared_ptr<Partition>> snapshot() EXCLUDES(mutex_);  // Oldest first
  // Damaged: renamed, an alert raised, the others go on. The newest, which may be open for writing,
  // is put aside by the next current().
  void quarantine(const std::shared_ptr<Partition>& partition, const Error& why) EXCLUDES(mutex_);
  PartitionCounters counters() EXCLUDES(mutex_);

 private:
  Result<void> open_one(std::int64_t start_ms);
  void put_aside(std::int64_t start_ms, const Error& why);
  Result<void> count_corrupt(std::int64_t start_ms, const std::string& aside,
                             const std::string& why);
  // What is gone and still has its row of partition_counts: it was dropped before state.db was open, or
  // put aside, and the program ended or state.db could not be written before that was counted.
  Result<void> count_missing();
  // The one that was written to when the program ended is damaged.
  void lose_open(std::int64_t start_ms);
  bool is_due(const Partition& partition) const;
  Result<void> seal(Partition& partition);
  Result<void> seal_through(std::int64_t start_ms);
  Result<void> create_next(std::int64_t newest_start_ms);
  Result<void> replay_into_book(Partition& partition);
  Result<void> load_origins(Partition& partition);
  // What it holds counts as expired from here on. Not when another thread has put it aside meanwhile, or
  // it is the newest by now.
  void drop(const std::shared_ptr<Partition>& partition) EXCLUDES(mutex_);
  // Empties the logs that a reader held open; keeps a connection to the newest closed partition only.
  void tend_closed() EXCLUDES(mutex_);
  void make_room();
  std::uint64_t most_of_partition() const;
  void alert_low_disk(std::uint64_t free_bytes);
  Result<void> clear_low_disk();
  void remove(const std::shared_ptr<Partition>& partition) EXCLUDES(mutex_);
  std::string path_of(std::int64_t start_ms) const;

  const std::string directory_;
  const PartitionLimits limits_;
  StateDb& state_;
  EpochBook& book_;
  const Clock& clock_;

  // Committing thread only.
  std::int64_t sealed_through_ = -1;
  // When the newest was made or found: it is closed in time also when its start lies in the future.
  SteadyTime newest_since_{};

  Mutex mutex_;
  std::vector<std::shared_ptr<Partition>> all_ GUARDED_BY(mutex_);  // Oldest first
  PartitionCounters counters_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane::store
