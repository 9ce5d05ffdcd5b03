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
  if (news.plan != 0) news_.plan = news.plan;
  news_.let_go.insert(news_.let_go.end(), news.let_go.begin(), news.let_go.end());
}

RemotePlace::News RemotePlace::take_news() {
  const MutexLock lock(mutex_);
  return std::exchange(news_, {});
}

void RemotePlace::learn() {
  News news = take_news();
  end_read(news);
  if (news.plan != 0) plan_ = news.plan;
  // In this order: what is listed goes on at its checkpoint.
  for (const auto& source : news.let_go) collector_->let_go(source);
  if (news.mounts) collector_->set_mounts(std::move(news.mounts));
  if (news.checkpoints) {
    collector_->restore(*news.checkpoints,
                        news.containers ? *news.containers : std::vector<ObservedContainer>());
  }
  if (news.patterns) collector_->set_patterns(std::move(*news.patterns));
  if (news.containers) collector_->set_containers(*news.containers);
}

void RemotePlace::end_read(const News& news) {
  if (news.committed.value_or(false)) {
    collector_->committed();
  } else {
    collector_->rollback();
  }
}

bool RemotePlace::work(std::size_t max_bytes) {
  if (broken_) return false;
  if (read_) return true;
  broken_ = true;  // Unless the end is reached
  learn();
  if (max_bytes == 0) {
    collector_->enforce_limits();
  } else {
    collector_->on_wake();
    auto read = collector_->read(max_bytes);
    more_ = collector_->more();
    source_count_ = collector_->source_count();
    invalid_checkpoints_ = collector_->invalid_checkpoints();
    elsewhere_ = collector_->patterns_elsewhere();
    read_ = std::move(read);
  }
  broken_ = false;
  return true;
}

void RemotePlace::close() {
  read_.reset();
  if (!collector_) return;
  if (!broken_) {
    end_read(take_news());
    read_ = collector_->let_go_all();
  }
  collector_.reset();
}

std::optional<LogRead> RemotePlace::take() {
  return std::exchange(read_, std::nullopt);
}

}  // namespace observeai::agent
