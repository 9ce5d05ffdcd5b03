#include "agent/spool/spool.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/spool/load.h"
#include "agent/spool/quarantine.h"
#include "agent/spool/rows.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/sql/database.h"
#include "protocol/sql/directory_lock.h"

namespace observeai::agent {
namespace {

constexpr std::uint64_t kMinPages = 64;      // Room for the schema, whatever the quota says
constexpr std::uint64_t kReserveShare = 64;  // Of the quota: for everything but data
constexpr std::uint64_t kMinReservePages = 16;
constexpr std::uint64_t kDeleteChunk = 512;  // Batches deleted in one transaction: bounds the log

constexpr const char* kInsertBatch =
    "INSERT INTO batches(lane, seq, n, first_ts_ms, last_ts_ms, codec, size, body)"
    " VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kReadBatches =
    "SELECT seq, n, first_ts_ms, last_ts_ms, codec, size, body FROM batches"
    " WHERE lane=? AND seq>? ORDER BY seq LIMIT ?";
constexpr const char* kBytesUpTo = "SELECT sum(size) FROM batches WHERE lane=? AND seq<=?";
constexpr const char* kDeleteUpTo = "DELETE FROM batches WHERE lane=? AND seq<=?";
constexpr const char* kSetLane = "UPDATE lanes SET next_seq=?, bytes=? WHERE lane=?";
constexpr const char* kSetCheckpoint =
    "INSERT OR REPLACE INTO checkpoints(source, state) VALUES(?,?)";
constexpr const char* kDeleteCheckpoint = "DELETE FROM checkpoints WHERE source=?";
constexpr const char* kSetNextSeries = "UPDATE meta SET next_series_id=?";
constexpr const char* kDeleteLedger = "DELETE FROM ledger WHERE source=? AND lane=?";
constexpr const char* kDeleteSeries = "DELETE FROM series WHERE id=?";

// How deep into its last pages and into the floor of the file system a write may go.
enum class Depth { kData, kControl, kRest };

Depth depth_of(const CommitUnit& unit) {
  if (unit.batches.empty()) return Depth::kRest;
  const bool control = std::all_of(unit.batches.begin(), unit.batches.end(), [](const auto& batch) {
    return batch.lane == wire::Lane::kControl;
  });
  return control ? Depth::kControl : Depth::kData;
}

class SqliteSpool final : public Spool {
 public:
  SqliteSpool(std::string directory, const SpoolLimits& limits, sql::DirectoryLock lock,
              LoadedSpool loaded, std::optional<std::string> quarantined, OnDamage on_damage)
      : directory_(std::move(directory)),
        limits_(limits),
        lock_(std::move(lock)),
        database_(std::move(loaded.database)),
        quarantined_(std::move(quarantined)),
        on_damage_(std::move(on_damage)),
        state_(loaded.state),
        lane_bytes_(loaded.lane_bytes),
        next_series_id_(loaded.next_series_id) {}

  Result<std::vector<std::uint64_t>> commit(const CommitUnit& unit) override;
  Result<std::vector<wire::Batch>> read(wire::Lane lane, std::uint64_t after, std::size_t max_count,
                                        std::size_t max_bytes) override;
  Result<void> acknowledge(const std::array<std::uint64_t, wire::kLaneCount>& contiguous) override;
  const SpoolState& state() const override { return state_; }
  Result<std::vector<SourceCheckpoint>> checkpoints() override;
  Result<std::vector<wire::SeriesDefinition>> series() override;
  Result<void> forget_series(const std::vector<std::uint32_t>& ids) override;
  std::uint32_t next_series_id() const override { return next_series_id_; }
  Result<std::vector<wire::LedgerEntry>> ledger() override;
  Result<std::optional<std::string>> fact(const std::string& name) override;
  Result<void> set_fact(const std::string& name, const std::string& value) override;
  const std::optional<std::string>& quarantined() const override { return quarantined_; }

 private:
  using LaneBytes = std::array<std::uint64_t, wire::kLaneCount>;

