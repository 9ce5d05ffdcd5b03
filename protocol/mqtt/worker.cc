#include "protocol/mqtt/worker.h"

namespace observeai::mqtt {

Worker::~Worker() {
  if (thread_.joinable()) thread_.join();
}

void Worker::run(std::function<void()> job) {
  {
    MutexLock lock(mutex_);
    jobs_.push_back(std::move(job));
    if (working_) return;
    working_ = true;
  }
  if (thread_.joinable()) thread_.join();  // It has left its loop: this does not wait.
  thread_ = std::thread([this] { work(); });
}

void Worker::work() {
  for (;;) {
    std::function<void()> job;
    {
      MutexLock lock(mutex_);
      if (jobs_.empty()) {
        working_ = false;
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace observeai::mqtt
