#include "agent/executor/ledger.h"

#include <algorithm>

#include "protocol/signing/sealing.h"
#include "protocol/sql/migrator.h"
#include "protocol/wire/command_codec.h"

namespace observeai {
extern const EmbeddedFile kExecutorMigrations[];
extern const unsigned long kExecutorMigrationsCount;
}  // namespace observeai

namespace observeai::agent::executor {
namespace {

constexpr std::uint32_t kApplicationId = 0x0b5e'1ed6;
constexpr std::uint32_t kCacheKib = 128;
constexpr std::uint32_t kCheckpointPages = 128;
constexpr std::int64_t kKeepLogBytes = 1 << 20;
constexpr std::int64_t kWhenever = INT64_MAX;

wire::Digest digest_from(std::string_view bytes) {
  wire::Digest out{};
  if (bytes.size() == out.size()) std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

wire::Bytes16 id_from(std::string_view bytes) {
  wire::Bytes16 out{};
  if (bytes.size() == out.size()) std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Error none_changed() {
  return Error(Errc::kInternal, "the ledger does not hold this command in this state");
}

}  // namespace

Result<Ledger> Ledger::open(const std::string& path, const wire::Bytes16& enrollment,
                            LedgerLimits limits) {
  sql::OpenOptions options;
  options.exclusive = true;
  options.synchronous = sql::Synchronous::kFull;
  options.cache_kib = kCacheKib;
  options.checkpoint_pages = kCheckpointPages;
  options.keep_log_bytes = kKeepLogBytes;
  TRY(auto database, sql::Database::open(path, options));
  const sql::Migrator migrator({kExecutorMigrations, kExecutorMigrationsCount}, kApplicationId);
  TRY_VOID(migrator.apply(database));
  TRY_VOID(database.set_max_pages(limits.pages));
  Ledger ledger(std::move(database), limits);
  TRY_VOID(ledger.enter(enrollment));
  return ledger;
}

Result<void> Ledger::enter(const wire::Bytes16& enrollment) {
  // The first write: a ledger that cannot be written shows before any command comes.
  TRY_VOID(
      database_.run("INSERT INTO sequence (id, enrollment, highest) VALUES (1, ?, 0)"
                    " ON CONFLICT (id) DO UPDATE SET"
                    " highest = CASE WHEN enrollment = excluded.enrollment THEN highest ELSE 0 END,"
                    " enrollment = excluded.enrollment",
                    sql::Blob(enrollment)));
  return {};
}

Result<std::optional<Ledger::Known>> Ledger::find(const wire::Bytes16& id) {
  TRY(auto row,
      database_.query("SELECT sha256, state, result FROM commands WHERE id = ?", sql::Blob(id)));
  TRY(const bool found, row.step());
  if (!found) return std::optional<Known>();
  Known known;
  known.sha256 = digest_from(row.blob(0));
  known.state = static_cast<State>(row.integer(1));
  known.result = std::string(row.blob(2));
  return std::optional<Known>(std::move(known));
}

Result<std::uint64_t> Ledger::highest_sequence() {
  TRY(const auto highest, database_.scalar(0, "SELECT highest FROM sequence WHERE id = 1"));
  return static_cast<std::uint64_t>(highest);
}

Result<void> Ledger::receive(const Entry& entry) {
  TRY_VOID(check_waiting());
  auto entered = enter_row(entry);
  if (entered || entered.error().code() != Errc::kLimit) return entered;
  TRY_VOID(prune(entry.received_ms));
  entered = enter_row(entry);
  if (entered || entered.error().code() != Errc::kLimit) return entered;
  TRY_VOID(make_room(kWhenever));
  return enter_row(entry);
}

Result<void> Ledger::check_waiting() {
  TRY(const auto waiting,
      database_.scalar(0, "SELECT count(*) FROM commands WHERE state < 3 OR spooled = 0"));
  if (waiting >= kMaxUnspooled)
    return Error(Errc::kLimit, std::to_string(waiting) +
                                   " results wait to be fetched by the agent: is it running?");
  TRY(const auto bytes,
      database_.scalar(
          0, "SELECT total(length(result)) FROM commands WHERE state = 3 AND spooled = 0"));
  const auto most = static_cast<std::int64_t>(limits_.pages * kLedgerPageBytes / 4 * 3);
  if (bytes >= most)
    return Error(Errc::kLimit, "results of " + std::to_string(bytes >> 20) +
                                   " MiB wait to be fetched by the agent: is it running?");
  return {};
}

Result<void> Ledger::enter_row(const Entry& entry) {
  TRY(auto transaction, sql::Transaction::begin(database_));
  TRY_VOID(
      database_.run("INSERT INTO commands (id, sha256, seq, execute, state, received_ms, draft)"
                    " VALUES (?, ?, ?, ?, 1, ?, ?)",
                    sql::Blob(entry.id), sql::Blob(entry.sha256), entry.seq, entry.execute,
                    entry.received_ms, sql::Blob(entry.draft)));
  TRY_VOID(database_.run("UPDATE sequence SET highest = max(highest, ?) WHERE id = 1", entry.seq));
  return transaction.commit();
}

Result<void> Ledger::start(const Start& start) {
  TRY(auto transaction, sql::Transaction::begin(database_));
  TRY(const auto changed,
      database_.run("UPDATE commands SET state = 2, target = ?, action = ?, started_ms = ?,"
                    " draft = ? WHERE id = ? AND state = 1",
                    start.target, start.action, start.now_ms, sql::Blob(start.draft),
                    sql::Blob(start.id)));
  if (changed != 1) return none_changed();
  TRY_VOID(
      database_.run("INSERT INTO recoveries (command, target, action, state)"
                    " VALUES (?, ?, ?, ?)",
                    sql::Blob(start.id), start.target, start.action, start.state));
  TRY_VOID(database_.run("INSERT INTO executed (leaf, started_ms) VALUES (?, ?)",
                         sql::Blob(start.leaf), start.now_ms));
  return transaction.commit();
}

Result<bool> Ledger::was_started(const wire::Digest& leaf) {
  TRY(const auto count,
      database_.scalar(0, "SELECT count(*) FROM executed WHERE leaf = ?", sql::Blob(leaf)));
  return count > 0;
}

Result<void> Ledger::finish(const wire::Bytes16& id, std::string_view result, bool recover_later) {
  const auto stored = set_done(id, result, recover_later);
  if (stored || stored.error().code() != Errc::kLimit) return stored;
  TRY_VOID(make_room(kWhenever));
  return set_done(id, result, recover_later);
}

Result<void> Ledger::set_done(const wire::Bytes16& id, std::string_view result,
                              bool recover_later) {
  const auto sha256 = signing::sha256(result);
  TRY(auto transaction, sql::Transaction::begin(database_));
  TRY(const auto changed,
      database_.run("UPDATE commands SET state = 3, draft = x'', result = ?, result_sha256 = ?"
                    " WHERE id = ? AND state < 3",
                    sql::Blob(result), sql::Blob(sha256), sql::Blob(id)));
  if (changed != 1) return none_changed();
  if (!recover_later) {
    TRY_VOID(recovered(id));
  }
  return transaction.commit();
}

Result<std::size_t> Ledger::finish_interrupted(const Sign& sign) {
  std::vector<Unfinished> rows;
  {
    TRY(auto open, database_.query("SELECT id, state, draft FROM commands WHERE state < 3"
                                   " ORDER BY seq"));
    for (;;) {
      TRY(const bool more, open.step());
      if (!more) break;
      rows.push_back(
          {id_from(open.blob(0)), static_cast<State>(open.integer(1)), std::string(open.blob(2))});
    }
  }
  for (const auto& row : rows) {
    TRY(const auto result, sign(row));
    TRY_VOID(finish(row.id, result, true));
  }
  return rows.size();
}

Result<std::vector<Ledger::Recovery>> Ledger::recoveries() {
  TRY(auto row, database_.query("SELECT command, target, action, state FROM recoveries"
                                " ORDER BY rowid"));
  std::vector<Recovery> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    out.push_back({id_from(row.blob(0)), std::string(row.text(1)), std::string(row.text(2)),
                   std::string(row.text(3))});
  }
}

Result<void> Ledger::recovered(const wire::Bytes16& command) {
  TRY_VOID(database_.run("DELETE FROM recoveries WHERE command = ?", sql::Blob(command)));
  return {};
}

Result<std::vector<std::string>> Ledger::unspooled(std::size_t count, std::size_t bytes) {
  TRY(auto row, database_.query("SELECT result FROM commands WHERE state = 3 AND spooled = 0"
                                " ORDER BY seq LIMIT ?",
                                static_cast<std::int64_t>(count)));
  std::vector<std::string> results;
  std::size_t total = 0;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return results;
    total += row.blob(0).size();
    if (!results.empty() && total > bytes) return results;
    results.emplace_back(row.blob(0));
  }
}

Result<void> Ledger::mark_spooled(const wire::Digest& sha256) {
  TRY_VOID(database_.run("UPDATE commands SET spooled = 1 WHERE result_sha256 = ? AND state = 3",
                         sql::Blob(sha256)));
  return {};
}

Result<void> Ledger::prune(std::int64_t now_ms) {
  const std::int64_t retention_ms = std::chrono::milliseconds(kLedgerRetention).count();
  TRY_VOID(database_.run("DELETE FROM commands WHERE state = 3 AND spooled = 1 AND received_ms < ?",
                         now_ms - retention_ms));
  // Fewer than are remembered: the minimum is NULL, and nothing goes.
  TRY_VOID(database_.run(
      "DELETE FROM executed WHERE started_ms < min(?, (SELECT started_ms"
      " FROM executed ORDER BY started_ms DESC LIMIT 1 OFFSET ?))",
      now_ms - std::chrono::milliseconds(kApprovalMemory).count(), limits_.remembered_starts - 1));
  return make_room(now_ms - std::chrono::milliseconds(kSparedFor).count());
}

Result<void> Ledger::make_room(std::int64_t began_before_ms) {
  TRY(const auto rows,
      database_.scalar(0, "SELECT count(*) FROM commands WHERE state = 3 AND spooled = 1"));
  TRY(const auto pages, database_.page_count());
  TRY(const auto free_pages, database_.free_page_count());
  std::int64_t surplus = std::max<std::int64_t>(rows - kMaxLedgerRows, 0);
  // Half of the quota is for results that are still to come.
  if (pages - free_pages > limits_.pages / 2) surplus = std::max(surplus, rows / 2);
  if (surplus == 0) return {};
  TRY_VOID(database_.run(
      "DELETE FROM commands WHERE id IN (SELECT id FROM commands WHERE state = 3 AND spooled = 1"
      " AND (started_ms = 0 OR started_ms < ?) ORDER BY started_ms > 0, seq LIMIT ?)",
      began_before_ms, surplus));
  return {};
}

Result<std::int64_t> Ledger::started_since(std::int64_t since_ms) {
  return database_.scalar(
      0, "SELECT count(*) FROM commands WHERE started_ms > ? AND started_ms > 0 AND execute = 1",
      since_ms);
}

Result<std::int64_t> Ledger::started_since(std::int64_t since_ms, const std::string& action) {
  return database_.scalar(0,
                          "SELECT count(*) FROM commands WHERE started_ms > ? AND started_ms > 0"
                          " AND execute = 1 AND action = ?",
                          since_ms, action);
}

Result<std::optional<std::int64_t>> Ledger::last_started(const std::string& target) {
  TRY(const auto at, database_.scalar(0,
                                      "SELECT max(started_ms) FROM commands"
                                      " WHERE started_ms > 0 AND execute = 1 AND target = ?",
                                      target));
  if (at == 0) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(at);
}

}  // namespace observeai::agent::executor