  Result<void> allow_pages(Depth depth);
  Result<std::uint64_t> check_disk(const CommitUnit& unit, Depth depth) const;
  Result<void> write_batches(const CommitUnit& unit, SpoolState& next, LaneBytes& lane_bytes,
                             std::vector<std::uint64_t>& given);
  Result<void> write_rest(const CommitUnit& unit, std::uint32_t& next_series_id);
  Result<void> delete_up_to(std::size_t lane, std::uint64_t seq);
  Error translated(Error error);

  const std::string directory_;
  const SpoolLimits limits_;
  sql::DirectoryLock lock_;
  sql::Database database_;
  const std::optional<std::string> quarantined_;
  OnDamage on_damage_;  // Empty once told
  SpoolState state_;
  LaneBytes lane_bytes_;
  std::uint32_t next_series_id_;
  std::uint64_t allowed_pages_ = 0;
};

}  // namespace

Result<std::unique_ptr<Spool>> Spool::open(const std::string& directory, const SpoolLimits& limits,
                                           const Clock& clock, OnDamage on_damage) {
  TRY_VOID(files::make_directories(directory, 0700));
  TRY(auto lock, sql::DirectoryLock::acquire(directory));
  std::optional<std::string> quarantined;
  auto loaded = load_spool(directory, clock);
  if (!loaded && loaded.error().code() == Errc::kCorrupt) {
    log::error("the spool is damaged and is put aside: " + loaded.error().message());
    TRY(quarantined, quarantine_spool(directory));
    loaded = load_spool(directory, clock);
  }
  if (!loaded) return std::move(loaded).error().with_context("open spool");
  ::unlink(suspect_mark(directory).c_str());
  return std::unique_ptr<Spool>(
      std::make_unique<SqliteSpool>(directory, limits, std::move(lock), std::move(*loaded),
                                    std::move(quarantined), std::move(on_damage)));
}

// The mark makes the next open() look at every page.
Error SqliteSpool::translated(Error error) {
  if (error.code() == Errc::kLimit) return std::move(error).with_context("spool is full");
  if (error.code() == Errc::kCorrupt) {
    ignore(files::write_atomic(suspect_mark(directory_), "", 0600),
           "the next damaged read tries again");
    if (const auto tell = std::exchange(on_damage_, nullptr)) tell(error);
    return error;
  }
  return Error(Errc::kUnavailable, error.message());
}

Result<void> SqliteSpool::allow_pages(Depth depth) {
  const std::uint64_t log_share = std::min(kSpoolLogBytes, limits_.max_bytes / 8);
  const std::uint64_t most = std::max(kMinPages, (limits_.max_bytes - log_share) / kSpoolPageBytes);
  const std::uint64_t reserve = std::max(kMinReservePages, most / kReserveShare);
  const std::uint64_t kept_back = depth == Depth::kData      ? reserve
                                  : depth == Depth::kControl ? reserve / 2
                                                             : 0;
  const std::uint64_t pages = most - kept_back;
  if (pages == allowed_pages_) return {};
  TRY_VOID(database_.set_max_pages(pages));
  allowed_pages_ = pages;
  return {};
}

// Returns the bytes free beyond the floor.
Result<std::uint64_t> SqliteSpool::check_disk(const CommitUnit& unit, Depth depth) const {
  struct statvfs info {};
  if (::statvfs(directory_.c_str(), &info) != 0) {
    return files::from_errno("cannot ask for the free space of " + directory_, errno);
  }
  const std::uint64_t free_bytes = std::uint64_t{info.f_bavail} * info.f_frsize;
  std::uint64_t floor = limits_.min_free_bytes / (depth == Depth::kData ? 1 : 2);
  for (const auto& batch : unit.batches) floor += batch.body.size();
  if (free_bytes < floor) {
    return Error(Errc::kLimit, "spool is full: only " +
                                   text::format_bytes(static_cast<double>(free_bytes)) +
                                   " are free under " + directory_);
  }
  return free_bytes - floor;
}

Result<std::vector<std::uint64_t>> SqliteSpool::commit(const CommitUnit& unit) {
  const Depth depth = depth_of(unit);
  std::uint64_t spare_bytes = UINT64_MAX;
  if (depth != Depth::kRest) {
    TRY(spare_bytes, check_disk(unit, depth));
  }
  SpoolState next = state_;
  LaneBytes lane_bytes = lane_bytes_;
  std::uint32_t next_series_id = next_series_id_;
  std::vector<std::uint64_t> given;
  const auto write = [&]() -> Result<void> {
    TRY_VOID(allow_pages(depth));
    TRY(auto transaction, sql::Transaction::begin(database_));
    TRY_VOID(write_batches(unit, next, lane_bytes, given));
    TRY_VOID(write_rest(unit, next_series_id));
    return transaction.commit();
  };
  auto written = write();
  if (!written) return translated(std::move(written).error());
  state_ = next;
  lane_bytes_ = lane_bytes;
  next_series_id_ = next_series_id;
  // Near the floor the log is kept short: should others fill the disk, acknowledgements fit into it.
  if (spare_bytes < limits_.min_free_bytes) {
    ignore(database_.checkpoint(), "tried again after the next commit");
  }
  return given;
}

Result<void> SqliteSpool::write_batches(const CommitUnit& unit, SpoolState& next,
                                        LaneBytes& lane_bytes, std::vector<std::uint64_t>& given) {
  std::array<bool, wire::kLaneCount> touched{};
  for (const auto& batch : unit.batches) {
    const auto lane = static_cast<std::size_t>(batch.lane);
    if (lane >= wire::kLaneCount) return Error(Errc::kInternal, "no such lane");
    const std::uint64_t seq = next.next_seq[lane]++;
    TRY_VOID(database_.run(kInsertBatch, lane, seq, batch.n, batch.first_ts_ms, batch.last_ts_ms,
                           static_cast<int>(wire::Codec::kZstd), batch.body.size(),
                           sql::Blob(batch.body)));
    lane_bytes[lane] += batch.body.size();
    next.bytes += batch.body.size();
    touched[lane] = true;
    given.push_back(seq);
  }
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    if (!touched[lane]) continue;
    TRY_VOID(database_.run(kSetLane, next.next_seq[lane], lane_bytes[lane], lane));
  }
  return {};
}

