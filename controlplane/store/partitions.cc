#include "controlplane/store/partitions.h"

#include <filesystem>

#include "controlplane/store/alerts.h"
#include "controlplane/store/ledger.h"
#include "controlplane/store/partition_counts.h"
#include "controlplane/store/partition_files.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kLowDisk = "store.low_disk";
constexpr const char* kLowDiskOpen = "SELECT count(*) FROM alerts WHERE kind='store.low_disk'";
// A partition is closed early at this part of the whole quota, so that dropping one frees a small part.
constexpr std::uint64_t kShareOfQuota = 16;
constexpr std::uint64_t kMinPartitionBytes = 1U << 20;
// Closed partitions are rarely read, and there may be hundreds; the newest of them by most queries.
constexpr std::size_t kReadersOfNewestClosed = 1;

}  // namespace

std::string Partitions::path_of(std::int64_t start_ms) const {
  return partition_path(directory_, start_ms);
}

void Partitions::make_room_on_disk(const std::string& directory, const PartitionLimits& limits) {
  const auto starts = partition_starts(directory);
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    std::error_code unknown;
    const auto disk = std::filesystem::space(directory, unknown);
    if (unknown || disk.available >= limits.min_free_bytes) return;
    const std::string path = partition_path(directory, starts[i]);
    unlink_with_logs(path);
    log::warning("the disk is nearly full: telemetry partition " + path + " is dropped");
  }
}

Result<void> Partitions::load() {
  TRY(sealed_through_, state_.read([](sql::Database& db) {
    return db.scalar(-1, "SELECT sealed_through FROM sealing");
  }));
  for (const auto start : partition_starts(directory_)) {
    TRY_VOID(open_one(start));
  }
  TRY_VOID(count_missing());
  newest_since_ = clock_.steady_now();
  const auto all = snapshot();
  for (const auto& partition : all) {
    const bool writable = partition == all.back() && partition->start_ms() > sealed_through_;
    if (!writable) partition->close_writer();
  }
  tend_closed();
  return {};
}

Result<void> Partitions::open_one(std::int64_t start_ms) {
  auto opened = Partition::open(path_of(start_ms), start_ms);
  Result<void> usable;
  if (!opened) {
    usable = Result<void>(std::move(opened).error());
  } else {
    usable = load_origins(**opened);
    if (usable && start_ms > sealed_through_) usable = replay_into_book(**opened);
  }
  if (usable) {
    MutexLock lock(mutex_);
    all_.push_back(std::move(*opened));
    return {};
  }
  if (usable.error().code() != Errc::kCorrupt) return usable;
  opened = Error(Errc::kCorrupt, "closed");
  if (start_ms > sealed_through_) lose_open(start_ms);
  put_aside(start_ms, usable.error());
  return {};
}

// As far as it could be read; what could not is a gap. Remembered before it is put aside, for then it
// is not replayed again.
void Partitions::lose_open(std::int64_t start_ms) {
  book_.lose_open();
  const auto sealed = seal_through(start_ms);
  if (!sealed)
    log::error("what is lost with " + path_of(start_ms) +
               " is not written yet: " + sealed.error().message());
}

Result<void> Partitions::count_missing() {
  TRY(const auto counted, counted_partitions(state_));
  for (const auto start : counted) {
    if (!is_gone(path_of(start))) continue;
    TRY(const auto aside, newest_aside(path_of(start)));
    if (aside.empty()) {
      TRY_VOID(count_gone(state_, book_, start, Gone::kExpired));
    } else {
      TRY_VOID(count_corrupt(start, aside, "it was put aside"));
    }
  }
  return {};
}

Result<void> Partitions::load_origins(Partition& partition) {
  TRY(const auto origins, partition.origins());
  MutexLock lock(book_.mutex);
  for (const auto& moved : origins) book_.add_moved(moved);
  return {};
}

