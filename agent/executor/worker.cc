#include "agent/executor/worker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "agent/executor/server.h"
#include "protocol/base/files.h"

namespace observeai::agent::executor {

Result<std::unique_ptr<Worker>> Worker::create(Executor& executor) {
  UniqueFd done_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!done_fd) return files::from_errno("eventfd", errno);
  return std::unique_ptr<Worker>(new Worker(executor, std::move(done_fd)));
}

Worker::Worker(Executor& executor, UniqueFd done_fd)
    : executor_(executor),
      done_fd_(std::move(done_fd)),
      to_recover_(executor.has_to_recover()),
      thread_([this] { loop(); }) {}

Worker::~Worker() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  thread_.join();
  MutexLock lock(mutex_);
  for (auto& one : waiting_) executor_.turn_away(std::move(one.job));
}

bool Worker::add(std::uint64_t connection, std::unique_ptr<Executor::Job>& job) {
  MutexLock lock(mutex_);
  if (waiting_.size() >= kMaxWaiting) return false;
  waiting_.push_back({connection, std::move(job)});
  changed_.notify_all();
  return true;
}

bool Worker::idle() const {
  MutexLock lock(mutex_);
  const bool tries_soon = to_recover_ && tries_ < kQuickTries;
  return !at_work_ && !tries_soon && waiting_.empty() && done_.empty();
}

std::vector<Worker::Done> Worker::take_done() {
  std::uint64_t count = 0;
  // Nothing to read is fine: the list says what there is.
  if (::read(done_fd_.get(), &count, sizeof count) < 0 && errno != EAGAIN) return {};
  MutexLock lock(mutex_);
  return std::exchange(done_, {});
}

void Worker::put_done(std::uint64_t connection, Frame frame) {
  MutexLock lock(mutex_);
  done_.push_back({connection, std::move(frame)});
  at_work_ = false;
  wake_server();
}

void Worker::wake_server() const {
  const std::uint64_t one = 1;
  // Full means that it is readable already.
  while (::write(done_fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

std::chrono::minutes Worker::until_next_try() const {
  return to_recover_ && tries_ < kQuickTries ? kRecoverEvery : kRecoverLaterEvery;
}

void Worker::recover_again() {
  {
    MutexLock lock(mutex_);
    at_work_ = true;
  }
  const bool all = executor_.recover_again();
  MutexLock lock(mutex_);
  at_work_ = false;
  to_recover_ = !all;
  tries_ = all ? 0 : tries_ + 1;
  wake_server();
}

void Worker::loop() {
  for (;;) {
    Waiting next;
    {
      MutexLock lock(mutex_);
      if (waiting_.empty() && !stop_) changed_.wait_for(mutex_, until_next_try());
      if (stop_) return;
      if (!waiting_.empty()) {
        next = std::move(waiting_.front());
        waiting_.pop_front();
        at_work_ = true;
      }
    }
    if (!next.job) {
      recover_again();
      continue;
    }
    auto told = executor_.run(std::move(next.job));
    const bool left = executor_.has_to_recover();
    {
      MutexLock lock(mutex_);
      if (left && !to_recover_) tries_ = 0;
      to_recover_ = left;
    }
    put_done(next.connection, std::move(told));
  }
}

}  // namespace observeai::agent::executor