Result<void> SqliteSpool::write_rest(const CommitUnit& unit, std::uint32_t& next_series_id) {
  for (const auto& source : unit.forgotten_sources) {
    TRY_VOID(database_.run(kDeleteCheckpoint, source));
  }
  for (const auto& checkpoint : unit.checkpoints) {
    TRY_VOID(database_.run(kSetCheckpoint, checkpoint.source, sql::Blob(checkpoint.state)));
  }
  for (const auto& definition : unit.new_series) {
    TRY_VOID(rows::insert_series(database_, definition));
    next_series_id = std::max(next_series_id, definition.id + 1);
  }
  if (next_series_id != next_series_id_) {
    TRY_VOID(database_.run(kSetNextSeries, next_series_id));
  }
  for (const auto& entry : unit.ledger) {
    TRY_VOID(rows::replace_ledger(database_, entry));
  }
  for (const auto& key : unit.forgotten_ledger) {
    TRY_VOID(database_.run(kDeleteLedger, key.source, static_cast<int>(key.lane)));
  }
  return {};
}

Result<std::vector<wire::Batch>> SqliteSpool::read(wire::Lane lane, std::uint64_t after,
                                                   std::size_t max_count, std::size_t max_bytes) {
  auto row = database_.query(kReadBatches, static_cast<int>(lane), after, max_count);
  if (!row) return translated(std::move(row).error());
  std::vector<wire::Batch> batches;
  std::size_t bytes = 0;
  for (;;) {
    auto more = row->step();
    if (!more) return translated(std::move(more).error());
    if (!*more) return batches;
    bytes += row->unsigned_integer(5);
    if (!batches.empty() && bytes > max_bytes) return batches;
    wire::Batch batch;
    batch.header.epoch = state_.epoch;
    batch.header.lane = lane;
    batch.header.seq = row->unsigned_integer(0);
    batch.header.n = row->integer32(1);
    batch.header.first_ts_ms = row->integer(2);
    batch.header.last_ts_ms = row->integer(3);
    batch.header.codec = static_cast<wire::Codec>(row->integer(4));
    batch.body = std::string(row->blob(6));
    batches.push_back(std::move(batch));
  }
}

