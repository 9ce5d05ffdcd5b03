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
  // One of the three, unless the outcome is decided already.
  std::optional<wire::ControlBatch> control;
  std::optional<wire::SampleBatch> samples;
  std::optional<wire::LogBatch> logs;
  std::uint64_t n = 0;  // Samples or log records
  TimeBounds bounds;
  std::vector<LogSpan> spans;
  std::size_t memory_bytes = 0;  // About what the decoded form takes

  std::vector<std::uint64_t> event_ids;                 // Set by the commit
  model::LogPosition first_log;                         // Set by the commit, of logs
  std::optional<Result<model::CommitOutcome>> outcome;  // Empty until decided

  bool is_undecided_control() const { return control && !outcome; }
  bool is_undecided_data() const { return (samples || logs) && !outcome; }
};

// What cannot be stored gets its outcome here.
Prepared prepare(const wire::Batch& batch);
// The same key and hash without content, for a batch that does not decode.
Prepared prepare_empty(const wire::Batch& batch);

}  // namespace observeai::controlplane::store
