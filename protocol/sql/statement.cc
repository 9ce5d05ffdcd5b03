#include "protocol/sql/statement.h"

#include <sqlite3.h>

#include <limits>

#include "protocol/sql/database.h"

namespace observeai::sql {

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(other.statement_),
      in_use_(other.in_use_),
      copy_(other.copy_),
      bind_error_(std::move(other.bind_error_)) {
  other.statement_ = nullptr;
  other.in_use_ = nullptr;
}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  if (in_use_ == nullptr) {
    sqlite3_finalize(statement_);
    return;
  }
  reset();
  *in_use_ = false;
}

void Statement::note(int code) {
  if (code != SQLITE_OK && !bind_error_) bind_error_ = database_->error(code, "bind a value");
}

void Statement::bind(int index, std::int64_t value) {
  note(sqlite3_bind_int64(statement_, index, value));
}

void Statement::bind(int index, std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    if (!bind_error_) {
      bind_error_ = Error(Errc::kInvalid, database_->path() + ": number too large to be stored");
    }
    return;
  }
  bind(index, static_cast<std::int64_t>(value));
}

void Statement::bind(int index, double value) {
  note(sqlite3_bind_double(statement_, index, value));
}

void Statement::bind(int index, std::string_view text) {
  // A null pointer would be stored as NULL.
  const char* data = text.data() != nullptr ? text.data() : "";
  note(sqlite3_bind_text64(statement_, index, data, text.size(),
                           copy_ ? SQLITE_TRANSIENT : SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind(int index, const Blob& blob) {
  const char* data = blob.bytes.data() != nullptr ? blob.bytes.data() : "";
  note(sqlite3_bind_blob64(statement_, index, data, blob.bytes.size(),
                           copy_ ? SQLITE_TRANSIENT : SQLITE_STATIC));
}

void Statement::bind(int index, std::nullptr_t) {
  note(sqlite3_bind_null(statement_, index));
}

Result<bool> Statement::step() {
  if (bind_error_) {
    Error error = std::move(*bind_error_);
    reset();
    return error;
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  Error error = database_->error(code, sqlite3_sql(statement_));
  sqlite3_reset(statement_);
  return error;
}

void Statement::reset() {
  sqlite3_reset(statement_);  // Repeats the error of the last step, which step() returned.
  sqlite3_clear_bindings(statement_);
  bind_error_.reset();
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* data = sqlite3_column_text(statement_, column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view Statement::blob(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

}  // namespace observeai::sql
