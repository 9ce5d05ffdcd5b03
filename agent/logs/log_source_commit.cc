// LogSource: what of a read is committed, taken back or given up.
#include <sys/statvfs.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "agent/logs/log_source.h"

namespace observeai::agent {

LogPosition LogSource::lowest(const StreamStates& states) const {
  return std::min({states[0].position, states[1].position, states[2].position});
}

void LogSource::finish_read(LogWorkspace& work, LogRead& out) {
  work.now = clock_.steady_now();
  flush_waiting(work, out);
  const bool stopped = !running_ || !listed_;
  const bool more = budget_ended_ && has_more();
  if (finished_ || (stopped && !more)) joiner_.close_all(out, counts_);
  joiner_.end_read(work.now, more, out, counts_);
  uncommitted_ = uncommitted_ || checkpoint_due_ || counts_.records_read > 0;
  for (const auto& [reason, bytes] : lost_bytes_) counts_.bytes_dropped[reason] += bytes;
  lost_bytes_delivered_ = std::exchange(lost_bytes_, {});
  out.events.insert(out.events.end(), events_.begin(), events_.end());
  events_delivered_ = events_.size();
  for (const auto& [reason, files] : given_up_) out.events.push_back(given_up_event(reason, files));
  given_up_delivered_ = std::exchange(given_up_, {});
  const bool moves_on = !finished_ && uncommitted_ && !chain_.empty();
  if (moves_on) {
    note_pending();
    // Told with the checkpoint that passes over them, and again after a rollback.
    late_counted_ = chain_.late_bytes(lowest(pending_));
    if (late_counted_ > 0) {
      counts_.bytes_dropped["late_write"] += late_counted_;
      out.events.push_back(late_event(late_counted_));
    }
  }
  if (counts_.records_read != 0 || counts_.bytes_read != 0 || !counts_.bytes_dropped.empty()) {
    out.counts.push_back(counts_);
  }
  if (finished_) {
    out.forgotten_sources.push_back(spec_.name);
    if (!known_) out.begun.push_back(spec_.name);
  }
  if (moves_on) add_checkpoint(out);
}

void LogSource::note_pending() {
  for (std::size_t s = 0; s < kLogStreams; ++s) {
    const auto read_to = assemblers_[s].open() ? assemblers_[s].first_piece() : cursor_;
    pending_[s] = {std::max(done_[s], read_to), key_lines_[s]};
    if (joiner_.open(s)) pending_[s] = {joiner_.first(s), joiner_.key_lines_before(s)};
  }
}

wire::Event LogSource::late_event(std::uint64_t bytes) const {
  return {clock_.unix_ms(),
          "logs.gap",
          spec_.target,
          wire::Severity::kWarning,
          std::to_string(bytes) + " bytes were written to a rotated file of " + path_ +
              " after its end was reached and are lost",
          {{"bytes", std::to_string(bytes)}, {"path", path_}}};
}

wire::Event LogSource::given_up_event(const std::string& reason, const GivenUp& files) const {
  const std::string which = files.files == 1
                                ? "a deleted or rotated file"
                                : std::to_string(files.files) + " deleted or rotated files";
  return {
      files.ts_ms,
      "logs.gap",
      spec_.target,
      wire::Severity::kWarning,
      std::to_string(files.bytes) + " bytes of " + which + " of " + path_ + " were given up unread",
      {{"bytes", std::to_string(files.bytes)}, {"path", path_}, {"reason", reason}}};
}

void LogSource::add_given_up(const std::string& reason, const GivenUp& files) {
  auto& all = given_up_[reason];
  all.files += files.files;
  all.bytes += files.bytes;
  all.ts_ms = std::max(all.ts_ms, files.ts_ms);
}

void LogSource::add_checkpoint(LogRead& out) {
  if (pending_ == committed_ && !checkpoint_due_) return;
  CheckpointState state{path_, chain_.read_before(), {}, pending_};
  for (const auto& file : chain_.files()) {
    const bool to_be_begun = file.number() == cursor_.file;
    if (file.touched() || to_be_begun) state.files.push_back({file.number(), file.print()});
  }
  out.checkpoints.push_back({spec_.name, encode_checkpoint(state)});
  checkpoint_delivered_ = true;
  if (!known_) out.begun.push_back(spec_.name);
}

void LogSource::committed() {
  known_ = std::exchange(checkpoint_delivered_, false) || known_;
  if (uncommitted_ && !chain_.empty()) {
    committed_ = pending_;
    checkpoint_due_ = false;
    // What came while the spool wrote is told with the next commit, which is due at once.
    const auto late = chain_.late_bytes(lowest(committed_));
    chain_.prune(lowest(committed_));
    if (late > late_counted_) {
      lost_bytes_["late_write"] += late - late_counted_;
      events_.push_back(late_event(late - late_counted_));
      ready_ = true;
    }
  }
  late_counted_ = 0;
  uncommitted_ = false;
  counts_.records_read = 0;
  counts_.bytes_read = 0;
  counts_.bytes_dropped.clear();
  lost_bytes_delivered_.clear();
  given_up_delivered_.clear();
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(events_delivered_));
  events_delivered_ = 0;
}

