#include <algorithm>
#include <utility>

#include "agent/logs/log_collector.h"

namespace observeai::agent {

void LogCollector::enforce_limits() {
  std::vector<std::pair<std::uint64_t, LogSource*>> holders;
  for (auto& [name, followed] : sources_) {
    auto& source = *followed.source;
    while (source.file_count() > options_.max_files_per_source)
      source.drop_oldest("too_many_files");
    if (const auto bytes = source.held_bytes(); bytes > 0) holders.emplace_back(bytes, &source);
  }
  if (!holders.empty()) enforce_held_limit(std::move(holders));
}

void LogCollector::enforce_held_limit(std::vector<std::pair<std::uint64_t, LogSource*>> holders) {
  std::sort(holders.rbegin(), holders.rend());
  std::uint64_t held = 0;
  for (const auto& [bytes, source] : holders) held += bytes;
  const auto disk = holders.front().second->disk_bytes();
  const auto part = disk / 100 * options_.max_held_percent;
  const auto limit = disk == 0 ? options_.max_held_bytes : std::min(options_.max_held_bytes, part);
  for (auto& [bytes, source] : holders) {
    while (held > limit && source->can_drop_oldest()) {
      const auto before = source->held_bytes();
      source->drop_oldest("held_limit");
      held -= before - source->held_bytes();
    }
  }
}

}  // namespace observeai::agent
