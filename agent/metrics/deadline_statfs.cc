#include "agent/metrics/deadline_statfs.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

namespace observeai::agent {
namespace {

struct Job {
  std::string path;
  Mount mount;
  // A new mount in the place of a dead one is another mount.
  std::string key() const { return mount.device + '\n' + path; }
};

struct Worker {
  std::optional<Job> job;
  std::optional<Result<FilesystemUsage>> answer;
  bool left = false;  // Nobody waits for it any more: it ends as soon as it can
};

// What the caller shares with its threads, which may outlive it.
struct Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> stuck;  // Keys of the jobs of workers that were left
};

void work(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Worker>& worker,
          const StatfsCall& direct) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&] { return worker->job || worker->left; });
    if (!worker->job) return;
    const Job job = *std::exchange(worker->job, std::nullopt);
    lock.unlock();
    auto answer = direct(job.path, job.mount);
    lock.lock();
    if (worker->left) {
      shared->stuck.erase(job.key());
      return;
    }
    worker->answer = std::move(answer);
    shared->changed.notify_all();
  }
}

class DeadlineStatfs {
 public:
  DeadlineStatfs(std::chrono::milliseconds deadline, StatfsCall direct, StatfsLimits limits)
      : deadline_(deadline), direct_(std::move(direct)), limits_(limits) {}
  ~DeadlineStatfs() {
    const std::lock_guard lock(shared_->mutex);
    if (worker_) worker_->left = true;
    shared_->changed.notify_all();
  }
  DeadlineStatfs(const DeadlineStatfs&) = delete;
  DeadlineStatfs& operator=(const DeadlineStatfs&) = delete;

  Result<FilesystemUsage> ask(const std::string& path, const Mount& mount) {
    const std::lock_guard turn(turn_);
    const Job job{path, mount};
    std::unique_lock lock(shared_->mutex);
    TRY_VOID(admit(job));
    TRY_VOID(ensure_worker());
    worker_->answer.reset();
    worker_->job = job;
    shared_->changed.notify_all();
    if (shared_->changed.wait_for(lock, deadline_, [&] { return worker_->answer.has_value(); })) {
      return *std::exchange(worker_->answer, std::nullopt);
    }
    std::exchange(worker_, nullptr)->left = true;
    shared_->stuck.insert(job.key());
    return Error(Errc::kTimeout, path + " does not answer: a dead mount?");
  }

 private:
  Result<void> admit(const Job& job) const {
    if (shared_->stuck.contains(job.key())) {
      return Error(Errc::kUnavailable, job.path + " still does not answer");
    }
    const std::size_t limit = limits_.stuck + (is_local(job.mount) ? limits_.stuck_local : 0);
    if (shared_->stuck.size() < limit) return {};
    return Error(Errc::kUnavailable, job.path +
                                         " is not asked: " + std::to_string(shared_->stuck.size()) +
                                         " other mounts do not answer");
  }

  Result<void> ensure_worker() {
    if (worker_) return {};
    auto worker = std::make_shared<Worker>();
    try {
      std::thread([shared = shared_, worker, direct = direct_] {
        work(shared, worker, direct);
      }).detach();
    } catch (const std::system_error& error) {
      return Error(Errc::kUnavailable, std::string("no thread for statfs: ") + error.what());
    }
    worker_ = std::move(worker);
    return {};
  }

  const std::chrono::milliseconds deadline_;
  const StatfsCall direct_;
  const StatfsLimits limits_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::mutex turn_;
  std::shared_ptr<Worker> worker_;  // Idle between two calls
};

}  // namespace

StatfsCall deadline_statfs(std::chrono::milliseconds deadline, StatfsCall direct,
                           StatfsLimits limits) {
  auto statfs = std::make_shared<DeadlineStatfs>(deadline, std::move(direct), limits);
  return [statfs](const std::string& path, const Mount& mount) { return statfs->ask(path, mount); };
}

}  // namespace observeai::agent
