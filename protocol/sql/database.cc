#include "protocol/sql/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>

#include "protocol/base/check.h"
#include "protocol/base/files.h"

namespace observeai::sql {
namespace {

// SQL texts are constants of the repositories; more than this would be SQL made at run time.
constexpr std::size_t kMaxCachedStatements = 256;

struct CachedStatement {
  sqlite3_stmt* statement = nullptr;
  bool in_use = false;
};

bool means_disk_full(int error_number) {
  return error_number == ENOSPC || error_number == EDQUOT;
}

Errc to_errc(int code, int error_number) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
      return Errc::kLimit;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return Errc::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::kCorrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Errc::kDenied;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return Errc::kInvalid;
    case SQLITE_CANTOPEN:
      if (error_number == ENOENT) return Errc::kNotFound;
      if (error_number == EMFILE || error_number == ENFILE) return Errc::kUnavailable;
      return means_disk_full(error_number) ? Errc::kLimit : Errc::kDenied;
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_CORRUPTFS || code == SQLITE_IOERR_DATA) return Errc::kCorrupt;
      return means_disk_full(error_number) ? Errc::kLimit : Errc::kUnavailable;
    default:
      return Errc::kInternal;
  }
}

// SQLite would make the file with the umask's mode; state is for its owner alone.
Result<void> create_private(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor >= 0) {
    ::close(descriptor);
    return {};
  }
  if (errno == EEXIST) return {};
  return files::from_errno("cannot create " + path, errno);
}

}  // namespace

struct Database::Impl {
  std::string path;
  sqlite3* handle = nullptr;
  std::unordered_map<std::string, CachedStatement>
      statements;  // Never erased: Statement points into it

  ~Impl() {
    for (auto& [sql, cached] : statements) {
      CHECK(!cached.in_use);
      sqlite3_finalize(cached.statement);
    }
    sqlite3_close_v2(handle);
  }
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const std::string& path, const OpenOptions& options) {
  if (!options.read_only && options.create) {
    TRY_VOID(create_private(path));
  }
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  const int flags = (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &impl->handle, flags, nullptr);
  Database database(std::move(impl));
  if (code != SQLITE_OK) return database.error(code, "open");
  TRY_VOID(database.configure(options));
  return database;
}

Result<void> Database::configure(const OpenOptions& options) {
  sqlite3_busy_timeout(impl_->handle, static_cast<int>(options.busy_timeout.count()));
  // SQLite opens a file it may not write read-only, silently.
  if (!options.read_only && sqlite3_db_readonly(impl_->handle, "main") == 1) {
    return Error(Errc::kDenied, impl_->path + ": not writable");
  }
  // First of all: what is read before it would be read through a shared memory file.
  std::string pragmas = options.exclusive ? "PRAGMA locking_mode=EXCLUSIVE;" : "";
  pragmas += "PRAGMA cache_size=-" + std::to_string(options.cache_kib) +
             ";PRAGMA temp_store=MEMORY;PRAGMA trusted_schema=OFF"
             ";PRAGMA cell_size_check=ON;PRAGMA foreign_keys=ON;";
  if (!options.read_only) {
    // Debian's SQLite overwrites what it deletes: every acknowledged byte would be written once
    // more.
    pragmas +=
        "PRAGMA secure_delete=OFF;PRAGMA page_size=" + std::to_string(options.page_bytes) +
        ";PRAGMA synchronous=" + (options.synchronous == Synchronous::kFull ? "FULL" : "NORMAL") +
        ";PRAGMA wal_autocheckpoint=" + std::to_string(options.checkpoint_pages) +
        ";PRAGMA journal_size_limit=" + std::to_string(options.keep_log_bytes) + ";";
  }
  TRY_VOID(execute(pragmas));
  if (options.read_only) return {};
  TRY(auto mode, query("PRAGMA journal_mode=WAL"));
  TRY(const bool answered, mode.step());
  if (!answered || mode.text(0) != "wal") {
    return Error(Errc::kUnavailable, impl_->path + ": cannot use write-ahead logging here");
  }
  // A database that was made in another mode, or only now, is changed when the statement ends.
  TRY_VOID(mode.step());
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  CachedStatement* cached = nullptr;
  if (const auto found = impl_->statements.find(std::string(sql));
      found != impl_->statements.end()) {
    cached = &found->second;
  } else if (impl_->statements.size() < kMaxCachedStatements) {
    cached = &impl_->statements[std::string(sql)];
  }
  if (cached != nullptr && cached->in_use) cached = nullptr;  // Nested use of the same text
  if (cached == nullptr || cached->statement == nullptr) {
    sqlite3_stmt* made = nullptr;
    const int code =
        sqlite3_prepare_v3(impl_->handle, sql.data(), static_cast<int>(sql.size()),
                           cached != nullptr ? SQLITE_PREPARE_PERSISTENT : 0, &made, nullptr);
    if (code != SQLITE_OK) return error(code, sql);
    if (made == nullptr) return Error(Errc::kInternal, impl_->path + ": empty statement");
    if (cached == nullptr) return Statement(this, made, nullptr);
    cached->statement = made;
  }
  cached->in_use = true;
  return Statement(this, cached->statement, &cached->in_use);
}

