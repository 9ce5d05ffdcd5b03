#include "agent/logs/log_source.h"

#include <algorithm>
#include <utility>

#include "agent/logs/docker_json_line.h"

namespace observeai::agent {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMalformedStream = 2;
// Docker closes a file before it renames it; one more look costs nothing.
constexpr unsigned kEndsBeforeNextFile = 2;

std::size_t index_of(wire::LogStream stream) {
  return static_cast<std::size_t>(stream) - 1;
}
wire::LogStream stream_at(std::size_t index) {
  return static_cast<wire::LogStream>(index + 1);
}

}  // namespace

LogSource::LogSource(std::string container_id, const Clock& clock, const Redactor& redactor,
                     std::chrono::milliseconds idle_flush)
    : name_("log/container/" + container_id),
      target_(container_target(container_id)),
      clock_(clock),
      redactor_(redactor),
      idle_flush_(idle_flush) {
  counts_.source = name_;
}

void LogSource::set_container(const std::string& path, bool running) {
  path_ = path;
  listed_ = true;
  running_ = running;
}

void LogSource::restore(CheckpointState state) {
  path_ = state.path;
  restored_ = std::move(state);
}

// ---- names -------------------------------------------------------------------------------------

void LogSource::refresh(bool thorough) {
  if (finished_) return;
  const auto facts = stat_file(path_);
  path_missing_ = !facts && facts.error().code() == Errc::kNotFound;
  if (!facts && !path_missing_) return note_failure(facts.error());
  if (chain_.empty()) {
    // Rotated files alone are looked for too when something was read.
    const bool began = restored_ || !chain_.read_before().empty();
    if (!path_missing_ || began) look();
    return;
  }
  const auto& live = chain_.files().back();
  const bool same = facts && facts->key == live.key();
  const bool nothing_new = same && cursor_ == LogPosition{live.number(), facts->size};
  if (!nothing_new) ready_ = true;  // read() finds out
  const bool name_moved = facts && !same;
  if (name_moved || thorough || retry_names_) look();
}

// Opens what is on disk. False: not now.
bool LogSource::look() {
  auto seen = open_siblings(path_);
  retry_names_ = !seen;
  if (!seen) {
    note_failure(seen.error());
    // The folder went with the container: what is open is all there is.
    if (chain_.empty() || seen.error().code() != Errc::kNotFound) return false;
    seen = std::vector<SeenFile>();
  } else {
    failure_reported_ = false;
  }
  LogNotes notes;
  if (restored_) {
    if (!attach(std::move(*seen), notes)) return false;
  } else {
    chain_.reconcile(std::move(*seen), notes);
  }
  add_notes(notes);
  ready_ = ready_ || !chain_.empty();
  return true;
}

bool LogSource::attach(std::vector<SeenFile> seen, LogNotes& notes) {
  LogChain chain;
  if (!chain.attach(*restored_, std::move(seen), notes)) return false;
  chain_ = std::move(chain);
  committed_ = restored_->streams;
  restored_.reset();
  uncommitted_ = true;
  rollback();
  return true;
}

void LogSource::note_failure(const Error& error) {
  if (error.code() == Errc::kNotFound || failure_reported_) return;
  if (error.code() == Errc::kTimeout) return;  // Names keep moving: the next look will do
  failure_reported_ = true;
  add_event("logs.unreadable", wire::Severity::kWarning,
            error.message() + "; trying again until it works", {{"path", path_}});
}

void LogSource::add_event(const char* kind, wire::Severity severity, std::string message,
                          wire::Labels attributes) {
  events_.push_back(
      {clock_.unix_ms(), kind, target_, severity, std::move(message), std::move(attributes)});
}

void LogSource::add_notes(LogNotes& notes) {
  for (auto& note : notes) {
    add_event(note.kind.c_str(), note.severity, std::move(note.message),
              std::move(note.attributes));
  }
}

// ---- reading -----------------------------------------------------------------------------------

