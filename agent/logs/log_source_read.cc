// Reading: from the cursor to records.
#include <algorithm>
#include <cstring>
#include <utility>

#include "agent/logs/log_source.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kOtherStream = 2;
// One more look before a file is left costs nothing.
constexpr unsigned kEndsBeforeNextFile = 2;
// Read at once from a compressed log, whose decoder keeps as much.
constexpr std::size_t kDecodeBytes = 64U << 10;
// Read beyond the budget: its last line, as a rule. What is read in vain is read again.
constexpr std::size_t kReadAhead = 4U << 10;
constexpr std::int64_t kOffsetKeptNs = 60'000'000'000;  // Of the host's time zone

std::size_t index_of(wire::LogStream stream) {
  return static_cast<std::size_t>(stream) - 1;
}

}  // namespace

// ---- reading -----------------------------------------------------------------------------------

std::size_t LogSource::read(std::size_t budget, LogWorkspace& work, LogRead& out) {
  std::size_t used = 0;
  const auto now_ns = to_unix_ns(clock_.wall_now());
  if (spec_.format == LogFormat::kPlain && now_ns - reading_.now_ns > kOffsetKeptNs) {
    reading_.local_offset_s = local_offset_s(now_ns);
  }
  reading_.now_ns = now_ns;
  work.now = clock_.steady_now();
  if (!surveys_.empty()) look();
  if (!surveys_.empty()) {
    budget_ended_ = true;
    return 0;
  }
  if (chain_.empty()) ready_ = false;
  bool long_entry = false;  // At the cursor: longer than what is left of the budget
  bool later = false;       // The cursor's place is not decoded yet
  while (ready_ && used < budget && !later) {
    auto* file = chain_.find(cursor_.file);
    if (file == nullptr) {
      if (!enter_next(work, out)) ready_ = false;
      continue;
    }
    // A copy may end before what was read.
    cursor_.offset = std::min(cursor_.offset, file->extent());
    std::string_view data;
    const auto most = file->content().compressed() ? kDecodeBytes : work.buffer.size();
    const auto buffer = std::span(work.buffer)
                            .first(long_entry ? most : std::min(most, budget - used + kReadAhead));
    switch (file->read(cursor_.offset, buffer, data)) {
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
      case TailFile::Read::kLater:
        later = true;
        continue;
    }
    if (!file->touched() && (!data.empty() || chain_.passed_over())) {
      if (!is_next_to_begin()) continue;
      file = chain_.find(cursor_.file);
    }
    const bool buffer_full = data.size() + kTailBytes >= buffer.size();
    auto n = consume_lines(*file, data, buffer_full, budget - used, work, out);
    if (n == 0 && buffer_full && buffer.size() < most) {
      long_entry = true;
      continue;
    }
    long_entry = false;
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
  budget_ended_ = later || used >= budget;
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
  left_over_since_ = clock_.steady_now();
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

std::size_t LogSource::consume_nul_hole(std::string_view data, std::size_t at, bool buffer_full) {
  auto end = at;
  while (end < data.size() && data[end] == '\0') ++end;
  // A hole ends where data begins; at the end of the file it may still be filled.
  if (end == data.size() && !(buffer_full && at == 0)) return 0;
  const LogPosition place{cursor_.file, cursor_.offset + at};
  if (place >= done_[kOtherStream]) {
    counts_.bytes_read += end - at;
    counts_.bytes_dropped["nul_hole"] += end - at;
  }
  return end - at;
}

std::size_t LogSource::consume_lines(TailFile& file, std::string_view data, bool buffer_full,
                                     std::size_t budget, LogWorkspace& work, LogRead& out) {
  std::size_t at = 0;
  while (at < data.size() && at < budget) {
    if (data[at] == '\0') {
      const auto hole = consume_nul_hole(data, at, buffer_full);
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

void LogSource::note_end(std::uint64_t end) {
  if (end == left_over_end_) return;
  left_over_end_ = end;
  left_over_since_ = clock_.steady_now();
}

// Who writes a plain log opens the new one when told, some time after the renaming; Docker and the
// kubelet's runtimes close a file before they begin the next.
bool LogSource::awaits_late_close(const TailFile& file) {
  if (spec_.format != LogFormat::kPlain || file.content().compressed()) return false;
  const auto& next = chain_.files().back();
  const bool next_is_live = chain_.after(file.number()) == &next;
  if (!next_is_live) return false;
  return next.size() == 0 || clock_.steady_now() - left_over_since_ < kLateCloseWait;
}

// Nothing whole to read in `file`. True: reading moved on to the next one.
bool LogSource::end_of_file(TailFile& file, std::size_t left_over, LogWorkspace& work,
                            LogRead& out) {
  const auto end = std::max(cursor_.offset + left_over, file.scanned_to);
  note_end(end);
  if (chain_.after(file.number()) == nullptr || awaits_late_close(file)) {
    ready_ = false;
    return false;
  }
  const auto facts = file.facts();
  if (++file.ends_seen < kEndsBeforeNextFile && facts && facts->links > 0) return false;
  uncommitted_ = true;
  if (end > cursor_.offset) {
    if (cursor_ >= done_[kOtherStream])
      emit_raw(file, end, wire::log_flags::kUnterminated, work, out);
    file.consumed_through(end);
  }
  leave_copy(file, work, out);
  return enter_next(work, out);
}

void LogSource::leave_copy(TailFile& file, LogWorkspace& work, LogRead& out) {
  if (file.content().damaged()) {
    flush_all(work, out);
    add_event("logs.gap", wire::Severity::kWarning,
              file.path() + " is damaged behind byte " + std::to_string(file.extent()) +
                  " of its content; what follows in it is lost",
              {{"offset", std::to_string(file.extent())}, {"path", file.path()}});
  }
  // The live file is older than this one: this is a copy, and what was written between copying and
  // truncating is missing here. What follows must not be joined to a line that began before.
  const auto& live = chain_.files().back();
  if (file.content().compressed() || live.key().birth_ns >= file.key().birth_ns) return;
  flush_all(work, out);
  if (!file.touched() || std::exchange(file.truncation_reported, true)) return;
  LogNotes notes{truncated_note(path_, file.extent(), true)};
  add_notes(notes);
}

void LogSource::process_entry(std::string_view line, LogPosition at, LogWorkspace& work,
                              LogRead& out) {
  const auto entry = decode_entry(spec_.format, line, reading_, work.scratch);
  const auto stream = index_of(entry.stream);
  if (!entry.malformed) last_ts_ns_ = entry.ts_ns;
  if (at < done_[stream]) return;
  if (entry.malformed) {
    AssembledLine damaged{entry.text,  raw_ts_ns(),     wire::log_flags::kMalformed,
                          line.size(), line.size() + 1, at};
    return emit(kOtherStream, damaged, work, out);
  }
  const LinePiece piece{entry.text, entry.complete, entry.ts_ns, at, line.size() + 1};
  const auto assembled = assemblers_[stream].add(piece, work.backing);
  if (assembled) {
    emit(stream, *assembled, work, out);
  } else {
    last_piece_[stream] = work.now;
  }
}

std::int64_t LogSource::raw_ts_ns() const {
  return last_ts_ns_ != 0 ? last_ts_ns_ : reading_.now_ns;
}

// The bytes from the cursor to `end` as they stand.
void LogSource::emit_raw(TailFile& file, std::uint64_t end, std::uint32_t flags, LogWorkspace& work,
                         LogRead& out) {
  if (cursor_ < done_[kOtherStream]) return;
  const auto length = end - cursor_.offset;
  work.entry.resize(std::min<std::uint64_t>(length, kMaxLineBytes + kRedactionMargin));
  work.entry.resize(file.read_raw(cursor_.offset, std::span(work.entry.data(), work.entry.size())));
  AssembledLine line;
  line.text = work.entry;
  line.ts_ns = raw_ts_ns();
  line.flags = flags;
  if (spec_.format == LogFormat::kPlain) {
    line.ts_ns = parse_leading_time(line.text, reading_).value_or(reading_.now_ns);
  } else {
    line.flags |= wire::log_flags::kMalformed;
  }
  line.line_bytes = length;
  line.raw_bytes = length + ((flags & wire::log_flags::kUnterminated) != 0 ? 0 : 1);
  line.at = cursor_;
  emit(kOtherStream, line, work, out);
  work.entry = {};
}

void LogSource::emit(std::size_t stream, const AssembledLine& line, LogWorkspace& work,
                     LogRead& out) {
  TraceJoiner::Line joined;
  joined.key_lines_before = key_lines_[stream];
  joined.shape = line.text;
  joined.text = line.text;
  joined.flags = line.flags;
  if (redactor_.redact_line(line.text, key_lines_[stream], work.redacted)) {
    joined.flags |= wire::log_flags::kRedacted;
    joined.text = work.redacted;
  }
  if (joined.text.size() > kMaxLineBytes || line.line_bytes > kMaxLineBytes) {
    joined.flags |= wire::log_flags::kTruncated;
    joined.original_bytes = line.line_bytes;
    joined.text = joined.text.substr(0, kMaxLineBytes);
  }
  joined.ts_ns = line.ts_ns;
  joined.raw_bytes = line.raw_bytes;
  joined.at = line.at;
  joiner_.add(stream, joined, work.now, out, counts_);
  uncommitted_ = true;
}

}  // namespace observeai::agent