Result<std::int64_t> Database::finish(Statement& statement) {
  for (;;) {
    TRY(const bool more, statement.step());
    if (!more) return sqlite3_changes64(statement.database_->impl_->handle);
  }
}

Result<void> Database::execute(const std::string& script) {
  const int code = sqlite3_exec(impl_->handle, script.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, script);
  return {};
}

std::int64_t Database::last_insert_rowid() const {
  return sqlite3_last_insert_rowid(impl_->handle);
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(impl_->handle) == 0;
}

const std::string& Database::path() const {
  return impl_->path;
}

Result<void> Database::set_max_pages(std::uint64_t pages) {
  return execute("PRAGMA max_page_count=" + std::to_string(pages));
}

Result<std::uint64_t> Database::page_count() {
  TRY(const auto pages, scalar(0, "PRAGMA page_count"));
  return static_cast<std::uint64_t>(pages);
}

Result<std::uint64_t> Database::free_page_count() {
  TRY(const auto pages, scalar(0, "PRAGMA freelist_count"));
  return static_cast<std::uint64_t>(pages);
}

Result<void> Database::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(impl_->handle, nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, "checkpoint");
  return {};
}

void Database::leave_log_on_close() {
  sqlite3_db_config(impl_->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Result<void> Database::reserve_log(std::uint64_t bytes) {
  // Not the database's own file: closing a descriptor of that would drop SQLite's locks.
  const std::string path = impl_->path + "-wal";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return files::from_errno("cannot open " + path, errno);
  const int outcome = ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes));
  const int error_number = errno;
  ::close(descriptor);
  if (outcome != 0) return files::from_errno("cannot reserve space for " + path, error_number);
  return {};
}

Error Database::error(int code, std::string_view doing) const {
  const int error_number = impl_->handle != nullptr ? sqlite3_system_errno(impl_->handle) : 0;
  const int primary = code & 0xFF;
  const bool from_system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  const Errc errc = to_errc(code, error_number);
  std::string message = impl_->path + ": " + sqlite3_errstr(code);
  if (from_system && error_number != 0)
    message += std::string(" (") + std::strerror(error_number) + ")";
  // For what a person can mend, the statement is noise; for a bug it is the only clue.
  if (errc == Errc::kInternal || errc == Errc::kInvalid) {
    message += std::string(": ") + sqlite3_errmsg(impl_->handle) + " in: ";
    message += doing.substr(0, 200);
  }
  return Error(errc, std::move(message));
}

Result<Transaction> Transaction::begin(Database& database) {
  TRY_VOID(database.run("BEGIN IMMEDIATE"));
  return Transaction(&database);
}

Result<Transaction> Transaction::begin_read(Database& database) {
  TRY_VOID(database.run("BEGIN"));
  return Transaction(&database);
}

Transaction::~Transaction() {
  // Some failures (disk full) roll back by themselves.
  if (database_ == nullptr || !database_->in_transaction()) return;
  ignore(database_->run("ROLLBACK"), "a rollback that fails is done when the log is read again");
}

Result<void> Transaction::commit() {
  TRY_VOID(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace observeai::sql
