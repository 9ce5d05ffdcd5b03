// One time partition of telemetry: a database of its own, dropped whole. Internal to
// controlplane/store.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/store/epoch_book.h"
#include "controlplane/store/ids.h"
#include "controlplane/store/read_pool.h"
#include "protocol/sql/database.h"
#include "protocol/wire/messages.h"

namespace observeai::controlplane::store {

struct TimeBounds {
  std::int64_t first_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ms = std::numeric_limits<std::int64_t>::min();
  void include(std::int64_t first, std::int64_t last) {
    first_ms = std::min(first_ms, first);
    last_ms = std::max(last_ms, last);
  }
};

struct BatchRow {
  std::int64_t epoch_no = 0;
  wire::Lane lane = wire::Lane::kMetrics;
  std::uint64_t seq = 0;
  ContentHash hash{};
  std::uint64_t n = 0;  // Records or samples in its chunk; 0 = it has none
  wire::Codec codec = wire::Codec::kZstd;
};

// The part of one log chunk that belongs to one target.
struct LogSpan {
  wire::Target target;
  std::int64_t first_ns = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ns = std::numeric_limits<std::int64_t>::min();
  std::uint64_t n = 0;
};

// Threads: read() and the getters from any; everything else from the committing thread. A file that
// was unlinked stays readable through the connections that are open; read() on it may answer
// kNotFound.
class Partition {
 public:
  // Opens for writing, creates when missing, repairs the log after a crash. kCorrupt: damaged;
  // kInvalid: made by a newer version.
  static Result<std::shared_ptr<Partition>> open(std::string path, std::int64_t start_ms);

  std::int64_t start_ms() const { return start_ms_; }
  const std::string& path() const { return path_; }
  TimeBounds bounds() const EXCLUDES(mutex_);
  std::uint64_t bytes_on_disk() const;

  // Found by any thread; the committing thread puts it aside.
  void mark_damaged() { damaged_ = true; }
  bool is_damaged() const { return damaged_; }

  template <class Reading>
  auto read(Reading&& reading) {
    return readers_.read(std::forward<Reading>(reading));
  }

  // ---- writing: begin, any of the inserts, then committed() or abandoned()
  // -------------------------
  sql::Database& writer() { return *writer_; }
  // The hash stored under this key, if any; sees the open transaction.
  Result<std::optional<ContentHash>> hash_of(std::int64_t epoch_no, wire::Lane lane,
                                             std::uint64_t seq);
  Result<std::int64_t> insert_batch(const BatchRow& batch);  // Returns its number
  Result<void> insert_samples(std::int64_t no, std::int64_t epoch_no, const TimeBounds& bounds,
                              const wire::Batch& batch);
  Result<void> insert_logs(std::int64_t no, std::int64_t epoch_no,
                           const std::vector<LogSpan>& spans, const wire::Batch& batch);
  // In the place of a chunk: the records of this batch are lost, or stored elsewhere.
  Result<void> insert_account(std::int64_t no, const wire::LossNotice& account);
  Result<void> insert_origin(const MovedContent& moved);
  Result<void> widen_bounds(const TimeBounds& bounds);
  void committed() EXCLUDES(mutex_);
  void abandoned() EXCLUDES(mutex_);
  // No more writing; the log is copied back into the file and emptied. A reader in flight can prevent
  // that: then has_log() stays true, every first reader repeats the recovery of that log, and a later
  // call tries again.
  void close_writer();
  bool has_log() const;
  // Idle connections kept from here on; close_writer() sets none.
  void keep_readers(std::size_t count) { readers_.set_keep(count); }

  Result<std::vector<MovedContent>> origins();

 private:
  Partition(std::string path, std::int64_t start_ms);
  Result<void> load_bounds();
  Result<std::int64_t> target_no(const wire::Target& target);

  const std::string path_;
  const std::int64_t start_ms_;
  std::atomic<bool> damaged_ = false;
  std::unique_ptr<sql::Database> writer_;
  std::unordered_map<wire::Target, std::int64_t> target_nos_;  // Emptied by abandoned()
  TimeBounds pending_bounds_;
  mutable Mutex mutex_;
  TimeBounds bounds_ GUARDED_BY(mutex_);
  ReadPool readers_;
};

// The reason of an account whose records are stored under the batch's origin.
inline constexpr const char* kMovedReason = "moved";

// Everything in a partition, for rebuilding cursors and counts: batches, then the records of each target,
// then what has no chunk.
struct Replay {
  std::function<void(const BatchRow&)> on_batch;  // epoch_no, lane, seq and n are set
  std::function<void(const BatchRow&, const wire::Target&, std::uint64_t)> on_logs;
  std::function<void(const BatchRow&, const wire::LossNotice&)> on_account;
};
Result<void> replay(sql::Database& db, const Replay& into);

Result<std::optional<ContentHash>> find_hash(sql::Database& db, std::int64_t epoch_no,
                                             wire::Lane lane, std::uint64_t seq);

}  // namespace observeai::controlplane::store
