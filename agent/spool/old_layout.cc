#include "agent/spool/old_layout.h"

#include <sys/stat.h>

#include <cstring>

#include "agent/spool/checksum.h"
#include "agent/spool/state_values.h"
#include "protocol/base/files.h"
#include "protocol/sql/packed.h"

namespace observeai::agent {
namespace {

constexpr std::int64_t kApplicationId = 0x4F414953;  // "OAIS"
constexpr std::int64_t kVersion = 1;                 // There was no other one

constexpr const char* kLaneState =
    "SELECT l.next_seq, (SELECT min(seq) FROM batches WHERE lane=l.lane),"
    " (SELECT max(seq) FROM batches WHERE lane=l.lane),"
    " (SELECT count(*) FROM batches WHERE lane=l.lane) FROM lanes l WHERE l.lane=?";

std::size_t lane_index(wire::Lane lane) {
  return static_cast<std::size_t>(lane);
}

Result<wire::SeriesDefinition> series_in(const sql::Statement& row) {
  wire::SeriesDefinition series;
  series.id = row.integer32(0);
  series.target = row.string(1);
  series.name = row.string(2);
  series.kind = static_cast<wire::MetricKind>(row.integer(4));
  for (sql::Unpacker unpacker(row.blob(3)); !unpacker.done();) {
    TRY(auto name, unpacker.next());
    TRY(auto value, unpacker.next());
    series.labels.push_back({std::move(name), std::move(value)});
  }
  return series;
}

Result<wire::LedgerEntry> ledger_in(const sql::Statement& row) {
  wire::LedgerEntry entry;
  entry.source = row.string(0);
  entry.lane = static_cast<wire::Lane>(row.unsigned_integer(1) % wire::kLaneCount);
  entry.as_of_seq = row.unsigned_integer(2);
  entry.records_read = row.unsigned_integer(3);
  entry.bytes_read = row.unsigned_integer(4);
  entry.records_spooled = row.unsigned_integer(5);
  TRY(entry.records_dropped, sql::unpack_counts(row.blob(6)));
  TRY(entry.bytes_dropped, sql::unpack_counts(row.blob(7)));
  return entry;
}

BatchHead head_in(const sql::Statement& row) {
  BatchHead head;
  head.n = row.integer32(0);
  head.first_ts_ms = row.integer(1);
  head.last_ts_ms = row.integer(2);
  head.size = row.integer32(3);
  return head;
}

// Calls take(row) for each row.
template <class Take>
Result<void> each(sql::Database& database, const char* query, const Take& take) {
  TRY(auto row, database.query(query));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    TRY_VOID(take(row));
  }
}

}  // namespace

std::string OldSpool::path_in(const std::string& directory) {
  return directory + "/spool.db";
}

Result<OldSpool> OldSpool::open(const std::string& directory) {
  const std::string path = path_in(directory);
  if (!files::exists(path)) return Error(Errc::kNotFound, path + " is not there");
  sql::OpenOptions options;
  options.create = false;
  options.exclusive = true;
  options.cache_kib = 256;
  TRY(auto database, sql::Database::open(path, options));
  TRY(const auto version, database.scalar(0, "PRAGMA user_version"));
  TRY(const auto owner, database.scalar(0, "PRAGMA application_id"));
  if (owner != kApplicationId || version == 0) {
    return Error(Errc::kCorrupt, path + ": not a database of this program, or emptied");
  }
  if (version > kVersion) {
    return Error(Errc::kInvalid, path + ": made by a newer version: database has " +
                                     std::to_string(version) + ", this program knows " +
                                     std::to_string(kVersion));
  }
  return OldSpool(std::move(database));
}

