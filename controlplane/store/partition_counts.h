// How many records of which source a partition holds, kept outside of it: what is counted as stored must
// not go on counting when the partition is damaged. Internal to controlplane/store.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "controlplane/store/epoch_book.h"
#include "controlplane/store/state_db.h"
#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {

// The reason under which the ledger shows them.
inline constexpr const char* kCorruptPartition = "corrupt_partition";

// Of one partition, for its row in partition_counts. Names are long and many; their marks do.
class PartitionCounts {
 public:
  void add(std::int64_t epoch_no, const SourceKey& key, std::uint64_t records);
  Result<void> write(sql::Database& db, std::int64_t start_ms);

 private:
  sql::Packer packed_;
};

// The beginning of the sha256 of a source's name.
std::uint64_t source_mark(const std::string& source);

enum class Gone {
  kExpired,  // By retention; from the thread that seals
  kCorrupt,  // From any thread. Shown as lost, reason kCorruptPartition; they stay in StoredSource::count
};
// The files of a sealed partition are gone: what its row counts is expired or lost from here on, in state.db,
// then in the book, and the row is removed. So whoever is first counts it, once; without a row nothing
// is counted. `also` is part of the transaction. Without book.mutex.
Result<void> count_gone(StateDb& state, EpochBook& book, std::int64_t start_ms, Gone how,
                        const std::function<Result<void>(sql::Database&)>& also = nullptr)
    EXCLUDES(book.mutex);

// Starts of the partitions that have a row.
Result<std::vector<std::int64_t>> counted_partitions(StateDb& state);

}  // namespace observeai::controlplane::store
