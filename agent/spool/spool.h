// The agent's disk queue: a chain of segment databases for each lane (docs/adr/0009). A batch and the
// file offsets that it came from are committed in one SQLite transaction (synchronous=FULL), so that
// after any crash both are there or neither. A batch leaves by acknowledge(); one that had to be given
// up (evicted, damaged) is answered by read() as a loss notice under its number. One thread.
//
// Contract of failure: nothing of the unit is stored and
//   kLimit        full (quota or disk): stop reading sources, try again after acknowledge()
//   kUnavailable  the disk does not do what it should: try again, a later attempt heals what it can
//   kCorrupt      damage that only open() can repair: end and start again (`on_damage` tells first)
// What is damaged is put aside or read around by itself; take_notices() tells what happened.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "protocol/base/clock.h"
#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/wire/messages.h"

namespace observeai::agent {

// Logs and traces may fill three quarters of the quota, metrics nine tenths, control all but a small
// reserve. Lanes 1 and 3 make room by evicting their oldest segment, traces before metrics; logs are
// refused, for their files keep them.
struct SpoolLimits {
  std::uint64_t max_bytes = 1ULL << 30;        // Quota on all files
  std::uint64_t min_free_bytes = 64ULL << 20;  // Floor on the file system

  // disk_bytes from which metrics had better be few: what comes in stays, and soon logs will be refused.
  std::uint64_t filling_bytes() const { return max_bytes / 16 * 11; }
};

// How much of a batch is of one ledger source: told in the loss notice when the batch is given up.
struct SourceCount {
  std::string source;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // Of the records' texts before they were cut; 0 = not known
  bool operator==(const SourceCount&) const = default;
};

// A batch before it has its sequence number.
struct PendingBatch {
  wire::Lane lane = wire::Lane::kControl;
  std::uint32_t n = 0;
  std::int64_t first_ts_ms = 0;
  std::int64_t last_ts_ms = 0;
  std::string body;                   // wire::encode_*
  std::vector<SourceCount> counts{};  // Sources ascend strictly
};

struct LedgerKey {
  std::string source;
  wire::Lane lane = wire::Lane::kControl;
  auto operator<=>(const LedgerKey&) const = default;
};

// Everything that becomes durable together. Checkpoints are of lane 2, series of lane 1, ledger entries
// of their lane: in a unit with batches they must be of the one data lane of these (batches of lane 0
// may be with it, or be all there are), else kInvalid. A unit without batches is one transaction for
// each lane. Forgotten
// ledger entries of other lanes follow the unit and may come back after a crash.
struct CommitUnit {
  std::vector<PendingBatch> batches;
  std::vector<SourceCheckpoint> checkpoints;
  std::vector<std::string> forgotten_sources;      // Checkpoints to delete
  std::vector<wire::SeriesDefinition> new_series;  // Remembered for the epoch
  std::vector<wire::LedgerEntry> ledger;           // Replaces the entry of the same (source, lane)
  std::vector<LedgerKey> forgotten_ledger;         // Entries to delete
};

struct SpoolState {
  Epoch epoch;
  std::array<std::uint64_t, wire::kLaneCount> next_seq{};
  std::array<std::uint64_t, wire::kLaneCount> oldest_seq{};  // = next_seq when the lane is empty
  std::uint64_t bytes = 0;                                   // Of bodies kept
  std::uint64_t disk_bytes = 0;                              // Of all files
};

// Since the start, for hello and metrics; `name` of each in spool_counter_names.
struct SpoolCounters {
  std::uint64_t batches_evicted = 0;
  std::uint64_t batches_damaged = 0;   // Told as lost when they were read
  std::uint64_t segments_aside = 0;    // Could not be read at all
  std::uint64_t writers_replaced = 0;  // Segments ended early by damage or an I/O error
  std::uint64_t io_errors = 0;         // Commits that failed, being full not counted
  std::uint64_t epochs_begun = 0;
};
namespace spool_counter_names {
inline constexpr const char* kBatchesEvicted = "spool_batches_evicted";
inline constexpr const char* kBatchesDamaged = "spool_batches_damaged";
inline constexpr const char* kSegmentsAside = "spool_segments_aside";
inline constexpr const char* kWritersReplaced = "spool_writers_replaced";
inline constexpr const char* kIoErrors = "spool_io_errors";
inline constexpr const char* kEpochsBegun = "spool_epochs_begun";
}  // namespace spool_counter_names

// What a person should know: spool.damaged, spool.evicted, spool.epoch, spool.migrated, ...
struct SpoolNotice {
  std::int64_t ts_ms = 0;
  std::string kind;
  wire::Severity severity = wire::Severity::kWarning;
  std::string message;
};

class Spool {
 public:
  // Creates the folder's files when missing. kDenied: not writable; kInvalid: made by a newer version
  // (message says both versions). `on_damage` is called once, when damage is met while running that
  // no new segment heals.
  using OnDamage = std::function<void(const Error&)>;
  static Result<std::unique_ptr<Spool>> open(const std::string& directory,
                                             const SpoolLimits& limits, const Clock& clock,
                                             OnDamage on_damage = {});
  virtual ~Spool() = default;

  // Returns the sequence numbers given, one per batch, in order.
  virtual Result<std::vector<std::uint64_t>> commit(const CommitUnit& unit) = 0;
  // Batches of the lane with seq > after, oldest first, until count or bytes (at least one if any).
  // One that is lost has codec kLost and n 0; one of an earlier epoch has its origin.
  virtual Result<std::vector<wire::Batch>> read(wire::Lane lane, std::uint64_t after,
                                                std::size_t max_count, std::size_t max_bytes) = 0;
  // How much of which source is in a pending batch, as far as that is known: nothing is said of lane 0.
  virtual std::vector<SourceCount> counts_of(wire::Lane lane, std::uint64_t seq) = 0;
  virtual Result<void> acknowledge(
      const std::array<std::uint64_t, wire::kLaneCount>& contiguous) = 0;

  // This spool was found to be a copy: a new epoch, to which everything pending moves under new
  // numbers from 1, each batch remembering its origin. The ledger begins anew: read = pending +
  // dropped, where dropped goes on counting (bytes_read: of what is pending, as counted by
  // SourceCount, line ends and the like left out). Checkpoints, facts, series and their ids stay.
  // Sequence numbers known to callers are void.
  virtual Result<void> begin_epoch() = 0;

  virtual const SpoolState& state() const = 0;
  virtual Result<std::vector<SourceCheckpoint>> checkpoints() = 0;
  virtual Result<std::vector<wire::SeriesDefinition>> series() = 0;  // By id
  virtual Result<void> forget_series(const std::vector<std::uint32_t>& ids) = 0;
  virtual std::uint32_t next_series_id() const = 0;  // Never reused within the epoch
  virtual Result<std::vector<wire::LedgerEntry>> ledger() = 0;

  // Small facts that must survive a restart: "command_seq", "trusted_time", ...
  virtual Result<std::optional<std::string>> fact(const std::string& name) = 0;
  virtual Result<void> set_fact(const std::string& name, const std::string& value) = 0;

  virtual const SpoolCounters& counters() const = 0;
  virtual std::vector<SpoolNotice> take_notices() = 0;  // Each is given once
};

}  // namespace observeai::agent
