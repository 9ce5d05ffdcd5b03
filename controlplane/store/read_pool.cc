#include "controlplane/store/read_pool.h"

namespace observeai::controlplane::store {

Result<std::unique_ptr<sql::Database>> ReadPool::borrow() {
  {
    MutexLock lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  sql::OpenOptions options;
  options.read_only = true;
  options.cache_kib = 1024;
  TRY(auto database, sql::Database::open(path_, options));
  return std::make_unique<sql::Database>(std::move(database));
}

void ReadPool::give_back(std::unique_ptr<sql::Database> connection) {
  MutexLock lock(mutex_);
  if (idle_.size() < keep_) idle_.push_back(std::move(connection));
}

void ReadPool::set_keep(std::size_t keep) {
  MutexLock lock(mutex_);
  keep_ = keep;
  if (idle_.size() > keep_) idle_.resize(keep_);
}

}  // namespace observeai::controlplane::store
