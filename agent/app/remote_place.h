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
    std::optional<bool> committed;    // Of the last read: else it is rolled back
    std::vector<std::string> let_go;  // Sources to be begun again at their checkpoints
    std::uint64_t plan = 0;           // Of the mounts and the checkpoints; 0: no new one
  };

  RemotePlace(std::shared_ptr<const Clock> clock, LogCollectorOptions options);

  // Any thread. Replaces what was posted before and not taken yet; `let_go` is added to it.
  void post(News news);

  // The worker's, which may hang in it. Nothing is read while an earlier read was not taken.
  // `max_bytes` 0: only the limits of what deleted files hold are kept. False: an earlier call ended by
  // an exception; where the collector stands is unknown, and another place must be made.
  bool work(std::size_t max_bytes);
  // The worker's as well: closes everything for good. A read that was not committed is left to whoever
  // comes next; what remains for take() are events and counts that no read had told.
  void close();

  // While no call runs: what was read; by which plan; is there more; sources followed; patterns that
  // lead to other places; checkpoints that were not readable.
  std::optional<LogRead> take();
  std::uint64_t plan() const { return plan_; }
  bool more() const { return more_; }
  std::size_t source_count() const { return source_count_; }
  std::uint64_t invalid_checkpoints() const { return invalid_checkpoints_; }
  const PatternsByPlace& patterns_elsewhere() const { return elsewhere_; }

 private:
  News take_news();
  void learn();
  void end_read(const News& news);

  const std::shared_ptr<const Clock> clock_;
  Mutex mutex_;
  News news_ GUARDED_BY(mutex_);
  std::unique_ptr<LogCollector> collector_;
  std::optional<LogRead> read_;
  std::uint64_t plan_ = 0;
  bool broken_ = false;
  bool more_ = false;
  std::size_t source_count_ = 0;
  std::uint64_t invalid_checkpoints_ = 0;
  PatternsByPlace elsewhere_;
};

}  // namespace observeai::agent
