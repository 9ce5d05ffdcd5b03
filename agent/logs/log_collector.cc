#include "agent/logs/log_collector.h"

#include <algorithm>
#include <set>

namespace observeai::agent {
namespace {

constexpr std::string_view kSourcePrefix = "log/container/";
// What one source may read before the next one has its turn.
constexpr std::size_t kSliceBytes = 128U << 10;

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

// The log itself or one of its rotated siblings.
bool concerns(const std::string& path, const std::string& name) {
  const auto slash = path.rfind('/');
  return name.starts_with(
      std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1));
}

bool is_running(const std::string& state) {
  return state != "exited" && state != "dead" && state != "removing";
}

}  // namespace

LogCollector::LogCollector(const Clock& clock, LogCollectorOptions options)
    : clock_(clock), options_(options) {}

LogCollector::Followed& LogCollector::follow(const std::string& container_id) {
  auto& followed = sources_[std::string(kSourcePrefix) + container_id];
  if (!followed.source) {
    followed.source =
        std::make_unique<LogSource>(container_id, clock_, redactor_, options_.idle_flush);
  }
  return followed;
}

void LogCollector::restore(std::span<const SourceCheckpoint> checkpoints) {
  for (const auto& checkpoint : checkpoints) {
    auto state = parse_checkpoint(checkpoint.state);
    const bool known = checkpoint.source.starts_with(kSourcePrefix);
    if (state && known) {
      auto& followed = follow(checkpoint.source.substr(kSourcePrefix.size()));
      followed.source->restore(std::move(*state));
      add_watch(followed);
      followed.source->refresh(false);
      continue;
    }
    ++invalid_checkpoints_;
    events_.push_back({clock_.unix_ms(),
                       "logs.checkpoint_invalid",
                       wire::kHostTarget,
                       wire::Severity::kError,
                       "the place read to in " + checkpoint.source + " is not readable (" +
                           (state ? "unknown kind of source" : state.error().message()) +
                           "); it is read from its oldest file, lines may come twice",
                       {{"source", checkpoint.source}}});
  }
}

void LogCollector::set_containers(std::span<const ObservedContainer> containers) {
  std::set<std::string> listed;
  for (const auto& container : containers) {
    if (container.log_path.empty()) continue;
    auto& followed = follow(container.facts.id);
    auto& source = *followed.source;
    listed.insert(source.name());
    if (source.path() != container.log_path) drop_watch(followed);
    source.set_container(container.log_path, is_running(container.facts.state));
    // The watch first: what happens after the look is then seen.
    add_watch(followed);
    source.refresh(false);
    source.wake();
  }
  for (auto& [name, followed] : sources_) {
    if (listed.contains(name)) continue;
    followed.source->unlist();
    followed.source->refresh(false);
    followed.source->wake();
  }
}

void LogCollector::add_watch(Followed& followed) {
  if (followed.watch >= 0) return;
  const auto added = watch_.add(folder_of(followed.source->path()));
  if (added) {
    followed.watch = *added;
    followed.watch_failure_reported = false;
    return;
  }
  const bool no_folder_yet = added.error().code() == Errc::kNotFound;
  if (no_folder_yet || followed.watch_failure_reported) return;
  followed.watch_failure_reported = true;
  followed.source->add_event("logs.watch_failed", wire::Severity::kWarning,
                             added.error().message() + "; the log is polled instead",
                             {{"path", followed.source->path()}});
}

void LogCollector::drop_watch(Followed& followed) {
  if (followed.watch < 0) return;
  const auto watch = std::exchange(followed.watch, -1);
  const bool shared = std::any_of(sources_.begin(), sources_.end(),
                                  [&](const auto& entry) { return entry.second.watch == watch; });
  if (!shared) watch_.remove(watch);
}

void LogCollector::on_wake() {
  bool overflow = false;
  const auto changes = watch_.drain(overflow);
  std::multimap<int, Followed*> by_watch;
  for (auto& [name, followed] : sources_) {
    if (followed.watch >= 0) by_watch.emplace(followed.watch, &followed);
  }
  std::set<LogSource*> names_changed;
  for (const auto& change : changes) {
    const auto [first, last] = by_watch.equal_range(change.watch);
    for (auto it = first; it != last; ++it) {
      auto& followed = *it->second;
      if (change.gone) {
        followed.watch = -1;
      } else if (concerns(followed.source->path(), change.name)) {
        followed.source->wake();
        if (change.named) names_changed.insert(followed.source.get());
      }
    }
  }
  for (auto& [name, followed] : sources_) {
    if (overflow || names_changed.contains(followed.source.get())) followed.source->refresh(true);
  }
}

void LogCollector::poll() {
  last_poll_ = clock_.steady_now();
  for (auto& [name, followed] : sources_) {
    add_watch(followed);
    followed.source->refresh(followed.watch < 0);
  }
  enforce_limits();
}

void LogCollector::enforce_limits() {
  std::uint64_t held = 0;
  std::vector<std::pair<std::uint64_t, LogSource*>> holders;
  for (auto& [name, followed] : sources_) {
    auto& source = *followed.source;
    while (source.file_count() > options_.max_files_per_source)
      source.drop_oldest("too_many_files");
    if (const auto bytes = source.held_bytes(); bytes > 0) {
      held += bytes;
      holders.emplace_back(bytes, &source);
    }
  }
  std::sort(holders.rbegin(), holders.rend());
  for (auto& [bytes, source] : holders) {
    while (held > options_.max_held_bytes && source->file_count() > 1) {
      const auto before = source->held_bytes();
      source->drop_oldest("held_limit");
      held -= before - source->held_bytes();
    }
  }
}

LogRead LogCollector::read(std::size_t max_bytes) {
  if (outstanding_) rollback();
  if (!last_poll_ || clock_.steady_now() - *last_poll_ >= options_.poll_interval) poll();
  LogRead out;
  // Whole rounds, beginning where the last read ended, until nothing is left or the bytes are used
  // up.
  bool progress = true;
  auto place = sources_.lower_bound(next_source_);
  while (progress && out.raw_bytes < max_bytes) {
    progress = false;
    for (std::size_t i = 0; i < sources_.size() && out.raw_bytes < max_bytes; ++i) {
      if (place == sources_.end()) place = sources_.begin();
      auto& source = *place->second.source;
      ++place;
      if (!source.ready()) continue;
      const auto budget = std::min<std::size_t>(kSliceBytes, max_bytes - out.raw_bytes);
      progress = source.read(budget, work_, out) > 0 || progress;
    }
  }
  next_source_ = place == sources_.end() ? std::string() : place->first;
  for (auto& [name, followed] : sources_) followed.source->finish_read(work_, out);
  out.events.insert(out.events.end(), events_.begin(), events_.end());
  events_delivered_ = events_.size();
  outstanding_ = true;
  return out;
}

void LogCollector::committed() {
  if (!outstanding_) return;
  outstanding_ = false;
  for (auto it = sources_.begin(); it != sources_.end();) {
    if (it->second.source->finished()) {
      drop_watch(it->second);
      it = sources_.erase(it);
      continue;
    }
    it->second.source->committed();
    ++it;
  }
  events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(events_delivered_));
  events_delivered_ = 0;
}

void LogCollector::rollback() {
  if (!outstanding_) return;
  outstanding_ = false;
  for (auto& [name, followed] : sources_) followed.source->rollback();
  events_delivered_ = 0;
}

bool LogCollector::more() const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const auto& entry) { return entry.second.source->ready(); });
}

}  // namespace observeai::agent
