#include "agent/logs/log_source.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace observeai::agent {
namespace {

// The place behind the last newline of the first `size` bytes, as far as a line is long.
std::uint64_t last_line_end(const LogContent& content, std::uint64_t size) {
  std::array<char, 16384> block{};
  const auto lowest = size > kMaxLineBytes ? size - kMaxLineBytes : 0;
  for (auto end = size; end > lowest;) {
    const auto begin = end - std::min<std::uint64_t>(block.size(), end - lowest);
    const auto bytes = std::span(block).first(static_cast<std::size_t>(end - begin));
    if (!content.read_exactly(begin, bytes)) return size;
    const auto newline = std::string_view(bytes.data(), bytes.size()).rfind('\n');
    if (newline != std::string_view::npos) return begin + newline + 1;
    end = begin;
  }
  return lowest == 0 ? 0 : size;
}

}  // namespace

LogSource::LogSource(LogSourceSpec spec, const Clock& clock, const Redactor& redactor)
    : spec_(std::move(spec)),
      clock_(clock),
      redactor_(redactor),
      chain_(has_unique_heads(spec_.format)),
      joiner_(spec_.target, spec_.join_traces) {
  counts_.source = spec_.name;
}

void LogSource::follow(const std::string& path, bool running) {
  path_ = path;
  listed_ = true;
  running_ = running;
}

void LogSource::restore(CheckpointState state) {
  path_ = state.path;
  restored_ = std::move(state);
  known_ = true;
}

// ---- names -------------------------------------------------------------------------------------

void LogSource::refresh(bool thorough) {
  if (finished_) return;
  const auto facts = stat_file(path_);
  const bool missing = !facts && facts.error().code() == Errc::kNotFound;
  if (missing && !std::exchange(path_missing_, missing)) missing_since_ = clock_.steady_now();
  path_missing_ = missing;
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
  auto seen = open_files();
  retry_names_ = !seen;
  if (!seen) {
    surveys_.clear();
    note_failure(seen.error());
    // The folder went with the container: what is open is all there is.
    if (chain_.empty() || seen.error().code() != Errc::kNotFound) return false;
    seen = std::vector<SeenFile>();
  } else {
    failure_reported_ = false;
  }
  if (!survey(*seen)) return false;
  if (chain_.empty() && !restored_) begin_old_at_end(*seen);
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

// Finds out whether compressed siblings hold what was read, one slice at a time. False: not yet;
// read() goes on with it.
bool LogSource::survey(std::vector<SeenFile>& seen) {
  auto prints = chain_.prints();
  if (restored_) {
    prints.insert(prints.end(), restored_->read_before.begin(), restored_->read_before.end());
    for (const auto& file : restored_->files) prints.push_back(file.print);
  }
  std::erase_if(prints, [](const FilePrint& print) { return print.extent == 0; });
  std::vector<std::shared_ptr<GzipSurvey>> surveys;
  std::uint64_t decoded = 0;
  bool complete = true;
  for (auto& file : seen) {
    if (!file.content.compressed() || chain_.knows_compressed(file.facts.key)) continue;
    const auto begun = std::find_if(surveys_.begin(), surveys_.end(), [&](const auto& survey) {
      return survey->key() == file.facts.key;
    });
    auto survey = begun == surveys_.end() ? std::make_shared<GzipSurvey>(file) : *begun;
    survey->ask(prints);
    complete = survey->advance(kDecodeSlice, decoded) && complete;
    file.survey = survey;
    surveys.push_back(std::move(survey));
  }
  surveys_ = complete ? std::vector<std::shared_ptr<GzipSurvey>>() : std::move(surveys);
  return complete;
}

Result<std::vector<SeenFile>> LogSource::open_files() const {
  const bool plain = spec_.format == LogFormat::kPlain;
  return open_siblings(path_, plain ? Links::kTrusted : Links::kRefused);
}

// What stands in files that are older than our following them is passed over: the live file goes
// on behind its last whole line, as if a checkpoint said so.
void LogSource::begin_old_at_end(std::vector<SeenFile>& seen) {
  const auto is_old = [&](const SeenFile& file) {
    const auto birth_ns = file.facts.key.birth_ns;
    return birth_ns != 0 ? birth_ns < old_birth_ns_ : unknown_is_old_;
  };
  std::erase_if(seen, [&](const SeenFile& file) { return !file.live && is_old(file); });
  if (seen.empty() || !seen.back().live || !is_old(seen.back())) return;
  const auto& live = seen.back();
  UniqueFd same(::fcntl(live.content.fd(), F_DUPFD_CLOEXEC, 0));
  TailFile passed(SeenFile{LogContent(std::move(same), live.path), live.facts, live.path}, 1);
  passed.consumed_through(last_line_end(passed.content(), live.facts.size));
  const LogPosition start{1, passed.extent()};
  if (start.offset == 0) return;
  restored_ = CheckpointState{path_, {}, {{start.file, passed.print()}}, {}};
  for (auto& stream : restored_->streams) stream.position = start;
  checkpoint_due_ = true;
  add_event("logs.skipped", wire::Severity::kInfo,
            std::to_string(start.offset) + " bytes of " + path_ +
                " are older than the following of this log and are not read; "
                "`logs.read_existing = true` reads them",
            {{"bytes", std::to_string(start.offset)}, {"path", path_}});
}

bool LogSource::attach(std::vector<SeenFile> seen, LogNotes& notes) {
  LogChain chain(has_unique_heads(spec_.format));
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
      {clock_.unix_ms(), kind, spec_.target, severity, std::move(message), std::move(attributes)});
}