Result<void> SqliteSpool::acknowledge(
    const std::array<std::uint64_t, wire::kLaneCount>& contiguous) {
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    if (contiguous[lane] < state_.next_seq[lane]) continue;
    // Deleting would lose what is here under numbers that the control plane has with other content.
    return Error(Errc::kInvalid, "batch " + std::to_string(contiguous[lane]) + " of lane " +
                                     std::to_string(lane) + " was acknowledged, only " +
                                     std::to_string(state_.next_seq[lane] - 1) +
                                     " were written: this spool is an old copy");
  }
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    while (state_.oldest_seq[lane] <= contiguous[lane]) {
      const std::uint64_t up_to =
          std::min(contiguous[lane], state_.oldest_seq[lane] + kDeleteChunk - 1);
      auto deleted = delete_up_to(lane, up_to);
      if (!deleted) return translated(std::move(deleted).error());
    }
  }
  return {};
}

Result<void> SqliteSpool::delete_up_to(std::size_t lane, std::uint64_t seq) {
  TRY_VOID(allow_pages(Depth::kRest));
  TRY(auto transaction, sql::Transaction::begin(database_));
  TRY(const auto bytes, database_.scalar(0, kBytesUpTo, lane, seq));
  const std::uint64_t left =
      lane_bytes_[lane] - std::min(lane_bytes_[lane], static_cast<std::uint64_t>(bytes));
  TRY_VOID(database_.run(kDeleteUpTo, lane, seq));
  TRY_VOID(database_.run(kSetLane, state_.next_seq[lane], left, lane));
  TRY_VOID(transaction.commit());
  state_.bytes -= lane_bytes_[lane] - left;
  lane_bytes_[lane] = left;
  state_.oldest_seq[lane] = seq + 1;
  return {};
}

Result<std::vector<SourceCheckpoint>> SqliteSpool::checkpoints() {
  auto all = all_checkpoints(database_);
  if (!all) return translated(std::move(all).error());
  return all;
}

Result<std::vector<wire::SeriesDefinition>> SqliteSpool::series() {
  auto all = rows::all_series(database_);
  if (!all) return translated(std::move(all).error());
  return all;
}

Result<void> SqliteSpool::forget_series(const std::vector<std::uint32_t>& ids) {
  const auto forget = [&]() -> Result<void> {
    TRY_VOID(allow_pages(Depth::kRest));
    TRY(auto transaction, sql::Transaction::begin(database_));
    for (const auto id : ids) {
      TRY_VOID(database_.run(kDeleteSeries, id));
    }
    return transaction.commit();
  };
  auto forgotten = forget();
  if (!forgotten) return translated(std::move(forgotten).error());
  return {};
}

Result<std::vector<wire::LedgerEntry>> SqliteSpool::ledger() {
  auto all = rows::all_ledger(database_);
  if (!all) return translated(std::move(all).error());
  return all;
}

Result<std::optional<std::string>> SqliteSpool::fact(const std::string& name) {
  auto row = database_.query("SELECT value FROM facts WHERE name=?", name);
  if (!row) return translated(std::move(row).error());
  auto found = row->step();
  if (!found) return translated(std::move(found).error());
  if (!*found) return std::optional<std::string>();
  return std::optional<std::string>(row->blob(0));
}

Result<void> SqliteSpool::set_fact(const std::string& name, const std::string& value) {
  auto allowed = allow_pages(Depth::kRest);
  if (!allowed) return translated(std::move(allowed).error());
  auto written = database_.run("INSERT OR REPLACE INTO facts(name, value) VALUES(?,?)", name,
                               sql::Blob(value));
  if (!written) return translated(std::move(written).error());
  return {};
}

}  // namespace observeai::agent
