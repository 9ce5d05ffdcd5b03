// One SQL statement with its bound values and its current row.
//
// Lifetime: never outlives its Database. Going out of scope resets the statement, so that no lock is
// kept. One thread, the thread of its Database.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/base/result.h"

struct sqlite3_stmt;

namespace observeai::sql {

class Database;

// Marks bytes that are stored as a BLOB; plain string views are stored as TEXT.
struct Blob {
  explicit Blob(std::string_view text) : bytes(text) {}
  explicit Blob(std::span<const std::uint8_t> raw)
      : bytes(reinterpret_cast<const char*>(raw.data()), raw.size()) {}
  std::string_view bytes;
};

class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  ~Statement();

  // Index from 1. A failed bind (or an unsigned value above INT64_MAX) is reported by step(). Text and
  // blobs are copied unless the statement was made by Database::run().
  void bind(int index, std::int64_t value);
  void bind(int index, std::uint64_t value);
  void bind(int index, int value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, std::uint32_t value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, bool value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, double value);
  void bind(int index, std::string_view text);
  void bind(int index, const char* text) { bind(index, std::string_view(text)); }
  void bind(int index, const std::string& text) { bind(index, std::string_view(text)); }
  void bind(int index, const Blob& blob);
  void bind(int index, std::nullptr_t);
  template <class T>
  void bind(int index, const std::optional<T>& value) {
    value ? bind(index, *value) : bind(index, nullptr);
  }

  // True: a row is there. False: done, and the statement is reset. An error resets it too.
  Result<bool> step();
  // For the next use with other values; binds are forgotten.
  void reset();

  // Columns of the current row, from 0. Views live until the next step(), reset() or the end.
  std::int64_t integer(int column) const;
  std::uint64_t unsigned_integer(int column) const {
    return static_cast<std::uint64_t>(integer(column));
  }
  std::uint32_t integer32(int column) const { return static_cast<std::uint32_t>(integer(column)); }
  double real(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  std::string string(int column) const { return std::string(text(column)); }
  bool is_null(int column) const;

 private:
  friend class Database;
  // `in_use` is the cache's mark for this statement; null when the statement is ours to finalize.
  Statement(Database* database, sqlite3_stmt* statement, bool* in_use)
      : database_(database), statement_(statement), in_use_(in_use) {}
  void note(int code);

  Database* database_;
  sqlite3_stmt* statement_;
  bool* in_use_;
  bool copy_ = true;
  std::optional<Error> bind_error_;
};

}  // namespace observeai::sql
