#include "agent/spool/segment.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "agent/spool/batch_head.h"
#include "protocol/base/embedded.h"
#include "protocol/base/text.h"
#include "protocol/sql/migrator.h"

namespace observeai {
extern const EmbeddedFile kSpoolMigrations[];
extern const unsigned long kSpoolMigrationsCount;
}  // namespace observeai

namespace observeai::agent {
namespace {

constexpr std::uint32_t kApplicationId = 0x4F414947;  // "OAIG"
constexpr std::array<const char*, 2> kStateTables{"state", "state_copy"};

sql::OpenOptions database_options(const SegmentOptions& options) {
  sql::OpenOptions out;
  out.exclusive = true;
  out.page_bytes = kSegmentPageBytes;
  out.cache_kib = options.cache_kib;
  out.checkpoint_pages = static_cast<std::uint32_t>(options.log_bytes / kSegmentPageBytes);
  out.keep_log_bytes = static_cast<std::int64_t>(2 * options.log_bytes);
  return out;
}

Result<void> migrate(sql::Database& database) {
  return sql::Migrator({kSpoolMigrations, kSpoolMigrationsCount}, kApplicationId).apply(database);
}

bool is_damage(const Error& error) {
  return error.code() == Errc::kCorrupt;
}

}  // namespace

// ---- files -------------------------------------------------------------------------------------

std::string segment_name(std::size_t lane, std::uint64_t number) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "l%zu-%08llu.db", lane,
                static_cast<unsigned long long>(number));
  return text.data();
}

std::optional<SegmentFile> parse_segment_name(std::string_view name) {
  if (name.size() < 7 || name[0] != 'l' || name[2] != '-' || !name.ends_with(".db"))
    return std::nullopt;
  const auto number = text::parse_u64(name.substr(3, name.size() - 6));
  const auto lane = static_cast<std::size_t>(name[1] - '0');
  if (!number || lane >= wire::kLaneCount || name != segment_name(lane, *number))
    return std::nullopt;
  return SegmentFile{lane, *number};
}

bool remove_segment(const std::string& path) {
  // The database first: a log without its database is known for rubbish.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return false;
  return ::unlink((path + "-wal").c_str()) == 0 || errno == ENOENT;
}

std::uint64_t segment_bytes_on_disk(const std::string& path) {
  std::uint64_t bytes = 0;
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) bytes += static_cast<std::uint64_t>(info.st_size);
  if (::stat((path + "-wal").c_str(), &info) == 0)
    bytes += static_cast<std::uint64_t>(info.st_size);
  return bytes;
}

// ---- opening -----------------------------------------------------------------------------------

Result<Segment> Segment::create(const std::string& path, const SegmentOptions& options) {
  if (!remove_segment(path)) {
    return Error(Errc::kUnavailable, "cannot remove " + path + ": " + std::strerror(errno));
  }
  TRY(auto database, sql::Database::open(path, database_options(options)));
  TRY_VOID(migrate(database));
  return Segment(std::move(database));
}

Result<Segment> Segment::open(const std::string& path, const SegmentOptions& options) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return Error(errno == ENOENT ? Errc::kNotFound : Errc::kUnavailable,
                 path + ": " + std::strerror(errno));
  }
  // SQLite takes an empty file for a new database. (One that is in its log alone has no content yet.)
  if (segment_bytes_on_disk(path) == 0) return Error(Errc::kCorrupt, path + " is empty");
  auto database_option = database_options(options);
  database_option.create = false;
  auto opened = sql::Database::open(path, database_option);
  if (!opened && opened.error().code() == Errc::kNotFound) {
    // It is there: what is missing is something else, perhaps only now.
    return Error(Errc::kUnavailable, opened.error().message());
  }
  TRY(auto database, std::move(opened));
  const auto schema = migrate(database);
  if (!schema) {
    // Of another kind altogether: as good as unreadable. A newer version says so in its own words.
    const bool foreign = schema.error().message().find("not a database") != std::string::npos;
    return foreign ? Error(Errc::kCorrupt, schema.error().message()) : schema.error();
  }
  return Segment(std::move(database));
}

// ---- writing -----------------------------------------------------------------------------------

Result<void> Segment::set_meta(const SegmentMeta& meta) {
  TRY_VOID(database_.run(
      "INSERT INTO meta(id, epoch, lane, number, first_seq, created_ms) VALUES(1,?,?,?,?,?)",
      sql::Blob(meta.epoch.bytes), meta.lane, meta.number, meta.first_seq, meta.created_ms));
  return {};
}

