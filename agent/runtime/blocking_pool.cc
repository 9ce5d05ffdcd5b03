#include "agent/runtime/blocking_pool.h"

#include <boost/asio/io_context.hpp>
#include <deque>
#include <exception>
#include <thread>

#include "protocol/base/text.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::agent {

namespace asio = boost::asio;

struct BlockingPool::Job {
  enum class Phase { kQueued, kRunning, kDone };

  Job(std::string name, std::function<void()> function, WallTime now,
      std::weak_ptr<Notifier> waiter)
      : resource(std::move(name)), work(std::move(function)), since(now), done(std::move(waiter)) {}

  const std::string resource;
  std::function<void()> work;
  const WallTime since;
  // The caller's, to be used on the loop: a stuck job may outlive the loop that the notifier needs.
  const std::weak_ptr<Notifier> done;
  // Guarded by State::mutex:
  Phase phase = Phase::kQueued;
  bool abandoned = false;
  std::string failure;  // What the work threw.
};

// Shared with the workers, so that one that is stuck may outlive the pool.
struct BlockingPool::State {
  State(Loop& the_loop, Options the_options) : loop(the_loop), options(the_options) {}

  Loop& loop;  // Not to be touched once closed.
  const Options options;
  Mutex mutex;
  ConditionVariable ready;
  bool closed GUARDED_BY(mutex) = false;
  std::deque<std::shared_ptr<Job>> queue GUARDED_BY(mutex);
  std::map<std::string, std::shared_ptr<Job>> held
      GUARDED_BY(mutex);  // Queued or running, by resource.
  std::size_t idle GUARDED_BY(mutex) = 0;
  struct Worker {
    std::thread thread;
    bool busy = false;
  };
  std::vector<Worker> workers GUARDED_BY(mutex);
  Counters counters GUARDED_BY(mutex);
};

BlockingPool::BlockingPool(Loop& loop, AsyncClock& clock, Options options)
    : loop_(loop), clock_(clock), state_(std::make_shared<State>(loop, options)) {}

BlockingPool::~BlockingPool() {
  std::vector<State::Worker> workers;
  {
    MutexLock lock(state_->mutex);
    state_->closed = true;
    state_->queue.clear();
    state_->ready.notify_all();
    workers.swap(state_->workers);
  }
  for (auto& worker : workers) {
    if (worker.busy) {
      worker.thread.detach();  // It may be stuck for ever; it touches only its state from here on.
    } else {
      worker.thread.join();
    }
  }
}

asio::awaitable<Result<void>> BlockingPool::run_erased(std::string resource,
                                                       std::chrono::milliseconds deadline,
                                                       std::function<void()> work) {
  const auto notifier = std::make_shared<Notifier>(loop_);
  auto job =
      std::make_shared<Job>(std::move(resource), std::move(work), clock_.wall_now(), notifier);
  CO_TRY_VOID(admit(job));
  const bool done = co_await notifier->wait_until(clock_, clock_.steady_now() + deadline);
  if (!done) {
    CO_TRY_VOID(give_up(job, deadline));
  }
  if (!job->failure.empty()) {
    co_return Error(Errc::kInternal, job->resource + ": " + job->failure);
  }
  co_return Result<void>();
}

Result<void> BlockingPool::admit(const std::shared_ptr<Job>& job) {
  MutexLock lock(state_->mutex);
  if (const auto holder = state_->held.find(job->resource); holder != state_->held.end()) {
    ++state_->counters.refused_busy;
    return Error(Errc::kUnavailable,
                 job->resource + ": still " + (holder->second->abandoned ? "stuck" : "running") +
                     " since " + text::format_time_ms(to_unix_ms(holder->second->since)));
  }
  if (state_->queue.size() >= state_->options.max_queued) {
    ++state_->counters.refused_no_worker;
    return Error(Errc::kUnavailable, job->resource + ": too many calls wait for a worker");
  }
  state_->held.emplace(job->resource, job);
  state_->queue.push_back(job);
  const std::size_t index = state_->workers.size();
  if (state_->idle < state_->queue.size() && index < state_->options.max_threads) {
    state_->workers.emplace_back();
    state_->workers[index].thread = std::thread(&BlockingPool::work_until_closed, state_, index);
    ++state_->counters.threads;
  }
  state_->ready.notify_one();
  return {};
}

Result<void> BlockingPool::give_up(const std::shared_ptr<Job>& job,
                                   std::chrono::milliseconds deadline) {
  MutexLock lock(state_->mutex);
  if (job->phase == Job::Phase::kDone) return {};  // It ended while the deadline was being noticed.
  if (job->phase == Job::Phase::kQueued) {
    std::erase(state_->queue, job);
    state_->held.erase(job->resource);
    ++state_->counters.refused_no_worker;
    return Error(Errc::kUnavailable, job->resource + ": no worker became free within " +
                                         std::to_string(deadline.count()) + " ms");
  }
  job->abandoned = true;
  ++state_->counters.timed_out;
  ++state_->counters.stuck;
  return Error(Errc::kTimeout,
               job->resource + ": no answer within " + std::to_string(deadline.count()) + " ms");
}

void BlockingPool::work_until_closed(std::shared_ptr<State> state, std::size_t index) {
  {
    MutexLock lock(state->mutex);
    ++state->idle;
  }
  for (;;) {
    std::shared_ptr<Job> job;
    {
      MutexLock lock(state->mutex);
      while (state->queue.empty() && !state->closed) state->ready.wait(state->mutex);
      --state->idle;
      if (state->closed) return;
      job = std::move(state->queue.front());
      state->queue.pop_front();
      job->phase = Job::Phase::kRunning;
      state->workers[index].busy = true;
    }
    std::string failure;
    try {
      job->work();
    } catch (const std::exception& exception) {
      failure = std::string("failed: ").append(exception.what());
    } catch (...) {
      failure = "failed with an unknown exception";
    }
    MutexLock lock(state->mutex);
    job->work = nullptr;  // What it owns is released here, not on the loop.
    job->failure = std::move(failure);
    job->phase = Job::Phase::kDone;
    state->held.erase(job->resource);
    ++state->counters.finished;
    if (job->abandoned) {
      ++state->counters.returned_late;
      --state->counters.stuck;
    }
    if (state->closed) return;
    state->workers[index].busy = false;
    ++state->idle;  // Before the result is told: who asks next finds this worker free.
    auto wake = [done = job->done] {
      if (const auto notifier = done.lock()) notifier->notify();
    };
    state->loop.post(std::move(wake));
  }
}

BlockingPool::Counters BlockingPool::counters() const {
  MutexLock lock(state_->mutex);
  return state_->counters;
}

std::size_t BlockingPool::queued() const {
  MutexLock lock(state_->mutex);
  return state_->queue.size();
}

std::vector<std::string> BlockingPool::stuck() const {
  MutexLock lock(state_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, job] : state_->held) {
    if (job->abandoned) names.push_back(name);
  }
  return names;
}

}  // namespace observeai::agent