std::size_t LogSource::read(std::size_t budget, LogWorkspace& work, LogRead& out) {
  std::size_t used = 0;
  if (chain_.empty()) ready_ = false;
  while (ready_ && used < budget) {
    auto* file = chain_.find(cursor_.file);
    if (file == nullptr) {
      if (!enter_next(work, out)) ready_ = false;
      continue;
    }
    // A copy may end before what was read.
    cursor_.offset = std::min(cursor_.offset, file->extent());
    std::string_view data;
    switch (file->read(cursor_.offset, work.buffer, data)) {
      case TailFile::Read::kFailed:
        note_failure(Error(Errc::kDenied, "cannot read " + file->path()));
        ready_ = false;
        continue;
      case TailFile::Read::kChanged:
        if (!find_changed_content()) ready_ = false;
        continue;
      case TailFile::Read::kData:
        failure_reported_ = false;
        break;
    }
    if (!file->touched() && (!data.empty() || chain_.passed_over())) {
      if (!is_next_to_begin()) continue;
      file = chain_.find(cursor_.file);
    }
    const bool buffer_full = data.size() + kTailBytes >= work.buffer.size();
    auto n = consume_lines(*file, data, budget - used, work, out);
    if (n == 0 && buffer_full) n = consume_long_entry(*file, work, out);
    if (n > 0) {
      used += n;
      uncommitted_ = true;
      file->ends_seen = 0;
      file->scanned_to = 0;
    } else if (!end_of_file(*file, data.size(), work, out)) {
      break;
    }
  }
  out.raw_bytes += used;
  return used;
}

// Moves on to the file after the cursor's. False: there is none.
bool LogSource::enter_next(LogWorkspace& work, LogRead& out) {
  const auto* next = chain_.after(cursor_.file);
  if (next == nullptr) return false;
  // What follows a loss must not be joined to a line that began before.
  if (chain_.lost_between(cursor_.file, next->number())) flush_all(work, out);
  cursor_ = {next->number(), 0};
  left_over_end_ = 0;
  uncommitted_ = true;
  return true;
}

// Asked with the first bytes of the cursor's file in hand, before they are used: is there nothing
// unread before them? If what they follow was copied and truncated, the copy is on disk by now.
// False: go on at the cursor, or wait if ready_ is not set.
bool LogSource::is_next_to_begin() {
  if (!look()) {
    ready_ = false;
    return false;
  }
  return chain_.begin(cursor_.file);
}

// What was read from the cursor's file is not there any more. False: nothing can be done now.
bool LogSource::find_changed_content() {
  const auto* before = chain_.find(cursor_.file);
  const auto key = before->key();
  const auto extent = before->extent();
  uncommitted_ = true;
  if (!look()) return false;
  const auto* now = chain_.find(cursor_.file);
  return now == nullptr || now->key() != key || now->extent() != extent;
}

std::size_t LogSource::consume_nul_hole(std::string_view data, std::size_t at) {
  auto end = at;
  while (end < data.size() && data[end] == '\0') ++end;
  // A hole ends where data begins; at the end of the file it may still be filled.
  if (end == data.size() && end - at + kTailBytes < kReadBufferBytes) return 0;
  const LogPosition place{cursor_.file, cursor_.offset + at};
  if (place >= done_[kMalformedStream]) {
    counts_.bytes_read += end - at;
    counts_.bytes_dropped["nul_hole"] += end - at;
  }
  return end - at;
}

std::size_t LogSource::consume_lines(TailFile& file, std::string_view data, std::size_t budget,
                                     LogWorkspace& work, LogRead& out) {
  std::size_t at = 0;
  while (at < data.size() && at < budget) {
    if (data[at] == '\0') {
      const auto hole = consume_nul_hole(data, at);
      if (hole == 0) break;
      at += hole;
      continue;
    }
    const auto* newline =
        static_cast<const char*>(std::memchr(data.data() + at, '\n', data.size() - at));
    if (newline == nullptr) break;
    const auto length = static_cast<std::size_t>(newline - (data.data() + at));
    process_entry(data.substr(at, length), {cursor_.file, cursor_.offset + at}, work, out);
    at += length + 1;
  }
  file.consumed(cursor_.offset, data.substr(0, at));
  cursor_.offset += at;
  return at;
}

