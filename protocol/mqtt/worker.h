// A thread that exists only while there is work: for calls into Paho that may block (name
// resolution holds its global lock, closing waits for its threads).
#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "protocol/base/thread_annotations.h"

namespace observeai::mqtt {

// run() and the destructor belong to one thread; jobs run one after another on the worker's own.
class Worker {
 public:
  Worker() = default;
  ~Worker();  // Finishes what was given, then joins.
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void run(std::function<void()> job) EXCLUDES(mutex_);

 private:
  void work() EXCLUDES(mutex_);

  Mutex mutex_;
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mutex_);
  bool working_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace observeai::mqtt
