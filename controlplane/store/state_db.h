// state.db: one writer behind a mutex, readers beside it. Internal to controlplane/store.
#pragma once

#include <memory>
#include <string>

#include "controlplane/store/read_pool.h"
#include "protocol/base/thread_annotations.h"
#include "protocol/sql/database.h"

namespace observeai::controlplane::store {

// Thread-safe. Damage is told as kUnavailable: kCorrupt would mean the caller's bytes.
class StateDb {
 public:
  // kInvalid: made by a newer version; kDenied: not writable; kCorrupt: damaged.
  static Result<std::unique_ptr<StateDb>> open(const std::string& path);

  // Calls `writing` inside a transaction, which is committed when it succeeds and durable on return.
  template <class Writing>
  std::invoke_result_t<Writing, sql::Database&> write(Writing&& writing) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    sql::Database& writer = *writer_;
    auto result = [&]() -> std::invoke_result_t<Writing, sql::Database&> {
      TRY(auto transaction, sql::Transaction::begin(writer));
      auto written = writing(writer);
      if (!written) return written;
      TRY_VOID(transaction.commit());
      return written;
    }();
    if (!result) return translated(std::move(result).error());
    return result;
  }

  template <class Reading>
  std::invoke_result_t<Reading, sql::Database&> read(Reading&& reading) {
    auto result = readers_.read(std::forward<Reading>(reading));
    if (!result) return translated(std::move(result).error());
    return result;
  }

 private:
  StateDb(std::string path, std::unique_ptr<sql::Database> writer);
  static Error translated(Error error);

  Mutex mutex_;
  const std::unique_ptr<sql::Database> writer_ GUARDED_BY(mutex_);
  ReadPool readers_;
};

}  // namespace observeai::controlplane::store
