#include "agent/runtime/deadline_calls.h"

#include <condition_variable>
#include <map>
#include <system_error>
#include <thread>

namespace observeai::agent {

// What the caller shares with its threads, which may outlive it.
struct DeadlineCalls::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> stuck;  // Names by key, of the calls of workers that were left
};

struct DeadlineCalls::Worker {
  std::function<void()> job;
  std::string key;
  bool answered = false;
  bool left = false;  // Nobody waits for it any more: it ends as soon as it can
};

DeadlineCalls::DeadlineCalls(std::chrono::milliseconds deadline, std::string why)
    : deadline_(deadline), why_(std::move(why)), shared_(std::make_shared<Shared>()) {}

DeadlineCalls::~DeadlineCalls() {
  const std::lock_guard lock(shared_->mutex);
  if (worker_) worker_->left = true;
  shared_->changed.notify_all();
}

void DeadlineCalls::work(const std::shared_ptr<Shared>& shared,
                         const std::shared_ptr<Worker>& worker) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&] { return worker->job || worker->left; });
    if (!worker->job) return;
    auto job = std::exchange(worker->job, nullptr);
    lock.unlock();
    job();
    job = nullptr;  // What it owns is released here.
    lock.lock();
    if (worker->left) {
      shared->stuck.erase(worker->key);
      return;
    }
    worker->answered = true;
    shared->changed.notify_all();
  }
}

Result<void> DeadlineCalls::run(const std::string& key, const std::string& name,
                                std::size_t most_stuck, std::function<void()> job) {
  const std::lock_guard turn(turn_);
  std::unique_lock lock(shared_->mutex);
  if (shared_->stuck.contains(key)) {
    return Error(Errc::kUnavailable, name + " still does not answer");
  }
  if (shared_->stuck.size() >= most_stuck) {
    return Error(
        Errc::kUnavailable,
        name + " is not asked: " + std::to_string(shared_->stuck.size()) + " others do not answer");
  }
  if (!worker_) {
    auto worker = std::make_shared<Worker>();
    try {
      std::thread(&DeadlineCalls::work, shared_, worker).detach();
    } catch (const std::system_error& error) {
      return Error(Errc::kUnavailable, "no thread for " + name + ": " + error.what());
    }
    worker_ = std::move(worker);
  }
  worker_->answered = false;
  worker_->key = key;
  worker_->job = std::move(job);
  shared_->changed.notify_all();
  if (shared_->changed.wait_for(lock, deadline_, [&] { return worker_->answered; })) return {};
  std::exchange(worker_, nullptr)->left = true;
  shared_->stuck.emplace(key, name);
  return Error(Errc::kTimeout, name + " does not answer" + (why_.empty() ? "" : ": " + why_));
}

std::vector<std::string> DeadlineCalls::stuck() const {
  const std::lock_guard lock(shared_->mutex);
  std::vector<std::string> names;
  for (const auto& [key, name] : shared_->stuck) names.push_back(name);
  return names;
}

}  // namespace observeai::agent
