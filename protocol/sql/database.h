// One connection to one SQLite database.
//
// Threads: a connection and its statements belong to one thread at a time; SQLite's own mutexes are
// off. Failure: every error names the file; see error codes in README.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/sql/statement.h"

struct sqlite3;

namespace observeai::sql {

enum class Synchronous {
  kNormal,  // A commit survives a crash of the program, not a power cut.
  kFull,    // A commit survives a power cut.
};

struct OpenOptions {
  bool read_only = false;
  bool create = true;      // Mode 0600; ignored when read_only
  bool exclusive = false;  // No other connection, of any process; needs no shared memory file
  Synchronous synchronous = Synchronous::kFull;
  std::chrono::milliseconds busy_timeout{5'000};
  std::uint32_t page_bytes = 4096;  // Of a new database
  std::uint32_t cache_kib = 2048;
  std::uint32_t checkpoint_pages = 1000;  // The log is copied back when it is this long
  std::int64_t keep_log_bytes =
      -1;  // A longer log file is cut to this when it starts over; -1 never
};

// WAL mode always; a database that was made in another mode is changed to it. Not moved while it has
// statements or a transaction.
class Database {
 public:
  // kNotFound: missing and not to be created; kDenied: not readable or not writable as asked;
  // kUnavailable: in use by another; kCorrupt: not a database.
  static Result<Database> open(const std::string& path, const OpenOptions& options);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();  // Statements must be gone.

  // The statement for `sql`, prepared once and kept. A second one of the same text may be in use.
  Result<Statement> prepare(std::string_view sql);

  // Binds `values` from 1 and hands over the statement before its first step.
  template <class... Values>
  Result<Statement> query(std::string_view sql, const Values&... values) {
    auto statement = prepare(sql);
    if (statement) bind_all(*statement, values...);
    return statement;
  }
  // Runs to the end; returns the rows changed. Values are not copied.
  template <class... Values>
  Result<std::int64_t> run(std::string_view sql, const Values&... values) {
    TRY(auto statement, prepare(sql));
    statement.copy_ = false;
    bind_all(statement, values...);
    return finish(statement);
  }
  // The first column of the first row, `otherwise` when there is no row or it is NULL.
  template <class... Values>
  Result<std::int64_t> scalar(std::int64_t otherwise, std::string_view sql,
                              const Values&... values) {
    TRY(auto statement, query(sql, values...));
    TRY(const bool found, statement.step());
    return found && !statement.is_null(0) ? statement.integer(0) : otherwise;
  }
  // Several statements without values: schema, pragmas.
  Result<void> execute(const std::string& script);

  std::int64_t last_insert_rowid() const;
  bool in_transaction() const;
  const std::string& path() const;

  // The quota: growing beyond it fails with kLimit. Cheap; never shrinks the file.
  Result<void> set_max_pages(std::uint64_t pages);
  Result<std::uint64_t> page_count();       // Of the file, free pages included
  Result<std::uint64_t> free_page_count();  // Free inside the file
  // Copies the log back into the database as far as readers allow. kLimit when the disk is full.
  Result<void> checkpoint();
  // Closing does not copy the log back and leaves it, with the space set aside for it: for a database
  // that is removed or opened again next.
  void leave_log_on_close();
  // Sets disk space aside for the log, so that small transactions work on a full disk. kUnavailable
  // where the file system cannot. The database has been read or written before.
  Result<void> reserve_log(std::uint64_t bytes);

 private:
  friend class Statement;
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  template <class... Values>
  static void bind_all(Statement& statement, const Values&... values) {
    int index = 0;
    (statement.bind(++index, values), ...);
  }
  static Result<std::int64_t> finish(Statement& statement);
  Result<void> configure(const OpenOptions& options);
  Error error(int code, std::string_view doing) const;

  std::unique_ptr<Impl> impl_;
};

// Rolls back when it is destroyed without commit(). Not nested.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database);       // Takes the write lock at once
  static Result<Transaction> begin_read(Database& database);  // One snapshot for several queries
  Transaction(Transaction&& other) noexcept : database_(other.database_) {
    other.database_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  // After a failure nothing of the transaction is stored.
  Result<void> commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

}  // namespace observeai::sql