void LogSource::rollback() {
  late_counted_ = 0;
  checkpoint_delivered_ = false;
  counts_.records_read = 0;
  counts_.bytes_read = 0;
  counts_.bytes_dropped.clear();
  for (const auto& [reason, bytes] : lost_bytes_delivered_) lost_bytes_[reason] += bytes;
  lost_bytes_delivered_.clear();
  for (const auto& [reason, files] : given_up_delivered_) add_given_up(reason, files);
  given_up_delivered_.clear();
  events_delivered_ = 0;
  finished_ = false;
  if (!uncommitted_ || chain_.empty()) return;
  uncommitted_ = false;
  joiner_.reset();
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

void LogSource::hand_over(std::vector<SourceCounts>& counts, std::vector<wire::Event>& events) {
  if (!lost_bytes_.empty()) {
    SourceCounts lost;
    lost.source = spec_.name;
    lost.bytes_dropped = std::exchange(lost_bytes_, {});
    counts.push_back(std::move(lost));
  }
  events.insert(events.end(), std::make_move_iterator(events_.begin()),
                std::make_move_iterator(events_.end()));
  events_.clear();
  for (const auto& [reason, files] : std::exchange(given_up_, {}))
    events.push_back(given_up_event(reason, files));
}

// ---- disk space of deleted files ---------------------------------------------------------------

std::uint64_t LogSource::held_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& file : chain_.files()) {
    const auto facts = file.facts();
    if (facts && facts->links == 0) bytes += facts->size;
  }
  return bytes;
}

std::uint64_t LogSource::disk_bytes() const {
  struct statvfs disk {};
  if (chain_.empty() || ::fstatvfs(chain_.files().front().content().fd(), &disk) != 0) return 0;
  return std::uint64_t{disk.f_blocks} * disk.f_frsize;
}

bool LogSource::can_drop_oldest() const {
  if (chain_.size() != 1) return chain_.size() > 1;
  const auto facts = chain_.files().front().facts();
  return facts && facts->links == 0;
}

void LogSource::drop_oldest(const char* reason) {
  if (!can_drop_oldest()) return;
  // Open lines may have begun in that file: read again from the committed places.
  uncommitted_ = true;
  rollback();
  const auto& oldest = chain_.files().front();
  const auto from = cursor_.file == oldest.number() ? cursor_.offset : oldest.extent();
  const auto size = oldest.size();
  const auto lost = size > from ? size - from : 0;
  chain_.drop_oldest();
  if (lost > 0) {
    lost_bytes_[reason] += lost;
    add_given_up(reason, {1, lost, clock_.unix_ms()});
  }
  uncommitted_ = true;
  rollback();
}

}  // namespace observeai::agent
