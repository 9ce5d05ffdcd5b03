#include "agent/journal/journal_source.h"

#include <algorithm>
#include <numeric>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kWideBytes = 4U << 20;  // Holds a line of kMaxJournalText among others
// A container that no runtime tells of (podman, Docker switched off) may be quiet for long.
constexpr std::chrono::hours kForgetUnlisted(24);

std::uint64_t now_us(const Clock& clock) {
  return static_cast<std::uint64_t>(to_unix_ns(clock.wall_now()) / 1000);
}

std::string time_of(std::uint64_t realtime_us) {
  return text::format_time_ms(static_cast<std::int64_t>(realtime_us / 1000));
}

}  // namespace

std::vector<SourceCheckpoint> take_journal_checkpoints(std::vector<SourceCheckpoint>& all) {
  const auto first = std::stable_partition(
      all.begin(), all.end(), [](const auto& one) { return !is_journal_state(one.state); });
  std::vector<SourceCheckpoint> journals(std::make_move_iterator(first),
                                         std::make_move_iterator(all.end()));
  all.erase(first, all.end());
  return journals;
}

JournalSource::JournalSource(const Clock& clock, RedactLine redact, JournalOptions options)
    : clock_(clock), redact_(std::move(redact)), options_(std::move(options)) {
  const auto back = static_cast<std::uint64_t>(options_.backfill.count()) * 1000;
  const auto now = now_us(clock);
  now_.state.position.since_us = now > back ? now - back : 0;
}

void JournalSource::restore(std::span<const SourceCheckpoint> checkpoints) {
  for (const auto& checkpoint : checkpoints) {
    if (checkpoint.source != kJournalSource) {
      const auto target = checkpoint.source.substr(source_of("").size());
      targets_.insert(target);
      if (is_container(target)) now_.containers[target] = clock_.steady_now();
      continue;
    }
    auto state = parse_journal_state(checkpoint.state);
    if (state) {
      now_.state = std::move(*state);
      stored_ = now_.state;
      stored_at_ = clock_.steady_now();
      continue;
    }
    restore_events_.push_back(
        {clock_.unix_ms(),
         "logs.checkpoint_invalid",
         wire::kHostTarget,
         wire::Severity::kError,
         "the place read to in the journal is not readable (" + state.error().message() +
             "); it is read as at the first start, entries may come twice or be missing",
         {{"source", kJournalSource}}});
  }
}

void JournalSource::set_containers(std::span<const ObservedContainer> containers) {
  auto before = std::move(listed_);
  listed_.clear();
  for (const auto& container : containers) listed_.insert(container_target(container.facts.id));
  for (const auto& target : before) {
    if (!listed_.contains(target) && now_.containers.contains(target)) gone_.insert(target);
  }
}

JournalLimits JournalSource::limits() const {
  JournalLimits limits;
  if (blocked_) limits.max_bytes = kWideBytes;
  return limits;
}

bool JournalSource::wants_second_look(const JournalRead& read) const {
  SequenceWatch watch(now_.state.sequence);
  const auto any_hole = [&watch](bool found, const JournalEntry& entry) {
    return watch.saw(entry.cursor) || found;
  };
  return !read.place_found ||
         std::accumulate(read.entries.begin(), read.entries.end(), false, any_hole);
}

// ---- a batch -----------------------------------------------------------------------------------

LogCommit JournalSource::take(const JournalRead& read) {
  if (outstanding_) rollback();
  next_ = now_;
  outstanding_ = true;
  counts_.clear();
  LogCommit out;
  out.events = restore_events_;
  const std::size_t count = whole_entries(read);
  const bool at_end = read.at_end && count == read.entries.size();
  if (count > 0) note_place(read, out);
  note_damage(read, out);
  SequenceWatch watch(std::move(next_.state.sequence));
  for (std::size_t i = 0; i < count; ++i) {
    watch.saw(read.entries[i].cursor);
    add(read.entries[i], out);
  }
  auto lines = std::move(open_lines_);
  open_lines_.clear();
  for (const auto& [key, line] : lines)
    emit(line.route, line.entry, wire::log_flags::kUnterminated, out);
  if (count > 0) next_.state.position = {read.entries[count - 1].cursor, 0};
  note_losses(watch.take_losses(at_end), out);
  next_.state.sequence = watch.state();
  forget_containers(at_end);
  for (auto& [source, counts] : counts_) out.counts.push_back(std::move(counts));
  for (const auto& target : next_.forgotten) out.forgotten_sources.push_back(source_of(target));
  add_checkpoints(out);
  return out;
}