// The entry at the cursor is longer than the buffer: finds its end by parts.
std::size_t LogSource::consume_long_entry(TailFile& file, LogWorkspace& work, LogRead& out) {
  const auto begin = cursor_.offset;
  auto scan = std::max(file.scanned_to, begin);
  std::uint64_t end = 0;  // Of the entry, without its newline
  bool found = false;
  while (!found && scan - begin <= kMaxOpenLineBytes) {
    const auto n = file.read_raw(scan, work.buffer);
    if (n == 0) break;
    const auto newline = std::string_view(work.buffer.data(), n).find('\n');
    found = newline != std::string_view::npos;
    end = scan + newline;
    scan += n;
  }
  if (!found && scan - begin <= kMaxOpenLineBytes) {
    file.scanned_to = scan;
    return 0;
  }
  if (!found) {
    flush_all(work, out);
    emit_raw(file, scan, wire::log_flags::kUnterminated, work, out);
    end = scan;
  } else if (end - begin <= kMaxEntryBytes) {
    work.entry.resize(end - begin);
    const auto got = file.read_raw(begin, std::span(work.entry.data(), work.entry.size()));
    if (got != work.entry.size()) return 0;  // Truncated under us
    process_entry(work.entry, cursor_, work, out);
    work.entry = {};
  } else {
    emit_raw(file, end, 0, work, out);
  }
  cursor_.offset = found ? end + 1 : end;
  file.consumed_through(cursor_.offset);
  return cursor_.offset - begin;
}

// Nothing whole to read in `file`. True: reading moved on to the next one.
bool LogSource::end_of_file(TailFile& file, std::size_t left_over, LogWorkspace& work,
                            LogRead& out) {
  const auto end = std::max(cursor_.offset + left_over, file.scanned_to);
  if (chain_.after(file.number()) == nullptr) {
    if (end != left_over_end_) {
      left_over_end_ = end;
      left_over_since_ = clock_.steady_now();
    }
    ready_ = false;
    return false;
  }
  const auto facts = file.facts();
  if (++file.ends_seen < kEndsBeforeNextFile && facts && facts->links > 0) return false;
  uncommitted_ = true;
  if (end > cursor_.offset) {
    if (cursor_ >= done_[kMalformedStream])
      emit_raw(file, end, wire::log_flags::kUnterminated, work, out);
    file.consumed_through(end);
  }
  // The live file is older than this one: this is a copy, and what was written between copying and
  // truncating is missing here. What follows must not be joined to a line that began before.
  if (chain_.files().back().key().birth_ns < file.key().birth_ns) {
    flush_all(work, out);
    if (file.touched() && !std::exchange(file.truncation_reported, true)) {
      LogNotes notes{truncated_note(path_, file.extent(), true)};
      add_notes(notes);
    }
  }
  return enter_next(work, out);
}

void LogSource::process_entry(std::string_view line, LogPosition at, LogWorkspace& work,
                              LogRead& out) {
  const auto entry = decode_docker_json_line(line, work.scratch);
  const auto stream = entry.malformed ? kMalformedStream : index_of(entry.stream);
  if (!entry.malformed) last_ts_ns_ = entry.ts_ns;
  if (at < done_[stream]) return;
  LinePiece piece{entry.text, entry.complete, entry.ts_ns, at, line.size() + 1};
  if (entry.malformed) {
    piece.ts_ns = last_ts_ns_ != 0 ? last_ts_ns_ : to_unix_ns(clock_.wall_now());
  }
  const auto assembled = assemblers_[stream].add(piece, work.backing);
  if (assembled) {
    emit(stream, *assembled, work, out);
  } else {
    last_piece_[stream] = clock_.steady_now();
  }
}

