#include "agent/spool/load.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <cerrno>

#include "agent/spool/rows.h"
#include "protocol/base/embedded.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/sql/migrator.h"

namespace observeai {
extern const EmbeddedFile kSpoolMigrations[];
extern const unsigned long kSpoolMigrationsCount;
}  // namespace observeai

namespace observeai::agent {
namespace {

constexpr std::uint32_t kApplicationId = 0x4F414953;  // "OAIS"

constexpr const char* kAllCheckpoints = "SELECT source, state FROM checkpoints ORDER BY source";
constexpr const char* kLaneState =
    "SELECT l.next_seq, l.bytes, (SELECT min(seq) FROM batches WHERE lane=l.lane),"
    " (SELECT max(seq) FROM batches WHERE lane=l.lane),"
    " (SELECT count(*) FROM batches WHERE lane=l.lane) FROM lanes l WHERE l.lane=?";

Result<Epoch> random_epoch() {
  Epoch epoch;
  if (::getrandom(epoch.bytes.data(), epoch.bytes.size(), 0) !=
      static_cast<ssize_t>(epoch.bytes.size())) {
    return files::from_errno("no randomness for a new spool", errno);
  }
  return epoch;
}

Result<void> create_meta(sql::Database& database, const Clock& clock) {
  TRY(auto transaction, sql::Transaction::begin(database));
  TRY(const auto rows, database.scalar(0, "SELECT count(*) FROM meta"));
  if (rows > 0) return {};
  TRY(const Epoch epoch, random_epoch());
  TRY_VOID(database.run("INSERT INTO meta(id, epoch, created_ms, next_series_id) VALUES(1,?,?,1)",
                        sql::Blob(epoch.bytes), clock.unix_ms()));
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    TRY_VOID(database.run("INSERT INTO lanes(lane, next_seq, bytes) VALUES(?,1,0)", lane));
  }
  return transaction.commit();
}

Result<void> check_every_page(sql::Database& database) {
  TRY(auto row, database.query("PRAGMA quick_check(1)"));
  TRY(const bool answered, row.step());
  if (answered && row.text(0) == "ok") return {};
  return Error(Errc::kCorrupt, database.path() + ": " + log::printable(row.text(0)));
}

// SQLite would make a new database of it, and nobody would hear that one is gone. (A first start that
// dies before its first page is on disk looks the same and is told as damage: once, of nothing.)
Result<void> check_not_emptied(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && info.st_size == 0)
    return Error(Errc::kCorrupt, path + " is empty");
  return {};
}

Result<sql::Database> open_database(const std::string& directory, const Clock& clock) {
  sql::OpenOptions options;
  options.exclusive = true;
  options.page_bytes = kSpoolPageBytes;
  options.cache_kib = 512;
  options.checkpoint_pages = kSpoolLogBytes / 2 / kSpoolPageBytes;
  options.keep_log_bytes = kSpoolLogBytes;
  TRY_VOID(check_not_emptied(directory + "/spool.db"));
  TRY(auto database, sql::Database::open(directory + "/spool.db", options));
  const sql::Migrator migrator({kSpoolMigrations, kSpoolMigrationsCount}, kApplicationId);
  TRY_VOID(migrator.apply(database));
  if (files::exists(suspect_mark(directory))) {
    TRY_VOID(check_every_page(database));
  }
  TRY_VOID(create_meta(database, clock));
  return database;
}

Result<void> load_meta(LoadedSpool& spool) {
  TRY(auto row, spool.database.query("SELECT epoch, next_series_id FROM meta WHERE id=1"));
  TRY(const bool found, row.step());
  auto& epoch = spool.state.epoch.bytes;
  if (!found || row.blob(0).size() != epoch.size()) {
    return Error(Errc::kCorrupt, spool.database.path() + ": no epoch");
  }
  std::memcpy(epoch.data(), row.blob(0).data(), epoch.size());
  spool.next_series_id = row.integer32(1);
  return {};
}

Result<void> load_lane(LoadedSpool& spool, std::size_t lane) {
  TRY(auto row, spool.database.query(kLaneState, lane));
  TRY(const bool found, row.step());
  if (!found) return Error(Errc::kCorrupt, spool.database.path() + ": a lane is missing");
  const std::uint64_t next = row.unsigned_integer(0);
  const std::uint64_t count = row.unsigned_integer(4);
  const bool whole = count == 0 || (row.unsigned_integer(3) + 1 == next &&
                                    row.unsigned_integer(2) + count == next);
  if (next == 0 || !whole) {
    return Error(Errc::kCorrupt, spool.database.path() + ": batches are missing");
  }
  spool.state.next_seq[lane] = next;
  spool.state.oldest_seq[lane] = next - count;
  spool.lane_bytes[lane] = row.unsigned_integer(1);
  spool.state.bytes += spool.lane_bytes[lane];
  return {};
}

}  // namespace

Result<LoadedSpool> load_spool(const std::string& directory, const Clock& clock) {
  TRY(auto database, open_database(directory, clock));
  LoadedSpool spool{std::move(database), {}, {}, 1};
  TRY_VOID(load_meta(spool));
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    TRY_VOID(load_lane(spool, lane));
  }
  TRY_VOID(all_checkpoints(spool.database));
  TRY_VOID(rows::all_series(spool.database));
  TRY_VOID(rows::all_ledger(spool.database));
  ignore(spool.database.reserve_log(kSpoolLogBytes), "only a help on a full disk");
  return spool;
}

Result<std::vector<SourceCheckpoint>> all_checkpoints(sql::Database& database) {
  TRY(auto row, database.query(kAllCheckpoints));
  std::vector<SourceCheckpoint> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    out.push_back({row.string(0), std::string(row.blob(1))});
  }
}

std::string suspect_mark(const std::string& directory) {
  return directory + "/spool.suspect";
}

}  // namespace observeai::agent
