// Calls that may hang (statfs on a dead mount, the command line of a process whose memory does not
// answer), made one after the other on a thread that is left behind when one does: the caller waits no
// longer than the deadline, the resource is refused until its call returns, and the next call gets
// another thread. For code that runs on a worker of the BlockingPool and has many small calls to make;
// the pool itself watches the whole job.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::agent {

// Thread-safe; callers take turns. The work may be running when this is destroyed, so it must own what
// it touches.
class DeadlineCalls {
 public:
  // `why`: what a person should think of when there is no answer ("a dead mount?"), may be empty.
  DeadlineCalls(std::chrono::milliseconds deadline, std::string why);
  ~DeadlineCalls();
  DeadlineCalls(const DeadlineCalls&) = delete;
  DeadlineCalls& operator=(const DeadlineCalls&) = delete;

  // kTimeout: given up on, `key` is refused from now until the work returns. kUnavailable, at once: an
  // earlier call for `key` still hangs, or `most_stuck` calls do, each of which holds a thread. `name`
  // is for messages and stuck().
  template <class T>
  Result<T> call(const std::string& key, const std::string& name, std::size_t most_stuck,
                 std::function<Result<T>()> work) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    std::function<void()> fill = [answer, work = std::move(work)] { answer->emplace(work()); };
    TRY_VOID(run(key, name, most_stuck, std::move(fill)));
    return std::move(**answer);
  }

  // Names of what hangs now.
  std::vector<std::string> stuck() const;

 private:
  struct Shared;
  struct Worker;
  static void work(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Worker>& worker);
  Result<void> run(const std::string& key, const std::string& name, std::size_t most_stuck,
                   std::function<void()> work);

  const std::chrono::milliseconds deadline_;
  const std::string why_;
  const std::shared_ptr<Shared> shared_;
  std::mutex turn_;
  std::shared_ptr<Worker> worker_;  // Idle between two calls
};

}  // namespace observeai::agent
