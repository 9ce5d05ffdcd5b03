// One log, of a container or a file: follows its files, joins pieces and traces, redacts, and knows
// which checkpoint belongs to the records it handed out. Driven by LogCollector; one thread.
//
// Three places matter. `cursor_`: the next byte to look at. `committed_`: per stream, what the
// caller made durable. `done_`: per stream, what must not be handed out again because a commit
// holds it already (only matters when reading begins again at an earlier place, after rollback or
// restart).
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "agent/logs/gzip_survey.h"
#include "agent/logs/line_assembler.h"
#include "agent/logs/log_chain.h"
#include "agent/logs/log_format.h"
#include "agent/logs/log_read.h"
#include "agent/logs/log_siblings.h"
#include "agent/logs/redactor.h"
#include "agent/logs/trace_joiner.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

// A longer json-file entry is not decoded: it comes as a malformed, truncated record.
inline constexpr std::size_t kMaxEntryBytes = 4U << 20;

// A rotated plain log may still be written while its writer has not opened the new one: it is left
// once the new one has lines and nothing came for this long.
inline constexpr std::chrono::milliseconds kLateCloseWait{1'000};
// A log that is found by its file is forgotten this long after it went, with all its rotated files.
inline constexpr std::chrono::minutes kForgetAfter{1};

struct LogSourceSpec {
  std::string name;  // "log/container/<id>", "log/cri/<path>", "log/file/<path>"
  wire::Target target;
  LogFormat format = LogFormat::kDockerJson;
  bool join_traces = true;
  std::chrono::milliseconds idle_flush{5'000};  // A line without its end is given out after this
};

class LogSource {
 public:
  LogSource(LogSourceSpec spec, const Clock& clock, const Redactor& redactor);

  const std::string& name() const { return spec_.name; }
  const std::string& path() const { return path_; }

  // `running`: more lines are to be expected.
  void follow(const std::string& path, bool running);
  // Not on the host any more: drained, then finished once its file is gone.
  void unlist() { listed_ = false; }
  // Not wanted any more: finished at once, read to its end or not.
  void abandon() { finished_ = true; }
  // Unless something of it was read before: a file born before that time starts at its end, and
  // its rotated files count as read. `unknown_is_old`: so does one without a birth time.
  void start_at_end_if_older(std::int64_t birth_ns, bool unknown_is_old) {
    old_birth_ns_ = birth_ns;
    unknown_is_old_ = unknown_is_old;
  }
  // Before the first refresh().
  void restore(CheckpointState state);

  // Looks at the names on disk; `thorough` also when the live file is the same.
  void refresh(bool thorough);
  void wake() { ready_ = true; }

  // Reads about `budget` raw bytes; returns how many. 0 = nothing whole to read now.
  std::size_t read(std::size_t budget, LogWorkspace& work, LogRead& out);
  // Ends a read(): lines that waited too long, checkpoint, counts, events.
  void finish_read(LogWorkspace& work, LogRead& out);
  void committed();
  void rollback();

  // Before it is let go: what was counted and not told yet, with the next read of others.
  void hand_over(std::vector<SourceCounts>& counts, std::vector<wire::Event>& events);

  bool listed() const { return listed_; }
  bool ready() const { return has_more() && !finished_; }
  bool finished() const { return finished_; }
  // Disk space of files that have no name any more.
  std::uint64_t held_bytes() const;
  // Of the file system on which that is; 0 when it cannot be told.
  std::uint64_t disk_bytes() const;
  std::size_t file_count() const { return chain_.size(); }
  // Gives up the oldest file. Call with nothing uncommitted. The live file is given up only when it
  // has no name any more.
  bool can_drop_oldest() const;
  void drop_oldest(const char* reason);

  void add_event(const char* kind, wire::Severity severity, std::string message,
                 wire::Labels attributes = {});

 private:
  // Files that were dropped for one reason and are not told yet: one event, however long nothing can be
  // committed.
  struct GivenUp {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::int64_t ts_ms = 0;  // Of the last one
  };

  bool has_more() const { return ready_ || !surveys_.empty(); }
  bool look();
  bool survey(std::vector<SeenFile>& seen);
  Result<std::vector<SeenFile>> open_files() const;
  void begin_old_at_end(std::vector<SeenFile>& seen);
  bool attach(std::vector<SeenFile> seen, LogNotes& notes);
  void note_failure(const Error& error);
  void add_notes(LogNotes& notes);
  bool enter_next(LogWorkspace& work, LogRead& out);
  bool is_next_to_begin();
  bool find_changed_content();
  std::size_t consume_lines(TailFile& file, std::string_view data, bool buffer_full,
                            std::size_t budget, LogWorkspace& work, LogRead& out);
  std::size_t consume_nul_hole(std::string_view data, std::size_t at, bool buffer_full);
  std::size_t consume_long_entry(TailFile& file, LogWorkspace& work, LogRead& out);
  bool end_of_file(TailFile& file, std::size_t left_over, LogWorkspace& work, LogRead& out);
  void note_end(std::uint64_t end);
  bool awaits_late_close(const TailFile& file);
  void leave_copy(TailFile& file, LogWorkspace& work, LogRead& out);
  void process_entry(std::string_view line, LogPosition at, LogWorkspace& work, LogRead& out);
  void emit(std::size_t stream, const AssembledLine& line, LogWorkspace& work, LogRead& out);
  std::int64_t raw_ts_ns() const;
  void emit_raw(TailFile& file, std::uint64_t end, std::uint32_t flags, LogWorkspace& work,
                LogRead& out);
  void flush_stream(std::size_t stream, LogWorkspace& work, LogRead& out);
  void flush_all(LogWorkspace& work, LogRead& out);
  void flush_waiting(LogWorkspace& work, LogRead& out);
  void flush_half_line(bool stopped, bool for_good, LogWorkspace& work, LogRead& out);
  bool gone_for_good();
  void note_pending();
  wire::Event late_event(std::uint64_t bytes) const;
  void add_given_up(const std::string& reason, const GivenUp& files);
  wire::Event given_up_event(const std::string& reason, const GivenUp& files) const;
  void add_checkpoint(LogRead& out);
  LogPosition lowest(const StreamStates& states) const;

  const LogSourceSpec spec_;
  const Clock& clock_;
  const Redactor& redactor_;

  std::string path_;
  std::int64_t old_birth_ns_ = INT64_MIN;
  bool unknown_is_old_ = false;
  bool listed_ = true;
  bool running_ = true;
  bool path_missing_ = false;
  SteadyTime missing_since_{};
  bool failure_reported_ = false;
  bool retry_names_ = false;
  bool ready_ = false;
  bool finished_ = false;

  std::optional<CheckpointState> restored_;           // Until its files were looked for
  std::vector<std::shared_ptr<GzipSurvey>> surveys_;  // Of all compressed siblings, until complete
  LogChain chain_;
  LogPosition cursor_;  // {0, 0} is the beginning of whatever comes first
  ReadingTime reading_;
  std::array<LineAssembler, kLogStreams> assemblers_;
  TraceJoiner joiner_;
  std::array<SteadyTime, kLogStreams> last_piece_{};
  std::array<std::uint32_t, kLogStreams> key_lines_{};
  std::array<LogPosition, kLogStreams> done_{};
  StreamStates committed_;
  StreamStates pending_;
  std::int64_t last_ts_ns_ = 0;
  // A half-written entry at the end of the live file.
  std::uint64_t left_over_end_ = 0;
  SteadyTime left_over_since_{};

  bool known_ = false;                 // A checkpoint of it is committed
  bool checkpoint_delivered_ = false;  // By the last read()
  bool budget_ended_ = false;          // The last read() left lines behind
  bool checkpoint_due_ = false;
  bool uncommitted_ = false;
  SourceCounts counts_;
  std::vector<wire::Event> events_;
  std::size_t events_delivered_ = 0;
  std::map<std::string, std::uint64_t> lost_bytes_;  // Outside read(): delivered with the next one
  std::map<std::string, std::uint64_t> lost_bytes_delivered_;
  std::map<std::string, GivenUp> given_up_;  // As lost_bytes_
  std::map<std::string, GivenUp> given_up_delivered_;
  std::uint64_t late_counted_ = 0;  // With the checkpoint that passes over them
};

}  // namespace observeai::agent
