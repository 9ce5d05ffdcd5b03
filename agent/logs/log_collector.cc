#include "agent/logs/log_collector.h"

#include <algorithm>
#include <set>
#include <utility>

namespace observeai::agent {
namespace {

constexpr std::string_view kContainerPrefix = "log/container/";
// Of records kept for the next read: those of one MiB of json-file, as a rule.
constexpr std::size_t kMaxSpareBytes = 4U << 20;
// They are given back when no read was this large for so long: a busy log's reads differ in size.
constexpr std::uint64_t kBusyReadBytes = 128U << 10;
constexpr std::chrono::seconds kBusyFor{1};
constexpr std::string_view kLogPrefix = "log/";  // Other sources are not this collector's

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
    : clock_(clock), options_(std::move(options)), files_(options_.files) {}

LogSourceSpec LogCollector::container_spec(const std::string& container_id) const {
  return {std::string(kContainerPrefix) + container_id, container_target(container_id),
          LogFormat::kDockerJson, options_.join_traces, options_.idle_flush};
}

LogSourceSpec LogCollector::file_spec(const std::string& path, LogFormat format) const {
  return {log_source_name(path, format), log_target(path, format), format, options_.join_traces,
          options_.idle_flush};
}

std::optional<LogSourceSpec> LogCollector::spec_of(const std::string& source) const {
  if (source.starts_with(kContainerPrefix))
    return container_spec(source.substr(kContainerPrefix.size()));
  if (const auto file = parse_log_source_name(source)) return file_spec(file->path, file->format);
  return std::nullopt;
}

LogCollector::Followed& LogCollector::follow(LogSourceSpec spec) {
  auto& followed = sources_[spec.name];
  if (!followed.source)
    followed.source = std::make_unique<LogSource>(std::move(spec), clock_, redactor_);
  return followed;
}

void LogCollector::forget_invalid(const std::string& source, const std::string& why) {
  if (!invalid_told_.insert(source).second) return;
  ++invalid_checkpoints_;
  events_.push_back({clock_.unix_ms(),
                     "logs.checkpoint_invalid",
                     wire::kHostTarget,
                     wire::Severity::kError,
                     "the place read to in " + source + " is not readable (" + why +
                         "); it is read from its oldest file, lines may come twice",
                     {{"source", source}}});
}

void LogCollector::set_mounts(std::shared_ptr<const RemoteMounts> mounts) {
  mounts_ = std::move(mounts);
  files_.set_mounts(mounts_);
  PlaceFinder finder(*mounts_);
  std::vector<std::string> elsewhere;
  for (const auto& [name, followed] : sources_) {
    if (finder.place_of(followed.source->path()) != options_.files.place) elsewhere.push_back(name);
  }
  for (const auto& name : elsewhere) let_go(name);
}

void LogCollector::let_go(const std::string& source) {
  const auto found = sources_.find(source);
  if (found == sources_.end()) return;
  found->second.source->hand_over(left_counts_, events_);
  drop_watch(found->second);
  sources_.erase(found);
}

LogRead LogCollector::let_go_all() {
  while (!sources_.empty()) let_go(std::string(sources_.begin()->first));
  LogRead out;
  out.counts = std::exchange(left_counts_, {});
  out.events = std::exchange(events_, {});
  return out;
}

void LogCollector::restore(std::span<const SourceCheckpoint> checkpoints,
                           std::span<const ObservedContainer> containers) {
  PlaceFinder finder(*mounts_);
  LogPaths paths;
  for (const auto& container : containers) {
    if (!container.log_path.empty())
      paths.emplace(std::string(kContainerPrefix) + container.facts.id, container.log_path);
  }
  for (const auto& checkpoint : checkpoints) {
    if (checkpoint.source.starts_with(kLogPrefix)) restore_source(checkpoint, paths, finder);
  }
}

void LogCollector::restore_source(const SourceCheckpoint& checkpoint, const LogPaths& paths,
                                  PlaceFinder& finder) {
  const auto& [source, text] = checkpoint;
  if (source == files_.source()) {
    if (files_.restored()) return;
    if (const auto restored = files_.restore(text); !restored)
      forget_invalid(source, restored.error().message());
    return;
  }
  if (place_of_files(source) || sources_.contains(source)) return;
  auto spec = spec_of(source);
  auto state = parse_checkpoint(text);
  if (!spec || !state) {
    if (is_local())
      forget_invalid(source, spec ? state.error().message() : "unknown kind of source");
    return;
  }
  if (const auto now = paths.find(source); now != paths.end()) state->path = now->second;
  if (finder.place_of(state->path) != options_.files.place) return;
  auto& followed = follow(std::move(*spec));
  followed.source->restore(std::move(*state));
  add_watch(followed);
  followed.source->refresh(false);
}

// The watch first: what happens after the look is then seen.
void LogCollector::list(Followed& followed, const std::string& path, bool running) {
  auto& source = *followed.source;
  if (source.path() != path) drop_watch(followed);
  source.follow(path, running);
  add_watch(followed);
  source.refresh(false);
  source.wake();
}

void LogCollector::note_not_followed(const ObservedContainer& container) {
  const auto& driver = container.facts.log_driver;
  if (driver.empty() || driver == "json-file") return;
  if (!not_followed_.insert(container.facts.id).second) return;
  const std::string what = driver == "none" ? "keeps no lines"
                           : driver == "journald"
                               ? "keeps its lines in the journal of the host"
                               : "keeps them where they are not collected from; json-file is";
  events_.push_back({clock_.unix_ms(),
                     "logs.not_followed",
                     container_target(container.facts.id),
                     wire::Severity::kInfo,
                     "the log driver \"" + driver + "\" of " + container.facts.name + " " + what,
                     {{"log_driver", driver}}});
}

void LogCollector::set_containers(std::span<const ObservedContainer> containers) {
  PlaceFinder finder(*mounts_);
  std::set<std::string> listed;
  std::set<std::string> present;
  for (const auto& container : containers) {
    present.insert(container.facts.id);
    if (container.log_path.empty()) {
      if (is_local()) note_not_followed(container);
      continue;
    }
    auto spec = container_spec(container.facts.id);
    if (finder.place_of(container.log_path) != options_.files.place) {
      let_go(spec.name);
      continue;
    }
    auto& followed = follow(std::move(spec));
    listed.insert(followed.source->name());
    list(followed, container.log_path, is_running(container.facts.state));
  }
  std::erase_if(not_followed_, [&](const std::string& id) { return !present.contains(id); });
  for (auto& [name, followed] : sources_) {
    if (listed.contains(name) || !name.starts_with(kContainerPrefix)) continue;
    followed.source->unlist();
    followed.source->refresh(false);
    followed.source->wake();
  }
}

void LogCollector::scan_files() {
  last_scan_ = clock_.steady_now();
  const auto followed_path = [&](const std::string& path) {
    return sources_.contains(log_source_name(path, LogFormat::kPlain)) ||
           sources_.contains(log_source_name(path, LogFormat::kCri));
  };
  std::set<std::string> listed;
  for (const auto& match : files_.scan(to_unix_ns(clock_.wall_now()), followed_path)) {
    const auto name = log_source_name(match.path, match.format);
    listed.insert(name);
    const bool is_new = !sources_.contains(name);
    auto& followed = follow(file_spec(match.path, match.format));
    followed.source->start_at_end_if_older(match.older_starts_at_end_ns, match.first_scan);
    if (is_new || !followed.source->listed()) list(followed, match.path, true);
  }
  unlist_files(listed);
  if (files_.left_out() > 0 && !std::exchange(left_out_reported_, true)) {
    events_.push_back({clock_.unix_ms(),
                       "logs.too_many_files",
                       wire::kHostTarget,
                       wire::Severity::kWarning,
                       std::to_string(files_.left_out()) +
                           " files match logs.files or logs.pods "
                           "beyond the " +
                           std::to_string(options_.files.max_files) +
                           " that are followed; narrow the patterns or exclude some",
                       {}});
  }
}

// What a scan did not find. Its path may lead to another place by now, which must not be touched.
void LogCollector::unlist_files(const std::set<std::string>& listed) {
  PlaceFinder finder(*mounts_);
  std::vector<std::string> elsewhere;
  for (auto& [name, followed] : sources_) {
    const auto file = parse_log_source_name(name);
    if (!file || listed.contains(name)) continue;
    if (finder.place_of(file->path) != options_.files.place) {
      elsewhere.push_back(name);
    } else if (!files_.wants(file->path, file->format)) {
      followed.source->abandon();
    } else {
      followed.source->unlist();
    }
  }
  for (const auto& name : elsewhere) let_go(name);
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
  const bool scan_due = !last_scan_ || *last_poll_ - *last_scan_ >= options_.scan_interval;
  if (scan_due) scan_files();
  for (auto& [name, followed] : sources_) {
    add_watch(followed);
    followed.source->refresh(followed.watch < 0);
  }
  enforce_limits();
}

LogRead LogCollector::read(std::size_t max_bytes) {
  if (outstanding_) rollback();
  if (!last_poll_ || clock_.steady_now() - *last_poll_ >= options_.poll_interval) poll();
  LogRead out;
  out.records.reserve(spare_.size());
  out.spare = std::move(spare_);
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
  std::erase_if(out.records, [](const wire::LogRecord& record) { return record.target.empty(); });
  if (!is_local() && !sources_.empty()) files_.note_used();
  if (auto checkpoint = files_.checkpoint()) {
    out.checkpoints.push_back(std::move(*checkpoint));
    files_delivered_ = true;
  }
  out.events.insert(out.events.end(), events_.begin(), events_.end());
  events_delivered_ = events_.size();
  out.counts.insert(out.counts.end(), left_counts_.begin(), left_counts_.end());
  left_counts_delivered_ = left_counts_.size();
  outstanding_ = true;
  out.spare.erase(out.spare.begin(),
                  out.spare.begin() + static_cast<std::ptrdiff_t>(out.spare_used));
  spare_ = std::exchange(out.spare, {});
  if (out.raw_bytes >= kBusyReadBytes) last_busy_ = clock_.steady_now();
  if (!busy()) spare_ = {};
  return out;
}

bool LogCollector::busy() const {
  return last_busy_ && clock_.steady_now() - *last_busy_ < kBusyFor;
}

void LogCollector::reuse(std::vector<wire::LogRecord> records) {
  if (records.empty() || !busy()) return;
  std::size_t bytes = 0;
  const auto fits = [&](const wire::LogRecord& record) {
    const auto size = sizeof record + record.target.capacity() + record.text.capacity();
    if (bytes + size > kMaxSpareBytes) return false;
    bytes += size;
    return true;
  };
  std::erase_if(spare_, [&](const auto& record) { return !fits(record); });
  for (auto& record : records) {
    if (fits(record)) spare_.push_back(std::move(record));
  }
}

void LogCollector::committed() {
  if (!outstanding_) return;
  outstanding_ = false;
  if (std::exchange(files_delivered_, false)) files_.committed();
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
  left_counts_.erase(left_counts_.begin(),
                     left_counts_.begin() + static_cast<std::ptrdiff_t>(left_counts_delivered_));
  left_counts_delivered_ = 0;
}

void LogCollector::rollback() {
  if (!outstanding_) return;
  outstanding_ = false;
  for (auto& [name, followed] : sources_) followed.source->rollback();
  files_delivered_ = false;
  events_delivered_ = 0;
  left_counts_delivered_ = 0;
}

bool LogCollector::more() const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const auto& entry) { return entry.second.source->ready(); });
}

}  // namespace observeai::agent
