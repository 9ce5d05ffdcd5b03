// The agent's disk queue. A batch and the file offsets that it came from are committed in one SQLite
// transaction (synchronous=FULL), so that after any crash both are there or neither. A batch leaves
// only by acknowledge(). One thread. Contract of failure: kLimit = full (quota or disk): stop reading
// sources and try again after acknowledge(); kCorrupt = damage was met while running: end and start
// again, for only open() puts a damaged spool aside; everything else kUnavailable.
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

struct SpoolLimits {
  std::uint64_t max_bytes = 1ULL << 30;        // Quota on the database
  std::uint64_t min_free_bytes = 64ULL << 20;  // Floor on the file system
};

// A batch before it has its sequence number.
struct PendingBatch {
  wire::Lane lane = wire::Lane::kControl;
  std::uint32_t n = 0;
  std::int64_t first_ts_ms = 0;
  std::int64_t last_ts_ms = 0;
  std::string body;  // wire::encode_*
};

struct LedgerKey {
  std::string source;
  wire::Lane lane = wire::Lane::kControl;
  auto operator<=>(const LedgerKey&) const = default;
};

// Everything that becomes durable together. When the spool is full a unit with batches of lane 0
// alone may use half of the reserve, one without batches all of it: what is full of samples could
// otherwise not be emptied, for the control plane needs their definitions first.
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
};

class Spool {
 public:
  // Creates the folder's database when missing. kDenied: not writable; kInvalid: made by a newer
  // version (message says both versions). `on_damage` is called once, when damage is met while
  // running.
  using OnDamage = std::function<void(const Error&)>;
  static Result<std::unique_ptr<Spool>> open(const std::string& directory,
                                             const SpoolLimits& limits, const Clock& clock,
                                             OnDamage on_damage = {});
  virtual ~Spool() = default;

  // Returns the sequence numbers given, one per batch, in order.
  virtual Result<std::vector<std::uint64_t>> commit(const CommitUnit& unit) = 0;
  // Batches of the lane with seq > after, oldest first, until count or bytes (at least one if any).
  virtual Result<std::vector<wire::Batch>> read(wire::Lane lane, std::uint64_t after,
                                                std::size_t max_count, std::size_t max_bytes) = 0;
  virtual Result<void> acknowledge(
      const std::array<std::uint64_t, wire::kLaneCount>& contiguous) = 0;

  virtual const SpoolState& state() const = 0;
  virtual Result<std::vector<SourceCheckpoint>> checkpoints() = 0;
  virtual Result<std::vector<wire::SeriesDefinition>> series() = 0;  // By id
  virtual Result<void> forget_series(const std::vector<std::uint32_t>& ids) = 0;
  virtual std::uint32_t next_series_id() const = 0;  // Never reused within the epoch
  virtual Result<std::vector<wire::LedgerEntry>> ledger() = 0;

  // Small facts that must survive a restart: "command_seq", "trusted_time", ...
  virtual Result<std::optional<std::string>> fact(const std::string& name) = 0;
  virtual Result<void> set_fact(const std::string& name, const std::string& value) = 0;

  // Set when open() quarantined a damaged database: where it was put. Reported as an event.
  virtual const std::optional<std::string>& quarantined() const = 0;
};

}  // namespace observeai::agent