Result<OldSpool::Content> OldSpool::content() {
  Content content;
  {
    TRY(auto row, database_.query("SELECT epoch, next_series_id FROM meta WHERE id=1"));
    TRY(const bool found, row.step());
    auto& epoch = content.epoch.bytes;
    if (!found || row.blob(0).size() != epoch.size()) {
      return Error(Errc::kCorrupt, database_.path() + ": no epoch");
    }
    std::memcpy(epoch.data(), row.blob(0).data(), epoch.size());
    content.next_series_id = row.integer32(1);
  }
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    TRY_VOID(read_lane(lane, content));
  }
  TRY_VOID(read_state(content));
  return content;
}

Result<void> OldSpool::read_lane(std::size_t lane, Content& content) {
  TRY(auto row, database_.query(kLaneState, lane));
  TRY(const bool found, row.step());
  if (!found) return Error(Errc::kCorrupt, database_.path() + ": a lane is missing");
  const std::uint64_t next = row.unsigned_integer(0);
  const std::uint64_t count = row.unsigned_integer(3);
  const bool whole = count == 0 || (row.unsigned_integer(2) + 1 == next &&
                                    row.unsigned_integer(1) + count == next);
  if (next == 0 || !whole) return Error(Errc::kCorrupt, database_.path() + ": batches are missing");
  content.next_seq[lane] = next;
  content.oldest_seq[lane] = next - count;
  return {};
}

Result<void> OldSpool::read_state(Content& content) {
  auto& logs = content.state[lane_index(wire::Lane::kLogs)];
  auto& metrics = content.state[lane_index(wire::Lane::kMetrics)];
  auto& control = content.state[lane_index(wire::Lane::kControl)];
  TRY_VOID(each(database_, "SELECT source, state FROM checkpoints", [&](auto& row) -> Result<void> {
    logs[checkpoint_key(row.string(0))] = std::string(row.blob(1));
    return {};
  }));
  TRY_VOID(each(database_, "SELECT name, value FROM facts", [&](auto& row) -> Result<void> {
    control[fact_key(row.string(0))] = std::string(row.blob(1));
    return {};
  }));
  TRY_VOID(each(database_, "SELECT id, target, name, labels, kind FROM series",
                [&](auto& row) -> Result<void> {
                  TRY(const auto series, series_in(row));
                  metrics[series_key(series.id)] = pack_series(series);
                  return {};
                }));
  return each(database_,
              "SELECT source, lane, as_of_seq, records_read, bytes_read, records_spooled,"
              " records_dropped, bytes_dropped FROM ledger",
              [&](auto& row) -> Result<void> {
                TRY(const auto entry, ledger_in(row));
                content.state[lane_index(entry.lane)][ledger_key(entry.source)] =
                    pack_ledger(entry);
                return {};
              });
}

Result<std::vector<std::uint32_t>> OldSpool::sizes(std::size_t lane) {
  std::vector<std::uint32_t> sizes;
  TRY(auto row, database_.query("SELECT size FROM batches WHERE lane=? ORDER BY seq", lane));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return sizes;
    sizes.push_back(row.integer32(0));
  }
}

Result<OldSpool::Row> OldSpool::batch(std::size_t lane, std::uint64_t seq) {
  TRY(auto row, database_.query("SELECT n, first_ts_ms, last_ts_ms, size, body FROM batches"
                                " WHERE lane=? AND seq=?",
                                lane, seq));
  TRY(const bool found, row.step());
  if (!found) return Error(Errc::kNotFound, database_.path() + ": no such batch");
  Row out;
  out.head = head_in(row);
  out.body = std::string(row.blob(4));
  out.head.checksum = checksum64(out.body);
  return out;
}

std::optional<BatchHead> OldSpool::head(std::size_t lane, std::uint64_t seq) {
  auto row = database_.query(
      "SELECT n, first_ts_ms, last_ts_ms, size FROM batches WHERE lane=? AND seq=?", lane, seq);
  if (!row) return std::nullopt;
  const auto found = row->step();
  if (!found || !*found) return std::nullopt;
  return head_in(*row);
}

}  // namespace observeai::agent
