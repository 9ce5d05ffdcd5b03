// Work that may hang (statfs on a dead mount, a bus that does not answer) runs here, on a worker
// thread with a deadline; the loop goes on. A thread that hangs cannot be stopped, so a resource
// that holds one is refused until it returns: at most one stuck thread for each name, at most
// max_threads in all.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/runtime/async_clock.h"
#include "agent/runtime/co.h"
#include "agent/runtime/loop.h"

namespace observeai::agent {

// run() and the readers belong to the loop thread. Threads start when first needed. The destructor
// joins idle workers and leaves busy ones behind, for they may be stuck. Loop and clock must
// outlive the pool; the pool must outlive the loop's last run.
class BlockingPool {
 public:
  struct Options {
    std::size_t max_threads = 4;  // Each costs a stack; four different things may hang at once.
    std::size_t max_queued =
        32;  // Jobs that wait for a worker; each waits no longer than its deadline.
  };
  struct Counters {
    std::uint64_t finished = 0;
    std::uint64_t timed_out = 0;          // The caller gave up on a running job.
    std::uint64_t refused_busy = 0;       // The resource was still held by an earlier call.
    std::uint64_t refused_no_worker = 0;  // No worker became free in time, or the queue was full.
    std::uint64_t returned_late = 0;      // A job given up on came back after all.
    std::size_t threads = 0;
    std::size_t stuck = 0;  // Now
  };

  BlockingPool(Loop& loop, AsyncClock& clock, Options options);
  BlockingPool(Loop& loop, AsyncClock& clock) : BlockingPool(loop, clock, Options()) {}
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // The result of `work`; kTimeout after `deadline`; kUnavailable at once while an earlier call for
  // `resource` has not returned, or when no worker is free. `work` runs on another thread and may
  // outlive the caller: it must own what it touches. What it throws becomes kInternal.
  template <class T>
  boost::asio::awaitable<Result<T>> run(std::string resource, std::chrono::milliseconds deadline,
                                        std::function<Result<T>()> work) {
    auto slot = std::make_shared<std::optional<Result<T>>>();
    std::function<void()> fill = [slot, work = std::move(work)] { slot->emplace(work()); };
    auto ended = co_await run_erased(std::move(resource), deadline, std::move(fill));
    if (!ended) co_return std::move(ended).error();
    co_return std::move(**slot);
  }

  Counters counters() const;
  std::size_t queued() const;  // Jobs that no worker has taken yet.
  // Names of resources whose call was given up on and has not returned.
  std::vector<std::string> stuck() const;

 private:
  struct Job;
  struct State;
  boost::asio::awaitable<Result<void>> run_erased(std::string resource,
                                                  std::chrono::milliseconds deadline,
                                                  std::function<void()> work);
  static void work_until_closed(std::shared_ptr<State> state, std::size_t index);
  Result<void> admit(const std::shared_ptr<Job>& job);
  Result<void> give_up(const std::shared_ptr<Job>& job, std::chrono::milliseconds deadline);

  Loop& loop_;
  AsyncClock& clock_;
  std::shared_ptr<State> state_;
};

}  // namespace observeai::agent