Result<void> Segment::set_progress(const SegmentProgress& progress) {
  TRY_VOID(database_.run(
      "INSERT OR REPLACE INTO progress(id, revision, next_seq, next_series_id) VALUES(1,?,?,?)",
      progress.revision, progress.next_seq, progress.next_series_id));
  return {};
}

Result<void> Segment::add_batch(std::uint64_t seq, std::string_view head, std::string_view body) {
  TRY_VOID(database_.run("INSERT INTO batches(seq, head) VALUES(?,?)", seq, sql::Blob(head)));
  TRY_VOID(database_.run("INSERT INTO bodies(seq, head, body) VALUES(?,?,?)", seq, sql::Blob(head),
                         sql::Blob(body)));
  return {};
}

Result<void> Segment::add_carried(std::uint64_t seq, std::uint64_t beside, std::string_view head,
                                  std::string_view body) {
  TRY_VOID(database_.run("INSERT INTO carried(seq, beside, head, body) VALUES(?,?,?,?)", seq,
                         beside, sql::Blob(head), sql::Blob(body)));
  return {};
}

Result<void> Segment::drop_carried_above(std::uint64_t seq) {
  TRY_VOID(database_.run("DELETE FROM carried WHERE seq>?", seq));
  return {};
}

Result<void> Segment::add_known(std::uint64_t seq, std::string_view head) {
  TRY_VOID(
      database_.run("INSERT OR REPLACE INTO known(seq, head) VALUES(?,?)", seq, sql::Blob(head)));
  return {};
}

Result<void> Segment::add_lost(std::uint64_t seq, const std::string& reason,
                               std::string_view head) {
  TRY_VOID(database_.run("INSERT OR REPLACE INTO lost(seq, reason, head) VALUES(?,?,?)", seq,
                         reason, sql::Blob(head)));
  return {};
}

Result<void> Segment::set_state(const StateKey& key, std::string_view value) {
  const std::string stored = with_checksum(std::string(value));
  for (const char* table : kStateTables) {
    TRY_VOID(database_.run(
        std::string("INSERT OR REPLACE INTO ") + table + "(kind, key, value) VALUES(?,?,?)",
        static_cast<int>(key.first), key.second, sql::Blob(stored)));
  }
  return {};
}

Result<void> Segment::drop_state(const StateKey& key) {
  for (const char* table : kStateTables) {
    TRY_VOID(database_.run(std::string("DELETE FROM ") + table + " WHERE kind=? AND key=?",
                           static_cast<int>(key.first), key.second));
  }
  return {};
}

// ---- reading -----------------------------------------------------------------------------------

Result<SegmentMeta> Segment::meta() {
  TRY(auto row,
      database_.query("SELECT epoch, lane, number, first_seq, created_ms FROM meta WHERE id=1"));
  TRY(const bool found, row.step());
  SegmentMeta meta;
  auto& epoch = meta.epoch.bytes;
  if (!found || row.blob(0).size() != epoch.size()) {
    return Error(Errc::kCorrupt, path() + ": was not begun whole");
  }
  std::memcpy(epoch.data(), row.blob(0).data(), epoch.size());
  meta.lane = static_cast<std::size_t>(row.integer(1));
  meta.number = row.unsigned_integer(2);
  meta.first_seq = row.unsigned_integer(3);
  meta.created_ms = row.integer(4);
  return meta;
}

Result<SegmentProgress> Segment::progress() {
  TRY(auto row,
      database_.query("SELECT revision, next_seq, next_series_id FROM progress WHERE id=1"));
  TRY(const bool found, row.step());
  if (!found) return Error(Errc::kCorrupt, path() + ": no progress");
  return SegmentProgress{row.unsigned_integer(0), row.unsigned_integer(1), row.integer32(2)};
}

Result<SegmentRow> Segment::row(const char* query, std::uint64_t seq) {
  TRY(auto row, database_.query(query, seq));
  TRY(const bool found, row.step());
  if (!found) return Error(Errc::kNotFound, path() + ": no batch " + std::to_string(seq));
  return SegmentRow{std::string(row.blob(0)), std::string(row.blob(1))};
}

Result<SegmentRow> Segment::batch(std::uint64_t seq) {
  return row("SELECT head, body FROM bodies WHERE seq=?", seq);
}

Result<SegmentRow> Segment::carried(std::uint64_t seq) {
  return row("SELECT head, body FROM carried WHERE seq=?", seq);
}

std::optional<std::string> Segment::blob(const char* query, std::uint64_t seq) {
  auto row = database_.query(query, seq);
  if (!row) return std::nullopt;
  const auto found = row->step();
  if (!found || !*found || !without_checksum(row->blob(0))) return std::nullopt;
  return std::string(row->blob(0));
}

