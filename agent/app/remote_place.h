// The logs of one mount that may hang, as the worker sees them that looks after it: a collector of its
// own, used only by the calls that run there, one after the other. A call may return long after its
// caller gave up; what it read is kept for the next one, so that a mount that is slow gets on too.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/logs/log_collector.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::agent {

class RemotePlace {
 public:
  // What the collector is to learn before it reads again; empty: nothing new.
  struct News {
    std::shared_ptr<const RemoteMounts> mounts;
    std::optional<std::vector<SourceCheckpoint>> checkpoints;
    std::optional<std::vector<PatternElsewhere>> patterns;
    std::optional<std::vector<ObservedContainer>> containers;
    std::optional<bool> committed;  // Of the last read: else it is rolled back
  };

  RemotePlace(std::shared_ptr<const Clock> clock, LogCollectorOptions options);

  // Any thread. Replaces what was posted before and not taken yet.
  void post(News news);

  // The worker's, which may hang in it. Nothing is read while an earlier read was not taken.
  // `max_bytes` 0: only the limits of what deleted files hold are kept.
  void work(std::size_t max_bytes);
  // The worker's as well: closes everything for good.
  void close();

  // While no call runs: what was read; is there more; patterns that lead to other places.
  std::optional<LogRead> take();
  bool more() const { return more_; }
  const PatternsByPlace& patterns_elsewhere() const { return elsewhere_; }

 private:
  void learn();

  const std::shared_ptr<const Clock> clock_;
  Mutex mutex_;
  News news_ GUARDED_BY(mutex_);
  std::unique_ptr<LogCollector> collector_;
  std::optional<LogRead> read_;
  bool more_ = false;
  PatternsByPlace elsewhere_;
};

}  // namespace observeai::agent
