// Read-only connections to one database, kept for the next reader. Internal to controlplane/store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "protocol/base/thread_annotations.h"
#include "protocol/sql/database.h"

namespace observeai::controlplane::store {

// Thread-safe; each borrowed connection belongs to one reader.
class ReadPool {
 public:
  // At most `keep` idle connections stay open.
  ReadPool(std::string path, std::size_t keep) : path_(std::move(path)), keep_(keep) {}

  // Calls `reading` with a connection inside one read transaction: all its queries see one state.
  template <class Reading>
  auto read(Reading&& reading) -> std::invoke_result_t<Reading, sql::Database&> {
    TRY(auto connection, borrow());
    auto result = [&]() -> std::invoke_result_t<Reading, sql::Database&> {
      TRY(auto transaction, sql::Transaction::begin_read(*connection));
      return reading(*connection);
    }();
    // A connection that met an error is not trusted with the next reader.
    if (result) give_back(std::move(connection));
    return result;
  }

  // Fewer or none: for a file that will rarely be read again.
  void set_keep(std::size_t keep);

 private:
  Result<std::unique_ptr<sql::Database>> borrow();
  void give_back(std::unique_ptr<sql::Database> connection);

  const std::string path_;
  Mutex mutex_;
  std::size_t keep_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<sql::Database>> idle_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane::store
