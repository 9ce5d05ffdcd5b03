// Runs the executor's jobs, one at a time, on a thread of its own; between them it tries again what could not
// be put right after an interruption: every minute, after kQuickTries every hour.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "agent/executor/executor.h"
#include "agent/executor/unique_fd.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::agent::executor {

inline constexpr std::chrono::minutes kRecoverEvery{1};
inline constexpr std::chrono::minutes kRecoverLaterEvery{60};
inline constexpr int kQuickTries = 15;

class Worker {
 public:
  struct Done {
    std::uint64_t connection = 0;
    Frame frame;
  };

  // kInternal: no descriptor left.
  static Result<std::unique_ptr<Worker>> create(Executor& executor);
  // Waits for the job at work; those that wait are turned away.
  ~Worker();

  // False: too many wait; the job is untouched.
  bool add(std::uint64_t connection, std::unique_ptr<Executor::Job>& job);
  // Nothing is at work, waits, or is to be put right within a minute.
  bool idle() const;
  // Readable when take_done() has something, or idle() is another.
  int done_fd() const { return done_fd_.get(); }
  std::vector<Done> take_done();

 private:
  Worker(Executor& executor, UniqueFd done_fd);
  void loop();
  void recover_again() EXCLUDES(mutex_);
  void wake_server() const;
  std::chrono::minutes until_next_try() const REQUIRES(mutex_);
  void put_done(std::uint64_t connection, Frame frame);

  struct Waiting {
    std::uint64_t connection = 0;
    std::unique_ptr<Executor::Job> job;
  };
  Executor& executor_;
  const UniqueFd done_fd_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
  std::vector<Done> done_ GUARDED_BY(mutex_);
  bool at_work_ GUARDED_BY(mutex_) = false;
  bool to_recover_ GUARDED_BY(mutex_);
  int tries_ GUARDED_BY(mutex_) = 0;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace observeai::agent::executor