// The bytes from the cursor to `end` as they stand.
void LogSource::emit_raw(TailFile& file, std::uint64_t end, std::uint32_t flags, LogWorkspace& work,
                         LogRead& out) {
  if (cursor_ < done_[kMalformedStream]) return;
  const auto length = end - cursor_.offset;
  work.entry.resize(std::min<std::uint64_t>(length, kMaxLineBytes + kRedactionMargin));
  work.entry.resize(file.read_raw(cursor_.offset, std::span(work.entry.data(), work.entry.size())));
  AssembledLine line;
  line.text = work.entry;
  line.ts_ns = last_ts_ns_ != 0 ? last_ts_ns_ : to_unix_ns(clock_.wall_now());
  line.flags = flags;
  line.line_bytes = length;
  line.raw_bytes = length + ((flags & wire::log_flags::kUnterminated) != 0 ? 0 : 1);
  emit(kMalformedStream, line, work, out);
  work.entry = {};
}

void LogSource::emit(std::size_t stream, const AssembledLine& line, LogWorkspace& work,
                     LogRead& out) {
  auto& record = out.records.emplace_back();
  record.target = target_;
  record.stream = stream_at(stream);
  record.ts_ns = line.ts_ns;
  record.flags = line.flags | (stream == kMalformedStream ? wire::log_flags::kMalformed : 0);
  std::string_view text = line.text;
  if (redactor_.redact_line(text, key_lines_[stream], work.redacted)) {
    record.flags |= wire::log_flags::kRedacted;
    text = work.redacted;
  }
  if (text.size() > kMaxLineBytes || line.line_bytes > kMaxLineBytes) {
    record.flags |= wire::log_flags::kTruncated;
    record.original_bytes = line.line_bytes;
    text = text.substr(0, kMaxLineBytes);
  }
  record.text.assign(text);
  ++counts_.records_read;
  counts_.bytes_read += line.raw_bytes;
  uncommitted_ = true;
}

// ---- lines that wait ---------------------------------------------------------------------------

void LogSource::flush_stream(std::size_t stream, LogWorkspace& work, LogRead& out) {
  if (const auto line = assemblers_[stream].flush(work.backing)) emit(stream, *line, work, out);
}

void LogSource::flush_all(LogWorkspace& work, LogRead& out) {
  for (std::size_t s = 0; s < kLogStreams; ++s) flush_stream(s, work, out);
}

// Only at the end of everything written: a line whose rest waits in the file is not idle.
void LogSource::flush_waiting(LogWorkspace& work, LogRead& out) {
  if (ready_) return;
  const bool drained_for_good = !listed_ && path_missing_;
  if (chain_.empty()) {
    if (!drained_for_good) return;
    if (restored_) {
      add_event("logs.gap", wire::Severity::kInfo,
                "the container and its log " + path_ +
                    " went while nobody read; what was written after the last "
                    "committed line, if anything, is lost",
                {{"path", path_}});
    }
    finished_ = true;
    return;
  }
  const auto now = clock_.steady_now();
  const bool stopped = !running_ || !listed_;
  for (std::size_t s = 0; s < kLogStreams; ++s) {
    if (assemblers_[s].open() && (stopped || now - last_piece_[s] >= idle_flush_))
      flush_stream(s, work, out);
  }
  const bool half_entry =
      left_over_end_ > cursor_.offset && cursor_.file == chain_.files().back().number();
  if (half_entry && (drained_for_good || (stopped && now - left_over_since_ >= idle_flush_))) {
    auto& file = chain_.files().back();
    flush_all(work, out);
    emit_raw(file, left_over_end_, wire::log_flags::kUnterminated, work, out);
    file.consumed_through(left_over_end_);
    cursor_.offset = left_over_end_;
  }
  finished_ = drained_for_good;
}

// ---- commit ------------------------------------------------------------------------------------

LogPosition LogSource::lowest(const StreamStates& states) const {
  return std::min({states[0].position, states[1].position, states[2].position});
}

