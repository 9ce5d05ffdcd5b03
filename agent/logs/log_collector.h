// Follows the logs of all containers, and those files that the configuration names, and hands out
// their lines with the checkpoints that belong to them.
//
//   caller                                        collector
//   --------------------------------------------  -------------------------------------------------
//   restore(spool.checkpoints()), once            goes on there; unknown containers start at their
//                                                 oldest file
//   set_containers(all of them), on each change   opens new ones at once, drains the gone
//   wake_fd() readable -> on_wake()               notes what changed (a hint: nothing depends on it)
//   batch = read(n), after a wake and at least    lines, round robin over the sources
//     every 250 ms; again at once while more()
//   commit batch in one transaction, then
//     committed()                                 moves on
//     or, if the commit failed, rollback()        the same lines come again with the next read()
//
// The promise: when records, checkpoints and forgotten sources of each read are committed
// atomically, a crash at any moment followed by restore() of the committed checkpoints yields every
// line exactly once, in order for each container and stream. read() with neither committed() nor
// rollback() before it rolls back. What cannot be promised is reported as an event: logs.truncated
// (copytruncate loses what is written between copy and truncation), logs.gap (a file vanished
// unread), logs.unreadable (once, retried), logs.checkpoint_invalid (started over),
// logs.watch_failed (polling only), logs.skipped (older than its following), logs.not_followed (a
// container whose log driver keeps no file), logs.too_many_files.
//
// Fairness: a source reads at most kSliceBytes before the next one has its turn, and what deleted
// files hold of the disk is bounded: the oldest file of the source that holds most goes first.
//
// Memory: one read buffer for all sources, and at most kMaxLineBytes for each unfinished line. One
// thread at a time.
//
// Places: a collector touches only what lies on its own place (options.files.place): the local one,
// which runs where nobody may wait, nothing that may hang; one for each mount that may hang runs on a
// worker (agent/app/remote_logs.h). Each passes over the logs, checkpoints and containers of others.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "agent/logs/directory_watch.h"
#include "agent/logs/log_files.h"
#include "agent/logs/log_source.h"
#include "agent/logs/redactor.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

struct LogCollectorOptions {
  // A line without its end is sent after this long without a further piece.
  std::chrono::milliseconds idle_flush{5'000};
  // All names are looked at this often, whatever inotify says (overlayfs, NFS, lost events).
  std::chrono::milliseconds poll_interval{250};
  // Deleted files are kept open until read; beyond this much disk, or this part of it, the oldest
  // is given up, with an event and a count.
  std::uint64_t max_held_bytes = 1ULL << 30;
  std::uint64_t max_held_percent = 5;
  // The same for the number of files of one container.
  std::size_t max_files_per_source = 2 * kMaxSiblings;
  bool join_traces = true;
  LogFilesOptions files;
  // New files are looked for this often.
  std::chrono::milliseconds scan_interval{2'000};
};

// What one source may read before the next one has its turn.
inline constexpr std::size_t kSliceBytes = 128U << 10;

class LogCollector {
 public:
  explicit LogCollector(const Clock& clock, LogCollectorOptions options = {});

  // What may hang now; everything is local without it. Logs that lie elsewhere now are let go, with
  // their checkpoints as they are. Nothing may be outstanding.
  void set_mounts(std::shared_ptr<const RemoteMounts> mounts);
  // Of all places. Before everything else but set_mounts(), and after it for what came here since; what
  // is followed is passed over. Where a container's log lies now, `containers` say. A state that does
  // not parse is counted and reported; its log starts over.
  void restore(std::span<const SourceCheckpoint> checkpoints,
               std::span<const ObservedContainer> containers = {});
  // No more followed here; nothing may be outstanding. Nothing is forgotten: who follows the log next
  // goes on at its checkpoint. What was counted and not told yet comes with the next read().
  void let_go(const std::string& source);
  // Patterns of the configuration that lead to other places, as far as the last look at the disk met
  // them; and, for a collector of such a place, those that lead here.
  const PatternsByPlace& patterns_elsewhere() const { return files_.elsewhere(); }
  void set_patterns(std::vector<PatternElsewhere> patterns) {
    files_.set_patterns(std::move(patterns));
    last_scan_.reset();
  }
  // All containers of the host. Those without log_path (other log drivers) are not followed, which
  // an event says once for each.
  void set_containers(std::span<const ObservedContainer> containers);

  // About max_bytes of raw log, at least one line if there is one; a long line may exceed it.
  LogRead read(std::size_t max_bytes);
  void committed();
  void rollback();
  // Records of a read() that nobody needs any more: while much is read the next ones use their
  // memory. Two heap blocks for each line cost more than decoding it.
  void reuse(std::vector<wire::LogRecord> records);
  // The last read() left something behind: read again now.
  bool more() const;
  // The last words of a collector that ends: events and counts that no read() told; nothing may be
  // outstanding.
  LogRead let_go_all();
  // What read() does about deleted files, for a caller that may not read for long: at least every
  // second then, since on_wake() goes on opening files.
  void enforce_limits();

  int wake_fd() const { return watch_.fd(); }
  void on_wake();

  std::size_t source_count() const { return sources_.size(); }
  std::uint64_t invalid_checkpoints() const { return invalid_checkpoints_; }

 private:
  struct Followed {
    std::unique_ptr<LogSource> source;
    int watch = -1;
    bool watch_failure_reported = false;
  };

  bool is_local() const { return options_.files.place == kLocal; }
  using LogPaths = std::map<std::string, std::string>;  // By source
  void restore_source(const SourceCheckpoint& checkpoint, const LogPaths& paths,
                      PlaceFinder& finder);
  void unlist_files(const std::set<std::string>& listed);
  Followed& follow(LogSourceSpec spec);
  LogSourceSpec container_spec(const std::string& container_id) const;
  LogSourceSpec file_spec(const std::string& path, LogFormat format) const;
  std::optional<LogSourceSpec> spec_of(const std::string& source) const;
  void note_not_followed(const ObservedContainer& container);
  void scan_files();
  void list(Followed& followed, const std::string& path, bool running);
  void forget_invalid(const std::string& source, const std::string& why);
  void add_watch(Followed& followed);
  void drop_watch(Followed& followed);
  bool busy() const;
  void poll();
  void enforce_held_limit(std::vector<std::pair<std::uint64_t, LogSource*>> holders);

  const Clock& clock_;
  const LogCollectorOptions options_;
  Redactor redactor_;
  LogFiles files_;
  std::shared_ptr<const RemoteMounts> mounts_ = std::make_shared<RemoteMounts>();
  std::set<std::string> not_followed_;  // Containers of which an event told so
  bool left_out_reported_ = false;
  bool files_delivered_ = false;
  DirectoryWatch watch_;
  LogWorkspace work_;
  std::vector<wire::LogRecord> spare_;       // At most kMaxSpareBytes; none while little is read
  std::map<std::string, Followed> sources_;  // By source name
  std::string next_source_;                  // Where the round goes on
  bool outstanding_ = false;                 // A read() waits for committed() or rollback()
  std::optional<SteadyTime> last_poll_;
  std::optional<SteadyTime> last_busy_;  // When a read was large
  std::optional<SteadyTime> last_scan_;
  std::uint64_t invalid_checkpoints_ = 0;
  std::set<std::string> invalid_told_;
  std::vector<wire::Event> events_;  // Of no source; kept until committed
  std::size_t events_delivered_ = 0;
  std::vector<SourceCounts> left_counts_;  // Of sources that were let go; kept until committed
  std::size_t left_counts_delivered_ = 0;
};

}  // namespace observeai::agent
