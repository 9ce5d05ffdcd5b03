// One database of a lane's chain: rows in, rows out, and what can still be read of a damaged one.
// Numbers here are those of the segment's own epoch. Internal to agent/spool.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/sql/database.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

inline constexpr std::uint64_t kSegmentPageBytes = 4096;

// "l2-00000017.db"
std::string segment_name(std::size_t lane, std::uint64_t number);
struct SegmentFile {
  std::size_t lane = 0;
  std::uint64_t number = 0;
};
std::optional<SegmentFile> parse_segment_name(std::string_view name);
// The database and its log; fine when they are not there. False: they could not be removed.
bool remove_segment(const std::string& path);
std::uint64_t segment_bytes_on_disk(const std::string& path);

struct SegmentMeta {
  Epoch epoch;
  std::size_t lane = 0;
  std::uint64_t number = 0;
  std::uint64_t first_seq = 1;
  std::int64_t created_ms = 0;
};

struct SegmentProgress {
  std::uint64_t revision = 0;
  std::uint64_t next_seq = 1;
  std::uint32_t next_series_id = 1;
};

enum class StateKind {
  kCheckpoint = 1,
  kLedger = 2,
  kFact = 3,
  kSeries = 4,
  kForks = 5,
  kCheckpointCopy = 6,  // In lane 0: the checkpoints of lane 2 at one moment
  kCopyPosition = 7,    // That moment
  kLedgerCopy = 8,      // In lane 0: entries of lane 2 with something dropped, at that moment
};
using StateKey = std::pair<StateKind, std::string>;
using StateRows = std::map<StateKey, std::string>;  // Values without their checksums

struct SegmentRow {
  std::string head;  // Packed, batch_head.h
  std::string body;
};

struct SegmentOptions {
  std::uint64_t log_bytes = 1U << 20;  // Length at which the log is copied back, about
  std::uint32_t cache_kib = 256;
};

class Segment {
 public:
  // A new one: schema, but no meta. What was there under this name is removed.
  static Result<Segment> create(const std::string& path, const SegmentOptions& options);
  // kNotFound; kCorrupt: nothing of it can be read; kInvalid: made by a newer version. With its log
  // copied back as far as possible, never changed otherwise.
  static Result<Segment> open(const std::string& path, const SegmentOptions& options);

  const std::string& path() const { return database_.path(); }
  sql::Database& database() { return database_; }
  void leave_log_on_close() { database_.leave_log_on_close(); }

  Result<SegmentMeta> meta();
  Result<SegmentProgress> progress();
  // In a transaction of the caller:
  Result<void> set_meta(const SegmentMeta& meta);
  Result<void> set_progress(const SegmentProgress& progress);
  Result<void> add_batch(std::uint64_t seq, std::string_view head, std::string_view body);
  Result<void> add_carried(std::uint64_t seq, std::uint64_t beside, std::string_view head,
                           std::string_view body);
  Result<void> drop_carried_above(std::uint64_t seq);
  Result<void> add_known(std::uint64_t seq, std::string_view head);
  Result<void> add_lost(std::uint64_t seq, const std::string& reason, std::string_view head);
  Result<void> set_state(const StateKey& key, std::string_view value);
  Result<void> drop_state(const StateKey& key);

  // kNotFound: there is no such row; kCorrupt: it cannot be read.
  Result<SegmentRow> batch(std::uint64_t seq);
  Result<SegmentRow> carried(std::uint64_t seq);
  // Of whichever place still has it.
  std::optional<std::string> head(std::uint64_t seq);
  std::optional<std::string> known(std::uint64_t seq);
  std::optional<std::pair<std::string, std::string>> lost(std::uint64_t seq);  // Reason, head

  // Calls `take` for each row as far as the rows can be read; false when damage ended it.
  using TakeHead = std::function<void(std::uint64_t seq, std::string_view head)>;
  Result<bool> each_head(const TakeHead& take);
  Result<bool> each_known(const TakeHead& take);
  Result<bool> each_lost(
      const std::function<void(std::uint64_t, std::string_view, std::string_view)>& take);
  // Those of units whose first batch, or the last one before them, is at most `last_beside`, as far as
  // they can be read.
  Result<std::vector<std::uint64_t>> carried_by(std::uint64_t last_beside);

  // Both copies taken together. `complete` is false when rows may be missing.
  struct State {
    StateRows rows;
    bool complete = true;
  };
  Result<State> state();
  // The highest number that any readable place speaks of, plus one. kCorrupt: none is readable.
  Result<std::uint64_t> next_seq();

 private:
  explicit Segment(sql::Database database) : database_(std::move(database)) {}
  Result<SegmentRow> row(const char* query, std::uint64_t seq);
  std::optional<std::string> blob(const char* query, std::uint64_t seq);

  sql::Database database_;
};

}  // namespace observeai::agent