void LogSource::add_notes(LogNotes& notes) {
  for (auto& note : notes) {
    add_event(note.kind.c_str(), note.severity, std::move(note.message),
              std::move(note.attributes));
  }
}

// ---- lines that wait ---------------------------------------------------------------------------

void LogSource::flush_stream(std::size_t stream, LogWorkspace& work, LogRead& out) {
  if (const auto line = assemblers_[stream].flush(work.backing)) emit(stream, *line, work, out);
}

// What follows must not be joined to anything before it.
void LogSource::flush_all(LogWorkspace& work, LogRead& out) {
  for (std::size_t s = 0; s < kLogStreams; ++s) flush_stream(s, work, out);
  joiner_.close_all(out, counts_);
}

// Only at the end of everything written: a line whose rest waits in the file is not idle.
void LogSource::flush_waiting(LogWorkspace& work, LogRead& out) {
  if (has_more()) return;
  const bool drained_for_good = gone_for_good();
  if (chain_.empty()) {
    if (!drained_for_good) return;
    if (restored_) {
      add_event("logs.gap", wire::Severity::kInfo,
                "the log " + path_ +
                    " went while nobody read; what was written after the last committed line, if "
                    "anything, is lost",
                {{"path", path_}});
    }
    finished_ = true;
    return;
  }
  const auto now = clock_.steady_now();
  const bool stopped = !running_ || !listed_;
  for (std::size_t s = 0; s < kLogStreams; ++s) {
    if (assemblers_[s].open() && (stopped || now - last_piece_[s] >= spec_.idle_flush))
      flush_stream(s, work, out);
  }
  flush_half_line(stopped, drained_for_good, work, out);
  finished_ = drained_for_good;
}

// The bytes behind the last newline of the live file. In a container's log they are a part of an
// entry that is just being written; in a plain one they may be a line that stays without end.
void LogSource::flush_half_line(bool stopped, bool for_good, LogWorkspace& work, LogRead& out) {
  auto& live = chain_.files().back();
  if (left_over_end_ <= cursor_.offset || cursor_.file != live.number()) return;
  const bool idle = clock_.steady_now() - left_over_since_ >= spec_.idle_flush;
  const bool may_stay = stopped || spec_.format == LogFormat::kPlain;
  if (!for_good && !(may_stay && idle)) return;
  flush_all(work, out);
  emit_raw(live, left_over_end_, wire::log_flags::kUnterminated, work, out);
  live.consumed_through(left_over_end_);
  cursor_.offset = left_over_end_;
}

// The source is no longer listed and nothing of it is left to be read, now or later.
bool LogSource::gone_for_good() {
  if (listed_ || !path_missing_) return false;
  if (spec_.format == LogFormat::kDockerJson)
    return true;  // Docker says that the container is gone
  // The log may only be between rename and creation (the kubelet asks the runtime for the new one), or
  // come back when its writer starts; then it must be known which of the rotated files were read.
  if (clock_.steady_now() - missing_since_ < kForgetAfter) return false;
  const auto left = open_files();
  if (left ? left->empty() : left.error().code() == Errc::kNotFound) return true;
  missing_since_ = clock_.steady_now();
  return false;
}

}  // namespace observeai::agent
