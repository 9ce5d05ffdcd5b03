#include "controlplane/store/partition.h"

#include <filesystem>

#include "protocol/base/embedded.h"
#include "protocol/sql/migrator.h"
#include "protocol/wire/batch_codec.h"

namespace observeai {
extern const EmbeddedFile kTelemetryMigrations[];
extern const unsigned long kTelemetryMigrationsCount;
}  // namespace observeai

namespace observeai::controlplane::store {
namespace {

constexpr std::uint32_t kApplicationId = 0x4F414954;  // "OAIT"
constexpr std::size_t kIdleReaders = 2;
constexpr std::uint32_t kCheckpointPages = 4000;  // 16 MiB: chunks are large
constexpr std::size_t kMaxKnownTargets = 100'000;

constexpr const char* kFindHash = "SELECT hash FROM batches WHERE epoch_no=? AND lane=? AND seq=?";
constexpr const char* kInsertBatch =
    "INSERT INTO batches(epoch_no, lane, seq, hash, n, codec) VALUES(?,?,?,?,?,?)";
constexpr const char* kInsertSamples =
    "INSERT INTO sample_chunks(no, epoch_no, first_ms, last_ms, codec, body) VALUES(?,?,?,?,?,?)";
constexpr const char* kInsertLogs = "INSERT INTO log_chunks(no, codec, body) VALUES(?,?,?)";
constexpr const char* kInsertSpan =
    "INSERT INTO log_index(epoch_no, target_no, last_ns, chunk, first_ns, n) VALUES(?,?,?,?,?,?)";
constexpr const char* kInsertAccount = "INSERT INTO accounts(no, body) VALUES(?,?)";
constexpr const char* kInsertOrigin =
    "INSERT OR IGNORE INTO origins(epoch, lane, seq, hash) VALUES(?,?,?,?)";
constexpr const char* kAllOrigins = "SELECT epoch, lane, seq, hash FROM origins";
constexpr const char* kFindTarget = "SELECT no FROM targets WHERE target=?";
constexpr const char* kInsertTarget = "INSERT INTO targets(target) VALUES(?)";
constexpr const char* kLoadBounds = "SELECT first_ms, last_ms FROM bounds WHERE id=1";
constexpr const char* kSetBounds =
    "INSERT OR REPLACE INTO bounds(id, first_ms, last_ms) VALUES(1,?,?)";
// Not waiting: the committing thread does this.
constexpr const char* kEmptyLog = "PRAGMA busy_timeout=0; PRAGMA wal_checkpoint(TRUNCATE)";
constexpr const char* kAllBatches = "SELECT epoch_no, lane, seq, n FROM batches ORDER BY no";
constexpr const char* kAllSpans =
    "SELECT b.epoch_no, b.lane, b.seq, i.n, t.target FROM log_index i JOIN batches b ON "
    "b.no=i.chunk"
    " JOIN targets t ON t.no=i.target_no";
constexpr const char* kAllAccounts =
    "SELECT b.epoch_no, b.lane, b.seq, b.n, a.body FROM accounts a JOIN batches b ON b.no=a.no";

BatchRow batch_from(const sql::Statement& row) {
  BatchRow batch;
  batch.epoch_no = row.integer(0);
  batch.lane = static_cast<wire::Lane>(row.integer(1));
  batch.seq = row.unsigned_integer(2);
  batch.n = row.unsigned_integer(3);
  return batch;
}

}  // namespace

Result<std::optional<ContentHash>> find_hash(sql::Database& db, std::int64_t epoch_no,
                                             wire::Lane lane, std::uint64_t seq) {
  TRY(auto row, db.query(kFindHash, epoch_no, static_cast<int>(lane), seq));
  TRY(const bool found, row.step());
  if (!found) return std::optional<ContentHash>();
  TRY(const auto hash, hash_from(row.blob(0)));
  return std::optional<ContentHash>(hash);
}

Partition::Partition(std::string path, std::int64_t start_ms)
    : path_(std::move(path)), start_ms_(start_ms), readers_(path_, kIdleReaders) {}

Result<std::shared_ptr<Partition>> Partition::open(std::string path, std::int64_t start_ms) {
  std::shared_ptr<Partition> partition(new Partition(std::move(path), start_ms));
  sql::OpenOptions options;
  options.cache_kib = 8192;
  options.checkpoint_pages = kCheckpointPages;
  TRY(auto database, sql::Database::open(partition->path_, options));
  const sql::Migrator migrator({kTelemetryMigrations, kTelemetryMigrationsCount}, kApplicationId);
  TRY_VOID(migrator.apply(database));
  partition->writer_ = std::make_unique<sql::Database>(std::move(database));
  TRY_VOID(partition->load_bounds());
  return partition;
}

Result<void> Partition::load_bounds() {
  TRY(auto row, writer_->query(kLoadBounds));
  TRY(const bool found, row.step());
  MutexLock lock(mutex_);
  if (found) bounds_ = {row.integer(0), row.integer(1)};
  pending_bounds_ = bounds_;
  return {};
}

TimeBounds Partition::bounds() const {
  MutexLock lock(mutex_);
  return bounds_;
}

std::uint64_t Partition::bytes_on_disk() const {
  std::uint64_t bytes = 0;
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path_ + suffix, error);
    if (!error) bytes += size;
  }
  return bytes;
}