Result<void> Partitions::replay_into_book(Partition& partition) {
  MutexLock lock(book_.mutex);
  bool foreign = false;
  const auto state_of = [&](const BatchRow& row) REQUIRES(book_.mutex) -> EpochState* {
    EpochState* state = book_.has(row.epoch_no) ? &book_.at(row.epoch_no) : nullptr;
    if (state == nullptr || static_cast<std::size_t>(row.lane) >= wire::kLaneCount) {
      foreign = true;
      return nullptr;
    }
    state->unsealed = true;
    return state;
  };
  const auto count = [&](EpochState& state, const BatchRow& row, std::string source,
                         std::uint64_t n) REQUIRES(book_.mutex) {
    book_.source_of(state, {row.lane, std::move(source)})
        .add_stored(row.seq, n, book_.most_recent_of(state.agent));
  };
  Replay into;
  into.on_batch = [&](const BatchRow& row) REQUIRES(book_.mutex) {
    EpochState* state = state_of(row);
    if (state == nullptr) return;
    state->lanes[static_cast<std::size_t>(row.lane)].add(row.seq);
    if (row.lane == wire::Lane::kMetrics) count(*state, row, kMetricsSource, row.n);
  };
  into.on_logs = [&](const BatchRow& row, const wire::Target& target, std::uint64_t n)
                     REQUIRES(book_.mutex) {
                       EpochState* state = state_of(row);
                       if (state != nullptr) count(*state, row, log_source(target), n);
                     };
  into.on_account = [&](const BatchRow& row, const wire::LossNotice& account)
                        REQUIRES(book_.mutex) {
                          EpochState* state = state_of(row);
                          if (state != nullptr)
                            count_account(book_, *state, row.lane, row.seq, account);
                        };
  TRY_VOID(partition.read([&](sql::Database& db) { return replay(db, into); }));
  if (foreign)
    log::warning(partition.path() + " holds batches of agents that state.db does not know");
  return {};
}

std::vector<std::shared_ptr<Partition>> Partitions::snapshot() {
  MutexLock lock(mutex_);
  return all_;
}

bool Partitions::is_due(const Partition& partition) const {
  const std::int64_t slot = clock_.unix_ms() / limits_.length_ms * limits_.length_ms;
  const auto open_for = clock_.steady_now() - newest_since_;
  return slot > partition.start_ms() || open_for >= std::chrono::milliseconds(limits_.length_ms) ||
         partition.bytes_on_disk() >= most_of_partition();
}

std::uint64_t Partitions::most_of_partition() const {
  return std::max(kMinPartitionBytes, limits_.max_bytes / kShareOfQuota);
}

Result<std::shared_ptr<Partition>> Partitions::current() {
  const auto all = snapshot();
  if (all.empty()) {
    TRY_VOID(create_next(sealed_through_));
    return snapshot().back();
  }
  const auto& newest = all.back();
  const bool writable = newest->start_ms() > sealed_through_;
  if (writable && !newest->is_damaged() && !is_due(*newest)) return newest;
  if (writable) {
    TRY_VOID(seal(*newest));
  }
  if (newest->is_damaged()) {
    remove(newest);
    put_aside(newest->start_ms(), Error(Errc::kCorrupt, "damage was found while it was in use"));
  }
  make_room();
  TRY_VOID(create_next(newest->start_ms()));
  tend_closed();
  return snapshot().back();
}

Result<void> Partitions::seal(Partition& partition) {
  TRY_VOID(seal_through(partition.start_ms()));
  partition.close_writer();
  return {};
}

Result<void> Partitions::seal_through(std::int64_t start_ms) {
  const std::int64_t now_ms = clock_.unix_ms();
  TRY_VOID(
      state_.write([&](sql::Database& db) { return book_.write_unsealed(db, start_ms, now_ms); }));
  book_.mark_sealed(now_ms);
  sealed_through_ = start_ms;
  return {};
}

Result<void> Partitions::create_next(std::int64_t newest_start_ms) {
  // Starts ascend whatever the clock does, also past a sealed one that is no longer there.
  const std::int64_t slot = clock_.unix_ms() / limits_.length_ms * limits_.length_ms;
  const std::int64_t start = std::max({slot, newest_start_ms + 1, sealed_through_ + 1});
  TRY(auto created, Partition::open(path_of(start), start));
  newest_since_ = clock_.steady_now();
  MutexLock lock(mutex_);
  all_.push_back(std::move(created));
  return {};
}

void Partitions::tend_closed() {
  bool newest_closed = true;
  auto all = snapshot();
  std::reverse(all.begin(), all.end());
  for (const auto& partition : all) {
    const bool is_open = partition == all.front() && partition->start_ms() > sealed_through_;
    if (is_open) continue;
    if (partition->has_log()) partition->close_writer();
    partition->keep_readers(newest_closed ? kReadersOfNewestClosed : 0);
    newest_closed = false;
  }
}

Result<void> Partitions::retain(std::int64_t oldest_ms) {
  const auto missing = count_missing();
  if (!missing) log::warning("what is gone is not counted yet: " + missing.error().message());
  const auto all = snapshot();
  std::uint64_t bytes = aside_bytes(directory_);
  for (const auto& partition : all) bytes += partition->bytes_on_disk();
  std::error_code unknown;
  const auto disk = std::filesystem::space(directory_, unknown);
  std::uint64_t free_bytes = unknown ? limits_.min_free_bytes : disk.available;
  if (free_bytes < limits_.min_free_bytes) {
    alert_low_disk(free_bytes);
  } else {
    ignore(clear_low_disk(), "the next round tries again; retention must not wait for it");
  }
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    // What is in a partition arrived before the next one began.
    const bool too_old = all[i + 1]->start_ms() <= oldest_ms;
    if (!too_old && bytes <= limits_.max_bytes && free_bytes >= limits_.min_free_bytes) break;
    const std::uint64_t freed = all[i]->bytes_on_disk();
    bytes -= std::min(bytes, freed);
    free_bytes += freed;
    drop(all[i]);
  }
  tend_closed();
  return {};
}

