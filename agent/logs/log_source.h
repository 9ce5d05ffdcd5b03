// The log of one container: follows its files, joins pieces, redacts, and knows which checkpoint
// belongs to the records it handed out. Driven by LogCollector; one thread.
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
#include "agent/logs/line_assembler.h"
#include "agent/logs/log_chain.h"
#include "agent/logs/redactor.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

// Read at once from a file, for all sources together.
inline constexpr std::size_t kReadBufferBytes = 256U << 10;
// A longer json-file entry is not decoded: it comes as a malformed, truncated record.
inline constexpr std::size_t kMaxEntryBytes = 4U << 20;

// What was read from one source, to be added to its ledger entry with the commit.
struct SourceCounts {
  std::string source;
  std::uint64_t records_read = 0;
  std::uint64_t bytes_read = 0;  // Raw file bytes of those records, and "nul_hole" bytes
  // Bytes that no record stands for. "nul_hole": NULs of a sparse file, passed over (read);
  // "held_limit", "late_write": known to exist, never read.
  std::map<std::string, std::uint64_t> bytes_dropped;
};

// What LogCollector::read() found.
struct LogRead {
  std::vector<wire::LogRecord> records;  // Of one target and stream: in source order
  std::vector<SourceCheckpoint> checkpoints;
  std::vector<SourceCounts> counts;
  std::vector<std::string> forgotten;  // Drained and gone for good: delete their checkpoints
  std::vector<wire::Event> events;
  std::uint64_t raw_bytes = 0;
  bool empty() const {
    return records.empty() && checkpoints.empty() && counts.empty() && forgotten.empty() &&
           events.empty();
  }
};

// Memory that all sources share while one of them reads.
struct LogWorkspace {
  std::vector<char> buffer = std::vector<char>(kReadBufferBytes);
  std::string scratch;
  std::string backing;
  std::string redacted;
  std::string entry;
};

class LogSource {
 public:
  LogSource(std::string container_id, const Clock& clock, const Redactor& redactor,
            std::chrono::milliseconds idle_flush);

  const std::string& name() const { return name_; }
  const std::string& path() const { return path_; }

  void set_container(const std::string& path, bool running);
  // Not on the host any more: drained, then finished once its file is gone.
  void unlist() { listed_ = false; }
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

  bool ready() const { return ready_ && !finished_; }
  bool finished() const { return finished_; }
  // Disk space of files that have no name any more.
  std::uint64_t held_bytes() const;
  std::size_t file_count() const { return chain_.size(); }
  // Gives up the oldest file. Call with nothing uncommitted.
  void drop_oldest(const char* reason);

  void add_event(const char* kind, wire::Severity severity, std::string message,
                 wire::Labels attributes = {});

 private:
  bool look();
  bool attach(std::vector<SeenFile> seen, LogNotes& notes);
  void note_failure(const Error& error);
  void add_notes(LogNotes& notes);
  bool enter_next(LogWorkspace& work, LogRead& out);
  bool is_next_to_begin();
  bool find_changed_content();
  std::size_t consume_lines(TailFile& file, std::string_view data, std::size_t budget,
                            LogWorkspace& work, LogRead& out);
  std::size_t consume_nul_hole(std::string_view data, std::size_t at);
  std::size_t consume_long_entry(TailFile& file, LogWorkspace& work, LogRead& out);
  bool end_of_file(TailFile& file, std::size_t left_over, LogWorkspace& work, LogRead& out);
  void process_entry(std::string_view line, LogPosition at, LogWorkspace& work, LogRead& out);
  void emit(std::size_t stream, const AssembledLine& line, LogWorkspace& work, LogRead& out);
  void emit_raw(TailFile& file, std::uint64_t end, std::uint32_t flags, LogWorkspace& work,
                LogRead& out);
  void flush_stream(std::size_t stream, LogWorkspace& work, LogRead& out);
  void flush_all(LogWorkspace& work, LogRead& out);
  void flush_waiting(LogWorkspace& work, LogRead& out);
  void add_checkpoint(LogRead& out);
  LogPosition lowest(const StreamStates& states) const;

  const std::string name_;
  const wire::Target target_;
  const Clock& clock_;
  const Redactor& redactor_;
  const std::chrono::milliseconds idle_flush_;

  std::string path_;
  bool listed_ = true;
  bool running_ = true;
  bool path_missing_ = false;
  bool failure_reported_ = false;
  bool retry_names_ = false;
  bool ready_ = false;
  bool finished_ = false;

  std::optional<CheckpointState> restored_;  // Until its files were looked for
  LogChain chain_;
  LogPosition cursor_;  // {0, 0} is the beginning of whatever comes first
  std::array<LineAssembler, kLogStreams> assemblers_;
  std::array<SteadyTime, kLogStreams> last_piece_{};
  std::array<std::uint32_t, kLogStreams> key_lines_{};
  std::array<LogPosition, kLogStreams> done_{};
  StreamStates committed_;
  StreamStates pending_;
  std::int64_t last_ts_ns_ = 0;
  // A half-written entry at the end of the live file.
  std::uint64_t left_over_end_ = 0;
  SteadyTime left_over_since_{};

  bool uncommitted_ = false;
  SourceCounts counts_;
  std::vector<wire::Event> events_;
  std::size_t events_delivered_ = 0;
  std::map<std::string, std::uint64_t> lost_bytes_;  // Outside read(): delivered with the next one
  std::map<std::string, std::uint64_t> lost_bytes_delivered_;
};

}  // namespace observeai::agent