Result<std::optional<ContentHash>> Partition::hash_of(std::int64_t epoch_no, wire::Lane lane,
                                                      std::uint64_t seq) {
  return find_hash(*writer_, epoch_no, lane, seq);
}

Result<std::int64_t> Partition::insert_batch(const BatchRow& batch) {
  TRY_VOID(writer_->run(kInsertBatch, batch.epoch_no, static_cast<int>(batch.lane), batch.seq,
                        sql::Blob(batch.hash), batch.n, static_cast<int>(batch.codec)));
  return writer_->last_insert_rowid();
}

Result<void> Partition::insert_samples(std::int64_t no, std::int64_t epoch_no,
                                       const TimeBounds& bounds, const wire::Batch& batch) {
  TRY_VOID(writer_->run(kInsertSamples, no, epoch_no, bounds.first_ms, bounds.last_ms,
                        static_cast<int>(batch.header.codec), sql::Blob(batch.body)));
  return {};
}

Result<void> Partition::insert_logs(std::int64_t no, std::int64_t epoch_no,
                                    const std::vector<LogSpan>& spans, const wire::Batch& batch) {
  TRY_VOID(
      writer_->run(kInsertLogs, no, static_cast<int>(batch.header.codec), sql::Blob(batch.body)));
  for (const auto& span : spans) {
    TRY(const auto target, target_no(span.target));
    TRY_VOID(writer_->run(kInsertSpan, epoch_no, target, span.last_ns, no, span.first_ns, span.n));
  }
  return {};
}

Result<void> Partition::insert_account(std::int64_t no, const wire::LossNotice& account) {
  TRY(const auto body, wire::encode_loss(account));
  TRY_VOID(writer_->run(kInsertAccount, no, sql::Blob(std::string_view(body))));
  return {};
}

Result<void> Partition::insert_origin(const MovedContent& moved) {
  TRY_VOID(writer_->run(kInsertOrigin, sql::Blob(moved.epoch.bytes), static_cast<int>(moved.lane),
                        moved.seq, sql::Blob(moved.hash)));
  return {};
}

Result<std::vector<MovedContent>> Partition::origins() {
  return read([](sql::Database& db) -> Result<std::vector<MovedContent>> {
    std::vector<MovedContent> out;
    TRY(auto row, db.query(kAllOrigins));
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return out;
      MovedContent moved;
      TRY(moved.epoch, epoch_from(row.blob(0)));
      moved.lane = static_cast<wire::Lane>(row.integer(1));
      moved.seq = row.unsigned_integer(2);
      TRY(moved.hash, hash_from(row.blob(3)));
      out.push_back(moved);
    }
  });
}

Result<std::int64_t> Partition::target_no(const wire::Target& target) {
  if (const auto known = target_nos_.find(target); known != target_nos_.end()) return known->second;
  TRY(auto no, writer_->scalar(-1, kFindTarget, target));
  if (no < 0) {
    TRY_VOID(writer_->run(kInsertTarget, target));
    no = writer_->last_insert_rowid();
  }
  if (target_nos_.size() >= kMaxKnownTargets) target_nos_.clear();
  target_nos_[target] = no;
  return no;
}

Result<void> Partition::widen_bounds(const TimeBounds& bounds) {
  if (bounds.first_ms >= pending_bounds_.first_ms && bounds.last_ms <= pending_bounds_.last_ms)
    return {};
  pending_bounds_.include(bounds.first_ms, bounds.last_ms);
  TRY_VOID(writer_->run(kSetBounds, pending_bounds_.first_ms, pending_bounds_.last_ms));
  return {};
}

void Partition::committed() {
  MutexLock lock(mutex_);
  bounds_ = pending_bounds_;
}

void Partition::abandoned() {
  target_nos_.clear();
  MutexLock lock(mutex_);
  pending_bounds_ = bounds_;
}

void Partition::close_writer() {
  target_nos_.clear();
  readers_.set_keep(0);
  if (!writer_) {
    sql::OpenOptions options;
    options.create = false;
    if (auto again = sql::Database::open(path_, options)) {
      writer_ = std::make_unique<sql::Database>(std::move(*again));
    }
  }
  if (writer_) ignore(writer_->execute(kEmptyLog), "has_log() tells");
  writer_.reset();
}

bool Partition::has_log() const {
  std::error_code error;
  const auto size = std::filesystem::file_size(path_ + "-wal", error);
  return !error && size > 0;
}

Result<void> replay(sql::Database& db, const Replay& into) {
  {
    TRY(auto row, db.query(kAllBatches));
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) break;
      into.on_batch(batch_from(row));
    }
  }
  {
    TRY(auto row, db.query(kAllSpans));
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) break;
      into.on_logs(batch_from(row), row.string(4), row.unsigned_integer(3));
    }
  }
  TRY(auto row, db.query(kAllAccounts));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    TRY(const auto account, wire::decode_loss(row.blob(4)));
    into.on_account(batch_from(row), account);
  }
}

}  // namespace observeai::controlplane::store
