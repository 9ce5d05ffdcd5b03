// A batch on its way into the store: decoded and summed up before any lock is taken.
// Internal to controlplane/store.
#pragma once

#include <optional>
#include <vector>

#include "controlplane/model/repositories.h"
#include "controlplane/store/partition.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::controlplane::store {

struct Prepared {
  const wire::Batch* batch = nullptr;
  ContentHash hash{};
  std::int64_t epoch_no = 0;
  // One of the four, unless the outcome is decided already.
  std::optional<wire::ControlBatch> control;
  std::optional<wire::SampleBatch> samples;
  std::optional<wire::LogBatch> logs;
  std::optional<wire::LossNotice> loss;  // Of any lane; its hash is zeros
  std::uint64_t n = 0;                   // Samples or log records
  TimeBounds bounds;
  std::vector<LogSpan> spans;
  std::size_t memory_bytes = 0;  // About what the decoded form takes

  std::vector<std::uint64_t> event_ids;                 // Set by the commit
  model::LogPosition first_log;                         // Set by the commit, of logs
  std::optional<Result<model::CommitOutcome>> outcome;  // Empty until decided
  // Set by the commit: its number is settled by this commit, as stored, lost, or a duplicate of its
  // origin.
  bool settles = false;
  bool is_moved_duplicate = false;  // Set by the commit

  wire::Lane lane() const { return batch->header.lane; }
  bool is_undecided_control() const { return lane() == wire::Lane::kControl && !outcome; }
  bool is_undecided_data() const { return lane() != wire::Lane::kControl && !outcome; }
  bool is_stored() const {
    return outcome && *outcome && **outcome == model::CommitOutcome::kStored && !loss;
  }
  std::optional<MovedContent> moved() const;  // When it has an origin
  // What the ledger counts it under, or it says of others.
  std::vector<SourceKey> sources() const;
  // The records of each source, as an account of this batch.
  wire::LossNotice account(const char* reason) const;
};

// What cannot be stored gets its outcome here.
Prepared prepare(const wire::Batch& batch);
// The number of a batch that does not decode, as a loss.
Prepared prepare_unreadable(const wire::Batch& batch);

}  // namespace observeai::controlplane::store
