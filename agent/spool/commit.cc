// Committing units: where they go, and room for them.
#include <algorithm>

#include "agent/spool/batch_head.h"
#include "agent/spool/segmented_spool.h"
#include "agent/spool/state_values.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kControl = 0;
constexpr std::size_t kMetrics = 1;
constexpr std::size_t kLogs = 2;
constexpr std::size_t kTraces = 3;
// How much of the quota all files together may have before a lane is refused, in 64ths.
constexpr std::array<std::uint64_t, wire::kLaneCount> kShares{63, 58, 48, 48};
// A commit gives up at most so many segments.
constexpr int kEvictionsAtOnce = 2;
// Rows, pages and their log around a body.
constexpr std::uint64_t kOverhead = 16U << 10;
constexpr std::uint32_t kSeriesReserve = 4096;

std::size_t index_of(wire::Lane lane) {
  return static_cast<std::size_t>(lane);
}

// Of the unit's data batches or, when it has none, of its state; else lane 0.
Result<std::size_t> lane_of(const CommitUnit& unit) {
  std::size_t lane = kControl;
  for (const auto& batch : unit.batches) {
    const auto own = index_of(batch.lane);
    if (own >= wire::kLaneCount) return Error(Errc::kInternal, "no such lane");
    if (own == kControl) continue;
    if (lane != kControl && lane != own)
      return Error(Errc::kInvalid, "a unit has batches of two data lanes");
    lane = own;
  }
  if (lane == kControl) {
    if (!unit.ledger.empty()) lane = index_of(unit.ledger.front().lane);
    if (!unit.checkpoints.empty() || !unit.forgotten_sources.empty()) lane = kLogs;
    if (!unit.new_series.empty()) lane = kMetrics;
  }
  if (lane >= wire::kLaneCount) return Error(Errc::kInternal, "no such lane");
  const bool fits =
      (lane == kLogs || (unit.checkpoints.empty() && unit.forgotten_sources.empty())) &&
      (lane == kMetrics || unit.new_series.empty()) &&
      std::all_of(unit.ledger.begin(), unit.ledger.end(),
                  [&](const auto& entry) { return index_of(entry.lane) == lane; });
  if (!fits) return Error(Errc::kInvalid, "a unit has state of another lane than its batches");
  return lane;
}

// What of the unit's state belongs to the lane.
ChainWrite state_of(const CommitUnit& unit, std::size_t lane) {
  ChainWrite write;
  auto& changes = write.changes;
  if (lane == kLogs) {
    for (const auto& source : unit.forgotten_sources)
      changes.push_back({checkpoint_key(source), std::nullopt});
    for (const auto& checkpoint : unit.checkpoints)
      changes.push_back({checkpoint_key(checkpoint.source), checkpoint.state});
  }
  if (lane == kMetrics) {
    for (const auto& definition : unit.new_series) {
      changes.push_back({series_key(definition.id), pack_series(definition)});
      write.next_series_id = std::max(write.next_series_id, definition.id + 1);
    }
  }
  for (const auto& entry : unit.ledger) {
    if (index_of(entry.lane) == lane)
      changes.push_back({ledger_key(entry.source), pack_ledger(entry)});
  }
  for (const auto& key : unit.forgotten_ledger) {
    if (index_of(key.lane) == lane) changes.push_back({ledger_key(key.source), std::nullopt});
  }
  return write;
}

}  // namespace

Result<std::vector<std::uint64_t>> SegmentedSpool::commit(const CommitUnit& unit) {
  std::vector<std::uint64_t> given;
  Result<void> done;
  if (unit.batches.empty()) {
    done = commit_state(unit);
  } else if (auto numbers = commit_batches(unit)) {
    given = std::move(*numbers);
    full_ = false;
  } else {
    done = std::move(numbers).error();
  }
  context_->remove_pending();
  refresh();
  if (done) return given;
  if (done.error().code() != Errc::kLimit && done.error().code() != Errc::kInvalid)
    ++context_->counters.io_errors;
  return translated(std::move(done).error());
}

Result<void> SegmentedSpool::commit_state(const CommitUnit& unit) {
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    const auto write = state_of(unit, lane);
    if (write.changes.empty()) continue;
    TRY_VOID(reserve_series(write.next_series_id));
    TRY_VOID(chains_[lane].write(write));
  }
  return {};
}

Result<std::vector<std::uint64_t>> SegmentedSpool::commit_batches(const CommitUnit& unit) {
  TRY(const std::size_t lane, lane_of(unit));
  if (lane == kControl) {
    TRY_VOID(drain_carried());
  }
  const auto is_control = [](const auto& batch) { return batch.lane == wire::Lane::kControl; };
  if (std::any_of(unit.batches.begin(), unit.batches.end(), is_control)) {
    for (auto& chain : chains_) {
      TRY_VOID(chain.settle_carried());
    }
  }
  ChainWrite write = state_of(unit, lane);
  TRY_VOID(reserve_series(write.next_series_id));
  std::vector<std::uint64_t> given;
  std::array<std::uint64_t, wire::kLaneCount> next{};
  next[lane] = chains_[lane].next_seq();
  next[kControl] = next_control_seq();
  std::uint64_t bytes = 0;
  for (const auto& batch : unit.batches) {
    const auto own = index_of(batch.lane);
    auto& to = own == lane ? write.batches : write.carried;
    to.push_back({next[own]++, pack_head(head_of(batch)), batch.body});
    given.push_back(to.back().seq);
    bytes += batch.body.size();
  }
  TRY_VOID(make_room(write.batches.empty() ? kControl : lane, bytes + kOverhead));
  TRY_VOID(write_unit(lane, write));
  if (!write.carried.empty()) {
    const auto segment = chains_[lane].segments().back().number;
    for (const auto& batch : write.carried) carried_.push_back({batch.seq, lane, segment});
    ignore(drain_carried(), "they are durable; tried again with the next commit");
  }
  for (std::size_t other = 0; other < wire::kLaneCount; ++other) {
    if (other == lane) continue;
    CommitUnit forgotten;
    forgotten.forgotten_ledger = unit.forgotten_ledger;
    const auto rest = state_of(forgotten, other);
    if (rest.changes.empty()) continue;
    ignore(chains_[other].write(rest), "forgotten again after the next start");
  }
  return given;
}