// How many entries can be taken: those before the first piece of a line whose rest is still to come.
std::size_t JournalSource::whole_entries(const JournalRead& read) {
  struct Waiting {
    std::size_t first = 0;
    std::uint64_t bytes = 0;
    std::uint64_t last_us = 0;
  };
  std::map<LineKey, Waiting> waiting;
  for (std::size_t i = 0; i < read.entries.size(); ++i) {
    const auto& entry = read.entries[i];
    if (entry.container_id.empty()) continue;
    const auto to = route(entry);
    const LineKey key{to.target, to.stream};
    if (!entry.is_partial) {
      waiting.erase(key);
      continue;
    }
    auto& line = waiting.try_emplace(key, Waiting{i, 0, 0}).first->second;
    line.bytes += entry.message.size();
    line.last_us = entry.cursor.realtime_us;
  }
  const auto now = now_us(clock_);
  const auto patience = static_cast<std::uint64_t>(kPartialWait / std::chrono::microseconds(1));
  std::size_t whole = read.entries.size();
  for (const auto& [key, line] : waiting) {
    const bool may_come = !read.at_end || (now >= line.last_us && now - line.last_us < patience);
    if (line.bytes < kMaxJournalText && may_come) whole = std::min(whole, line.first);
  }
  const bool held = whole == 0 && !read.entries.empty();
  if (held && !read.at_end && blocked_) whole = read.entries.size();  // Nor within the wide limits
  blocked_ = held && !read.at_end && !blocked_;
  return whole;
}

void JournalSource::note_place(const JournalRead& read, LogCommit& out) {
  const auto& before = now_.state.position.after;
  const auto& first = read.entries.front().cursor;
  // In a chain that is known the numbers tell what is missing.
  if (read.place_found || !before) return;
  if (SequenceWatch(now_.state.sequence).knows(first.chain)) return;
  add_event("logs.gap", wire::Severity::kWarning,
            "the journal's entry of " + time_of(before->realtime_us) +
                ", the last one read, is gone; reading goes on at " + time_of(first.realtime_us) +
                (first.boot == before->boot ? "" : ", after a restart of the host") +
                " in files that were begun anew: what was written in between, if anything, is lost",
            {{"from", time_of(before->realtime_us)},
             {"source", kJournalSource},
             {"until", time_of(first.realtime_us)}},
            out);
}

void JournalSource::note_damage(const JournalRead& read, LogCommit& out) {
  if (read.damage.empty()) {
    if (read.at_end) next_.damage_told = false;
    return;
  }
  if (std::exchange(next_.damage_told, true)) return;
  add_event("logs.unreadable", wire::Severity::kWarning, read.damage + "; what can be read is read",
            {{"source", kJournalSource}}, out);
}

void JournalSource::note_losses(const std::vector<SequenceLoss>& losses, LogCommit& out) {
  for (const auto& loss : losses) {
    auto& counts = counts_of(kJournalSource);
    counts.records_read += loss.records;
    counts.records_dropped["never_read"] += loss.records;
    add_event("logs.gap", wire::Severity::kWarning,
              std::to_string(loss.records) + " entries of the journal from before " +
                  time_of(loss.before_us) +
                  " were removed (vacuum) or damaged before they were read",
              {{"records", std::to_string(loss.records)},
               {"source", kJournalSource},
               {"until", time_of(loss.before_us)}},
              out);
  }
}

// ---- commit ------------------------------------------------------------------------------------

// Of containers that are gone: nothing more will come.
void JournalSource::forget_containers(bool at_end) {
  if (!at_end) return;
  const auto now = clock_.steady_now();
  for (const auto& [target, last] : next_.containers) {
    const auto after = gone_.contains(target) ? SteadyTime::duration(kForgetAfter)
                                              : SteadyTime::duration(kForgetUnlisted);
    if (!listed_.contains(target) && now - last >= after) next_.forgotten.insert(target);
  }
  for (const auto& target : next_.forgotten) {
    next_.containers.erase(target);
    forget_key_block(target);
  }
}

void JournalSource::add_checkpoints(LogCommit& out) {
  const auto now = clock_.steady_now();
  storing_ = false;
  if (stored_ == next_.state) return;
  // A place alone can wait: what lies before it was left out, and will be again.
  if (stored_ && out.empty() && now - stored_at_ < kStoreAfter) return;
  out.checkpoints.push_back({kJournalSource, encode_journal_state(next_.state)});
  for (const auto& target : next_.new_targets)
    out.checkpoints.push_back({source_of(target), kJournalTargetState});
  storing_ = true;
}

void JournalSource::committed() {
  if (!outstanding_) return;
  outstanding_ = false;
  now_ = std::move(next_);
  targets_.merge(now_.new_targets);
  now_.new_targets.clear();
  for (const auto& target : now_.forgotten) {
    targets_.erase(target);
    gone_.erase(target);
  }
  now_.forgotten.clear();
  restore_events_.clear();
  if (!storing_) return;
  stored_ = now_.state;
  stored_at_ = clock_.steady_now();
}

void JournalSource::rollback() {
  outstanding_ = false;
}

void JournalSource::add_event(const char* kind, wire::Severity severity, std::string message,
                              wire::Labels attributes, LogCommit& out) const {
  out.events.push_back({clock_.unix_ms(), kind, wire::kHostTarget, severity, std::move(message),
                        std::move(attributes)});
}

}  // namespace observeai::agent
