#include "agent/app/log_line_counts.h"

#include <algorithm>

#include "agent/app/error_line.h"

namespace observeai::agent {

void LogLineCounts::look(const LogCommit& logs) {
  pending_.clear();
  for (const wire::LogRecord& record : logs.records) {
    Pending& pending = pending_of(record.target);
    ++(is_error_line(record.text) ? pending.errors : pending.others);
  }
  // Sampling leaves no error out.
  constexpr std::string_view kLogs = "log/";
  for (const SourceCounts& counts : logs.counts) {
    const auto sampled = counts.records_dropped.find("sampled");
    if (sampled == counts.records_dropped.end() || !counts.source.starts_with(kLogs)) continue;
    pending_of(std::string_view(counts.source).substr(kLogs.size())).others += sampled->second;
  }
}

// Records come in runs of one target.
LogLineCounts::Pending& LogLineCounts::pending_of(std::string_view target) {
  if (!pending_.empty() && pending_.back().target == target) return pending_.back();
  const auto found = std::ranges::find(pending_, target, &Pending::target);
  if (found != pending_.end()) return *found;
  return pending_.emplace_back(Pending{std::string(target), 0, 0});
}

void LogLineCounts::taken() {
  ++commits_;
  for (const Pending& pending : pending_) {
    Counts& counts = targets_[pending.target];
    counts.errors += pending.errors;
    counts.others += pending.others;
    counts.used = commits_;
  }
  pending_.clear();
  while (targets_.size() > kMaxTargets) {
    targets_.erase(std::ranges::min_element(targets_, {},
                                            [](const auto& entry) { return entry.second.used; }));
  }
}

std::vector<LogLines> LogLineCounts::all() const {
  std::vector<LogLines> out;
  out.reserve(targets_.size());
  for (const auto& [target, counts] : targets_) {
    out.push_back({target, counts.errors, counts.others});
  }
  return out;
}

}  // namespace observeai::agent
