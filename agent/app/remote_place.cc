#include "agent/app/remote_place.h"

#include <utility>

namespace observeai::agent {

RemotePlace::RemotePlace(std::shared_ptr<const Clock> clock, LogCollectorOptions options)
    : clock_(std::move(clock)),
      collector_(std::make_unique<LogCollector>(*clock_, std::move(options))) {}

void RemotePlace::post(News news) {
  const MutexLock lock(mutex_);
  if (news.mounts) news_.mounts = std::move(news.mounts);
  if (news.checkpoints) news_.checkpoints = std::move(news.checkpoints);
  if (news.patterns) news_.patterns = std::move(news.patterns);
  if (news.containers) news_.containers = std::move(news.containers);
  if (news.committed) news_.committed = news.committed;
}

void RemotePlace::learn() {
  News news;
  {
    const MutexLock lock(mutex_);
    news = std::exchange(news_, {});
  }
  if (news.committed.value_or(false)) {
    collector_->committed();
  } else {
    collector_->rollback();
  }
  // In this order: what is listed goes on at its checkpoint.
  if (news.mounts) collector_->set_mounts(std::move(news.mounts));
  if (news.checkpoints) collector_->restore(*news.checkpoints);
  if (news.patterns) collector_->set_patterns(std::move(*news.patterns));
  if (news.containers) collector_->set_containers(*news.containers);
}

void RemotePlace::work(std::size_t max_bytes) {
  if (read_) return;
  learn();
  if (max_bytes == 0) return collector_->enforce_limits();
  collector_->on_wake();
  read_ = collector_->read(max_bytes);
  more_ = collector_->more();
  elsewhere_ = collector_->patterns_elsewhere();
}

void RemotePlace::close() {
  collector_.reset();
}

std::optional<LogRead> RemotePlace::take() {
  return std::exchange(read_, std::nullopt);
}

}  // namespace observeai::agent
