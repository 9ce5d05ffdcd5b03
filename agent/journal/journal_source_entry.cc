// JournalSource: what becomes of one entry.
#include <algorithm>

#include "agent/journal/journal_source.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::uint8_t kDebug = 7;
constexpr std::uint64_t kMicrosPerMinute = 60'000'000;

}  // namespace

void JournalSource::add(const JournalEntry& entry, LogCommit& out) {
  if (entry.unreadable) {
    auto& counts = counts_of(kJournalSource);
    ++counts.records_read;
    ++counts.records_dropped["unreadable"];
    return;
  }
  auto to = route(entry);
  if (!is_wanted(entry, to)) return;
  bound_target(to, out);
  if (is_container(to.target)) next_.containers[to.target] = clock_.steady_now();
  const char* reason = !entry.has_message         ? "no_message"
                       : is_over_own_limit(entry) ? "own_limit"
                                                  : nullptr;
  if (reason != nullptr) {
    auto& counts = counts_of(source_of(to.target));
    ++counts.records_read;
    counts.bytes_read += entry.message_bytes;
    ++counts.records_dropped[reason];
    return;
  }
  const LineKey key{to.target, to.stream};
  const auto open = open_lines_.find(key);
  if (open == open_lines_.end()) {
    if (entry.is_partial) {
      open_lines_.emplace(key, OpenLine{std::move(to), entry});
    } else {
      emit(to, entry, 0, out);
    }
    return;
  }
  auto& line = open->second.entry;
  line.message_bytes += entry.message_bytes;
  const auto room = kMaxJournalText + kJournalTextMargin - line.message.size();
  line.message.append(entry.message, 0, room);
  if (entry.is_partial) return;
  emit(open->second.route, line, 0, out);
  open_lines_.erase(open);
}

bool JournalSource::is_own(const JournalEntry& entry) const {
  return (options_.own_pid != 0 && entry.pid == options_.own_pid) ||
         (!options_.own_unit.empty() && entry.unit == options_.own_unit);
}

bool JournalSource::is_wanted(const JournalEntry& entry, const JournalRoute& to) const {
  if (entry.priority != kNoPriority && entry.priority > options_.max_priority) return false;
  if (is_own(entry) && entry.priority == kDebug) return false;
  if (is_container(to.target)) return true;
  if (matches_any(options_.exclude, to.selector)) return false;
  return options_.include.empty() || matches_any(options_.include, to.selector);
}

// By the entry's own time: the same answer whenever it is read.
bool JournalSource::is_over_own_limit(const JournalEntry& entry) {
  if (!is_own(entry)) return false;
  const auto minute = entry.cursor.realtime_us / kMicrosPerMinute;
  if (minute != next_.own_minute) {
    next_.own_minute = minute;
    next_.own_lines = 0;
  }
  return ++next_.own_lines > kOwnLinesPerMinute;
}

// Names without end (a unit for each connection) must not fill the ledger.
void JournalSource::bound_target(JournalRoute& to, LogCommit& out) {
  if (knows(to.target)) return;
  const auto pattern = template_of(to.unit);
  if (!pattern.empty()) {
    const std::string begin = "unit/" + pattern.substr(0, pattern.find('@') + 1);
    const auto count_in = [&begin](const std::set<wire::Target>& targets) {
      std::size_t count = 0;
      for (auto it = targets.lower_bound(begin); it != targets.end() && it->starts_with(begin);
           ++it)
        ++count;
      return count;
    };
    if (count_in(targets_) + count_in(next_.new_targets) >= kMaxInstances) {
      to.target = "unit/" + pattern;
      to.wants_prefix = true;
      if (knows(to.target)) return;
    }
  }
  if (targets_.size() + next_.new_targets.size() >= kMaxTargets && to.target != wire::kHostTarget) {
    if (!std::exchange(next_.limit_told, true)) {
      add_event("logs.targets_limit", wire::Severity::kWarning,
                "more than " + std::to_string(kMaxTargets) +
                    " units and containers write to the journal; lines of further ones are kept "
                    "under the host",
                {{"source", kJournalSource}}, out);
    }
    to.target = wire::kHostTarget;
    to.wants_prefix = true;
    if (knows(to.target)) return;
  }
  next_.new_targets.insert(to.target);
}

bool JournalSource::knows(const wire::Target& target) const {
  return targets_.contains(target) || next_.new_targets.contains(target);
}

void JournalSource::emit(const JournalRoute& to, const JournalEntry& entry, std::uint32_t flags,
                         LogCommit& out) {
  auto& counts = counts_of(source_of(to.target));
  ++counts.records_read;
  counts.bytes_read += entry.message_bytes;

  auto& record = out.records.emplace_back();
  record.target = to.target;
  record.stream = to.stream;
  record.ts_ns = static_cast<std::int64_t>(entry.cursor.realtime_us) * 1000;
  record.flags = flags;
  record.text = entry.message;
  if (redact(to.target, record.text)) record.flags |= wire::log_flags::kRedacted;
  if (record.text.size() > kMaxJournalText || entry.message_bytes > kMaxJournalText) {
    record.flags |= wire::log_flags::kTruncated;
    record.original_bytes = entry.message_bytes;
    record.text.resize(std::min(record.text.size(), kMaxJournalText));
  }
  if (record.text.ends_with('\n')) record.text.pop_back();
  if (to.wants_prefix) record.text.insert(0, line_prefix(entry));
}

// A private key may be logged line by line, or with several lines in one entry.
bool JournalSource::redact(const wire::Target& target, std::string& text) {
  auto& key_lines = next_.state.key_lines[target];
  std::string out;
  bool changed = false;
  if (key_lines > 0 && text.find('\n') != std::string::npos) {
    std::string line_out;
    for (const auto line : text::split(text, '\n')) {
      const bool line_changed = redact_(line, key_lines, line_out);
      if (!out.empty() || line.data() != text.data()) out += '\n';
      out += line_changed ? std::string_view(line_out) : line;
      changed = changed || line_changed;
    }
  } else {
    changed = redact_(text, key_lines, out);
  }
  note_key_block(target);
  if (changed) text = std::move(out);
  return changed;
}

// A block that never ends (a BEGIN line alone) stays open for ever: the one that was quiet for longest
// makes room, for a key's lines come within moments.
void JournalSource::note_key_block(const wire::Target& target) {
  auto& open = next_.state.key_lines;
  if (open[target] == 0) {
    forget_key_block(target);
    return;
  }
  next_.key_turns[target] = ++next_.key_turn;
  if (open.size() <= kMaxOpenKeyBlocks) return;
  const auto turn = [this](const auto& block) {
    const auto found = next_.key_turns.find(block.first);
    return found == next_.key_turns.end() ? 0 : found->second;  // 0: not since the start
  };
  const auto quietest = std::min_element(
      open.begin(), open.end(), [&](const auto& a, const auto& b) { return turn(a) < turn(b); });
  forget_key_block(wire::Target(quietest->first));
}

void JournalSource::forget_key_block(const wire::Target& target) {
  next_.state.key_lines.erase(target);
  next_.key_turns.erase(target);
}

SourceCounts& JournalSource::counts_of(const std::string& source) {
  auto& counts = counts_[source];
  counts.source = source;
  return counts;
}

}  // namespace observeai::agent