// A disk may be full in spite of what was counted: then too the oldest makes room.
Result<void> SegmentedSpool::write_unit(std::size_t lane, const ChainWrite& unit) {
  auto written = chains_[lane].write(unit);
  if (written || written.error().code() != Errc::kLimit) return written;
  const auto evicted = evict_for_disk(lane);
  if (!evicted || !*evicted) return written;
  return chains_[lane].write(unit);
}

// A series id of the epoch is never given twice, also when the newest segment is lost.
Result<void> SegmentedSpool::reserve_series(std::uint32_t next_series_id) {
  auto content = context_->manifest->content();
  if (next_series_id <= content.series_reserved) return {};
  content.series_reserved = next_series_id + kSeriesReserve;
  return context_->write_manifest(content);
}

// ---- lane 0's batches in other lanes -----------------------------------------------------------

Result<void> SegmentedSpool::drain_carried() {
  while (!carried_.empty()) {
    const WaitingCarried& first = carried_.front();
    auto row = chains_[first.lane].carried(first.segment, first.seq);
    if (!row) {
      const Errc why = row.error().code();
      if (why != Errc::kCorrupt && why != Errc::kNotFound) return std::move(row).error();
      context_->note("spool.damaged", wire::Severity::kError,
                     "batch " + std::to_string(first.seq) + " of lane 0: " + row.error().message());
      row = SegmentRow();  // Its number stays taken; read() answers it as a loss.
    }
    ChainWrite write;
    write.batches.push_back({first.seq, row->head, row->body});
    TRY_VOID(chains_[kControl].write(write));
    carried_.erase(carried_.begin());
  }
  return {};
}

// ---- room --------------------------------------------------------------------------------------

Result<void> SegmentedSpool::make_room(std::size_t lane, std::uint64_t bytes) {
  for (int evictions = 0;; ++evictions) {
    auto room = check_quota(lane, bytes);
    const bool within_quota = bool(room);
    if (within_quota) room = check_free_space(lane, bytes);
    if (room || room.error().code() != Errc::kLimit || evictions == kEvictionsAtOnce) return room;
    TRY(const bool evicted, within_quota ? evict_for_disk(lane) : evict_for(lane));
    if (!evicted) return room;
  }
}

std::uint64_t SegmentedSpool::bytes_of_files() const {
  std::uint64_t used = context_->ballast_bytes() + old_bytes_;
  for (const auto& chain : chains_) used += chain.disk_bytes();
  return used;
}

Result<void> SegmentedSpool::check_quota(std::size_t lane, std::uint64_t bytes) const {
  const std::uint64_t used = bytes_of_files();
  const std::uint64_t allowed = context_->limits.max_bytes / 64 * kShares[lane];
  if (used + bytes <= allowed) return {};
  return Error(Errc::kLimit, "the files have " + text::format_bytes(static_cast<double>(used)) +
                                 " of the " + text::format_bytes(static_cast<double>(allowed)) +
                                 " that lane " + std::to_string(lane) + " may fill");
}

Result<void> SegmentedSpool::check_free_space(std::size_t lane, std::uint64_t bytes) {
  TRY(const std::uint64_t free, free_bytes_under(context_->directory));
  const std::uint64_t floor = context_->limits.min_free_bytes / (lane == kControl ? 2 : 1);
  if (free >= floor && free - floor >= bytes) {
    if (free - floor - bytes >= context_->segment_bytes) evict_again_at_.reset();
    return {};
  }
  return Error(Errc::kLimit, "only " + text::format_bytes(static_cast<double>(free)) +
                                 " are free under " + context_->directory);
}

// Not again before these files have taken half of what that freed: on a disk that others fill nothing
// is gained, and what is here is worth as much as what is new.
Result<bool> SegmentedSpool::evict_for_disk(std::size_t lane) {
  const std::uint64_t before = bytes_of_files();
  if (evict_again_at_ && before < *evict_again_at_) return false;
  TRY(const bool evicted, evict_for(lane));
  const std::uint64_t after = bytes_of_files();
  const std::uint64_t freed = before > after ? before - after : 0;
  if (evicted) evict_again_at_ = after + std::max(freed, context_->segment_bytes / 2) / 2;
  return evicted;
}

// Traces before metrics; logs and control never.
Result<bool> SegmentedSpool::evict_for(std::size_t lane) {
  if (lane == kLogs) return false;
  for (const std::size_t victim : {kTraces, kMetrics}) {
    if (lane == kTraces && victim != kTraces) break;
    const auto before = context_->counters.batches_evicted;
    TRY(const bool evicted, chains_[victim].evict_oldest(chains_[kControl].next_seq()));
    if (!evicted) continue;
    context_->note("spool.evicted", wire::Severity::kError,
                   "the spool is full: the oldest " +
                       std::to_string(context_->counters.batches_evicted - before) +
                       " batches of lane " + std::to_string(victim) +
                       " were given up and are reported as lost");
    return true;
  }
  return false;
}

}  // namespace observeai::agent