std::optional<std::string> Segment::head(std::uint64_t seq) {
  if (auto head = blob("SELECT head FROM batches WHERE seq=?", seq)) return head;
  return blob("SELECT head FROM bodies WHERE seq=?", seq);
}

std::optional<std::string> Segment::known(std::uint64_t seq) {
  return blob("SELECT head FROM known WHERE seq=?", seq);
}

std::optional<std::pair<std::string, std::string>> Segment::lost(std::uint64_t seq) {
  auto row = database_.query("SELECT reason, head FROM lost WHERE seq=?", seq);
  if (!row) return std::nullopt;
  const auto found = row->step();
  if (!found || !*found) return std::nullopt;
  return std::pair{row->string(0), std::string(row->blob(1))};
}

Result<bool> Segment::each_head(const TakeHead& take) {
  bool complete = true;
  std::uint64_t after = 0;
  for (const char* query : {"SELECT seq, head FROM batches WHERE seq>? ORDER BY seq",
                            "SELECT seq, head FROM bodies WHERE seq>? ORDER BY seq"}) {
    auto row = database_.query(query, after);
    for (;;) {
      if (!row && !is_damage(row.error())) return std::move(row).error();
      auto more = row ? row->step() : Result<bool>(row.error());
      if (!more && !is_damage(more.error())) return std::move(more).error();
      if (!more) complete = false;
      if (!more || !*more) break;
      after = row->unsigned_integer(0);
      take(after, row->blob(1));
    }
    if (complete) return true;
  }
  return false;
}

Result<bool> Segment::each_known(const TakeHead& take) {
  auto row = database_.query("SELECT seq, head FROM known ORDER BY seq");
  for (;;) {
    auto more = row ? row->step() : Result<bool>(row.error());
    if (!more && is_damage(more.error())) return false;
    if (!more) return std::move(more).error();
    if (!*more) return true;
    take(row->unsigned_integer(0), row->blob(1));
  }
}

Result<bool> Segment::each_lost(
    const std::function<void(std::uint64_t, std::string_view, std::string_view)>& take) {
  auto row = database_.query("SELECT seq, reason, head FROM lost ORDER BY seq");
  for (;;) {
    auto more = row ? row->step() : Result<bool>(row.error());
    if (!more && is_damage(more.error())) return false;
    if (!more) return std::move(more).error();
    if (!*more) return true;
    take(row->unsigned_integer(0), row->text(1), row->blob(2));
  }
}

Result<std::vector<std::uint64_t>> Segment::carried_by(std::uint64_t last_beside) {
  std::vector<std::uint64_t> numbers;
  auto row = database_.query("SELECT seq FROM carried WHERE beside<=? ORDER BY seq", last_beside);
  for (;;) {
    auto more = row ? row->step() : Result<bool>(row.error());
    if (!more && !is_damage(more.error())) return std::move(more).error();
    if (!more || !*more) return numbers;
    numbers.push_back(row->unsigned_integer(0));
  }
}

Result<Segment::State> Segment::state() {
  State out;
  for (const char* table : kStateTables) {
    auto row = database_.query(std::string("SELECT kind, key, value FROM ") + table);
    bool whole = true;
    for (;;) {
      auto more = row ? row->step() : Result<bool>(row.error());
      if (!more && !is_damage(more.error())) return std::move(more).error();
      if (!more) whole = false;
      if (!more || !*more) break;
      auto value = without_checksum(row->blob(2));
      if (!value) {
        whole = false;
        continue;
      }
      out.rows.try_emplace({static_cast<StateKind>(row->integer(0)), row->string(1)},
                           std::move(*value));
    }
    if (whole) return out;  // The first copy is enough; or the second one filled the gaps.
  }
  out.complete = false;
  return out;
}

Result<std::uint64_t> Segment::next_seq() {
  std::uint64_t next = 0;
  for (const char* query :
       {"SELECT next_seq FROM progress WHERE id=1", "SELECT max(seq)+1 FROM batches",
        "SELECT max(seq)+1 FROM bodies", "SELECT first_seq FROM meta WHERE id=1"}) {
    const auto value = database_.scalar(0, query);
    if (value) {
      next = std::max(next, static_cast<std::uint64_t>(*value));
    } else if (!is_damage(value.error())) {
      return value.error();
    }
  }
  if (next == 0) return Error(Errc::kCorrupt, path() + ": no number can be read");
  return next;
}

}  // namespace observeai::agent