// The quota holds from commit to commit, not from one maintenance to the next: what the next partition
// may grow to is freed before it begins.
void Partitions::make_room() {
  const auto all = snapshot();
  std::uint64_t bytes = most_of_partition() + aside_bytes(directory_);
  for (const auto& partition : all) bytes += partition->bytes_on_disk();
  for (std::size_t i = 0; i + 1 < all.size() && bytes > limits_.max_bytes; ++i) {
    bytes -= std::min(bytes, all[i]->bytes_on_disk());
    drop(all[i]);
  }
}

Result<void> Partitions::clear_low_disk() {
  TRY(const auto open, state_.read([](sql::Database& db) { return db.scalar(0, kLowDiskOpen); }));
  if (open == 0) return {};
  log::info(directory_ + ": there is room on the disk again");
  return state_.write([](sql::Database& db) { return clear_alert(db, kLowDisk, AgentId(), ""); });
}

void Partitions::alert_low_disk(std::uint64_t free_bytes) {
  model::Alert alert;
  alert.kind = kLowDisk;
  alert.message = std::to_string(free_bytes >> 20) + " MiB are free, less than the " +
                  std::to_string(limits_.min_free_bytes >> 20) +
                  " MiB kept free: the oldest telemetry goes early";
  alert.first_ms = alert.last_ms = clock_.unix_ms();
  alert.count = 1;
  log::warning(directory_ + ": " + alert.message);
  ignore(state_.write([&](sql::Database& db) { return raise_alert(db, alert); }),
         "it is in the log");
}

void Partitions::drop(const std::shared_ptr<Partition>& partition) {
  {
    MutexLock lock(mutex_);
    const auto found = std::find(all_.begin(), all_.end(), partition);
    if (found == all_.end() || partition == all_.back()) return;
    all_.erase(found);
    ++counters_.dropped_partitions;
    counters_.dropped_bytes += partition->bytes_on_disk();
  }
  unlink_with_logs(partition->path());
  log::info("telemetry partition " + partition->path() + " dropped by retention");
  ignore(count_gone(state_, book_, partition->start_ms(), Gone::kExpired),
         "the disk may be full; count_missing() counts it later");
}

void Partitions::quarantine(const std::shared_ptr<Partition>& partition, const Error& why) {
  {
    MutexLock lock(mutex_);
    const auto found = std::find(all_.begin(), all_.end(), partition);
    if (found == all_.end()) return;  // Another reader was faster, or it was dropped.
    if (partition == all_.back()) {
      partition->mark_damaged();
      return;
    }
    all_.erase(found);
  }
  put_aside(partition->start_ms(), why);
}

void Partitions::remove(const std::shared_ptr<Partition>& partition) {
  MutexLock lock(mutex_);
  std::erase(all_, partition);
}

// Moved before it is counted: after a crash in between count_missing() does the rest.
void Partitions::put_aside(std::int64_t start_ms, const Error& why) {
  const std::string path = path_of(start_ms);
  const std::string aside = aside_path(path);
  move_aside(path, aside);
  const auto counted = count_corrupt(start_ms, aside, why.message());
  if (!counted)
    log::error("what is lost with " + path + " is not written yet: " + counted.error().message());
  forget_aside(directory_);
  log::error("a telemetry partition is damaged and is put aside as " + aside + ": " +
             why.message());
  MutexLock lock(mutex_);
  ++counters_.quarantined_partitions;
}

Result<void> Partitions::count_corrupt(std::int64_t start_ms, const std::string& aside,
                                       const std::string& why) {
  model::Alert alert;
  alert.kind = "store.corrupt_partition";
  alert.object = std::filesystem::path(aside).filename().string();
  alert.message = why + "; `observeai ledger` shows what is lost with it";
  alert.first_ms = alert.last_ms = clock_.unix_ms();
  alert.count = 1;
  return count_gone(state_, book_, start_ms, Gone::kCorrupt,
                    [&](sql::Database& db) { return raise_alert(db, alert); });
}

PartitionCounters Partitions::counters() {
  MutexLock lock(mutex_);
  PartitionCounters out = counters_;
  out.partitions = all_.size();
  for (const auto& partition : all_) out.bytes += partition->bytes_on_disk();
  return out;
}

}  // namespace observeai::controlplane::store