void LogSource::finish_read(LogWorkspace& work, LogRead& out) {
  flush_waiting(work, out);
  for (const auto& [reason, bytes] : lost_bytes_) counts_.bytes_dropped[reason] += bytes;
  lost_bytes_delivered_ = std::exchange(lost_bytes_, {});
  out.events.insert(out.events.end(), events_.begin(), events_.end());
  events_delivered_ = events_.size();
  if (counts_.records_read != 0 || counts_.bytes_read != 0 || !counts_.bytes_dropped.empty()) {
    out.counts.push_back(counts_);
  }
  if (finished_) {
    out.forgotten.push_back(name_);
  } else if (uncommitted_ && !chain_.empty()) {
    add_checkpoint(out);
  }
}

void LogSource::add_checkpoint(LogRead& out) {
  for (std::size_t s = 0; s < kLogStreams; ++s) {
    const auto read_to = assemblers_[s].open() ? assemblers_[s].first_piece() : cursor_;
    pending_[s] = {std::max(done_[s], read_to), key_lines_[s]};
  }
  if (pending_ == committed_) return;
  CheckpointState state{path_, chain_.read_before(), {}, pending_};
  for (const auto& file : chain_.files()) {
    const bool to_be_begun = file.number() == cursor_.file;
    if (file.touched() || to_be_begun) state.files.push_back({file.number(), file.print()});
  }
  out.checkpoints.push_back({name_, encode_checkpoint(state)});
}

void LogSource::committed() {
  if (uncommitted_ && !chain_.empty()) {
    committed_ = pending_;
    std::uint64_t late_bytes = 0;
    chain_.prune(lowest(committed_), late_bytes);
    if (late_bytes > 0) {
      lost_bytes_["late_write"] += late_bytes;
      add_event("logs.gap", wire::Severity::kWarning,
                std::to_string(late_bytes) + " bytes were written to a rotated file of " + path_ +
                    " after its end was reached and are lost",
                {{"bytes", std::to_string(late_bytes)}, {"path", path_}});
    }
  }
  uncommitted_ = false;
  counts_.records_read = 0;
  counts_.bytes_read = 0;
  counts_.bytes_dropped.clear();
  lost_bytes_delivered_.clear();
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(events_delivered_));
  events_delivered_ = 0;
}

void LogSource::rollback() {
  counts_.records_read = 0;
  counts_.bytes_read = 0;
  counts_.bytes_dropped.clear();
  for (const auto& [reason, bytes] : lost_bytes_delivered_) lost_bytes_[reason] += bytes;
  lost_bytes_delivered_.clear();
  events_delivered_ = 0;
  finished_ = false;
  if (!uncommitted_ || chain_.empty()) return;
  uncommitted_ = false;
  for (std::size_t s = 0; s < kLogStreams; ++s) {
    assemblers_[s].reset();
    done_[s] = committed_[s].position;
    key_lines_[s] = committed_[s].key_lines_left;
  }
  pending_ = committed_;
  cursor_ = lowest(committed_);
  left_over_end_ = 0;
  for (auto& file : chain_.files()) {
    file.ends_seen = 0;
    file.scanned_to = 0;
  }
  ready_ = true;
}

std::uint64_t LogSource::held_bytes() const {
  std::uint64_t bytes = 0;
  if (chain_.size() < 2) return bytes;  // The only file is never given up
  for (const auto& file : chain_.files()) {
    const auto facts = file.facts();
    if (facts && facts->links == 0) bytes += facts->size;
  }
  return bytes;
}

void LogSource::drop_oldest(const char* reason) {
  if (chain_.size() < 2) return;
  uncommitted_ =
      true;  // Open lines may have begun in that file: read again from the committed places
  rollback();
  const auto& oldest = chain_.files().front();
  const auto facts = oldest.facts();
  const auto from = cursor_.file == oldest.number() ? cursor_.offset : oldest.extent();
  const auto lost = facts && facts->size > from ? facts->size - from : 0;
  chain_.drop_oldest();
  lost_bytes_[reason] += lost;
  add_event("logs.gap", wire::Severity::kWarning,
            std::to_string(lost) + " bytes of a rotated file of " + path_ + " were given up unread",
            {{"bytes", std::to_string(lost)}, {"path", path_}, {"reason", reason}});
  uncommitted_ = true;
  rollback();
}

}  // namespace observeai::agent
