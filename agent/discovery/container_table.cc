#include "agent/discovery/container_table.h"

#include "agent/discovery/container_events.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

// An engine's event and its inspection tell the same start or exit within milliseconds, seconds on
// a loaded host.
constexpr std::int64_t kSameMomentNs = 5'000'000'000;

// "restarting" is the pause between two runs of a restart policy: the process is not there.
bool is_running_state(const std::string& state) {
  return state == "running" || state == "paused";
}
bool same_moment(std::int64_t a, std::int64_t b) {
  return a > 0 && b > 0 && (a > b ? a - b : b - a) < kSameMomentNs;
}

}  // namespace

// ---- listing ---------------------------------------------------------------------------------

void ContainerTable::begin_list(bool everything) {
  ++listing_;
  everything_ = everything;
}

bool ContainerTable::is_known(const std::string& id, std::uint64_t fingerprint) const {
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.fingerprint == fingerprint;
}

void ContainerTable::listed(ListEntry listed) {
  const bool is_new = !entries_.contains(listed.id);
  Entry* entry = find_or_add(listed.id);
  if (entry == nullptr) return;
  const bool changed = is_new || entry->fingerprint != listed.fingerprint;
  entry->listing = listing_;
  entry->missed_once = false;
  entry->fingerprint = listed.fingerprint;
  wire::Container& facts = entry->container.facts;
  if (is_new && listed.container) {
    facts = std::move(listed.container->facts);
    entry->watched = listing_ > 1;
    entry->running = !entry->watched && is_running_state(facts.state);
    mark_changed(*entry);
  } else if (changed && listed.container) {
    wire::Container& seen = listed.container->facts;
    facts.name = std::move(seen.name);
    facts.state = std::move(seen.state);
    facts.health = std::move(seen.health);
    facts.ports = std::move(seen.ports);
    if (facts.state == "exited") facts.exit_code = seen.exit_code;
    mark_changed(*entry);
  }
  const bool is_active = is_running_state(facts.state) || facts.state == "restarting";
  const bool look = is_active ? changed || everything_ || !entry->inspected : changed && !is_new;
  if (look) want_comparison(listed.id, *entry);
}

void ContainerTable::end_list(std::int64_t now_ns) {
  std::vector<std::pair<std::int64_t, std::string>> stopped;
  for (auto& [id, entry] : entries_) {
    if (entry.listing != listing_) {
      if (everything_ || entry.missed_once) leave(entry, now_ns);
      entry.missed_once = true;
    } else if (!entry.inspected && !entry.to_inspect) {
      stopped.emplace_back(-entry.container.facts.created_ms, id);
    }
  }
  std::sort(stopped.begin(), stopped.end());
  if (stopped.size() > kMaxStoppedInspections) stopped.resize(kMaxStoppedInspections);
  for (const auto& [created, id] : stopped) want_comparison(id, entries_.at(id));
  full_ = full_ || everything_;
}

void ContainerTable::leave(Entry& entry, std::int64_t now_ns) {
  if (entry.gone) return;
  if (entry.running) report_exit(entry, now_ns, std::nullopt);
  entry.running = false;
  entry.gone = true;
  enqueue(entry);
}

ContainerTable::Entry* ContainerTable::find_or_add(const std::string& id) {
  const auto found = entries_.find(id);
  if (found != entries_.end()) return &found->second;
  if (entries_.size() >= kMaxContainers) {
    ++over_limit_;
    return nullptr;
  }
  Entry& entry = entries_[id];
  entry.container.facts.id = id;
  return &entry;
}

void ContainerTable::mark_changed(Entry& entry) {
  entry.changed = true;
  enqueue(entry);
}

void ContainerTable::enqueue(Entry& entry) {
  if (entry.queued) return;
  entry.queued = true;
  queue_.push_back(entry.container.facts.id);
}

// ---- events ----------------------------------------------------------------------------------

void ContainerTable::apply(const DockerEvent& event) {
  const std::string& id = event.container.id;
  const bool is_new = !entries_.contains(id);
  if (is_new && event.action != "create" && event.action != "start") return;
  Entry* entry = find_or_add(id);
  if (entry == nullptr) return;
  wire::Container& facts = entry->container.facts;
  if (is_new) {
    facts = event.container;
    entry->watched = true;
  }
  entry->listing = std::max(entry->listing, listing_);
  if (event.action == "create") {
    facts.state = "created";
    facts.created_ms = event.ts_ns / kMsToNs;
  } else if (event.action == "start") {
    facts.state = "running";
    facts.started_ms = event.ts_ns / kMsToNs;
    facts.oom_killed = false;
    on_start(*entry, event.ts_ns);
  } else if (event.action == "die") {
    facts.state = "exited";
    facts.pid = 0;
    facts.finished_ms = event.ts_ns / kMsToNs;
    facts.exit_code = event.exit_code.value_or(0);
    on_exit(*entry, event.ts_ns, event.exit_code);
  } else if (event.action == "oom") {
    on_oom(*entry, event.ts_ns);
  } else if (event.action == "pause") {
    facts.state = "paused";
  } else if (event.action == "unpause") {
    facts.state = "running";
  } else if (event.action == "rename") {
    facts.name = event.container.name;
  } else if (event.action == "health_status") {
    facts.health = event.detail;
  } else if (event.action == "destroy") {
    leave(*entry, event.ts_ns);
    return;
  } else if (event.action != "update") {
    return;
  }
  mark_changed(*entry);
  // News goes before what a long listing still has to look at.
  if (want_inspection(*entry)) to_inspect_.push_front(id);
}

void ContainerTable::on_start(Entry& entry, std::int64_t ts_ns) {
  entry.running = true;
  entry.oom_in_run = false;
  if (same_moment(ts_ns, std::exchange(entry.derived_start_ns, 0))) return;
  if (ts_ns >= entry.derived_exit_ns) entry.derived_exit_ns = 0;  // The stream is past it.
  report_start(entry, ts_ns);
}

void ContainerTable::on_exit(Entry& entry, std::int64_t ts_ns,
                             std::optional<std::int32_t> exit_code) {
  entry.running = false;
  if (same_moment(ts_ns, entry.derived_exit_ns)) {
    entry.derived_exit_ns = 0;
    return;
  }
  if (ts_ns >= entry.derived_start_ns) entry.derived_start_ns = 0;
  report_exit(entry, ts_ns, exit_code);
}

void ContainerTable::on_oom(Entry& entry, std::int64_t ts_ns) {
  entry.oom_in_run = true;
  if (same_moment(ts_ns, std::exchange(entry.derived_oom_ns, 0))) return;
  entry.pending.push_back(oom_event(entry.container.facts, ts_ns));
  enqueue(entry);
}

void ContainerTable::report_start(Entry& entry, std::int64_t ts_ns) {
  wire::Event event = event_about(entry.container.facts, "container.start", ts_ns);
  event.message = "container " + entry.container.facts.name + " started";
  entry.pending.push_back(std::move(event));
  enqueue(entry);
}

void ContainerTable::report_exit(Entry& entry, std::int64_t ts_ns,
                                 std::optional<std::int32_t> exit_code) {
  entry.exit_ns = std::max(entry.exit_ns, ts_ns);
  wire::Event event = event_about(entry.container.facts, "container.exit", ts_ns);
  describe_exit(event, entry.container.facts, entry.oom_in_run, exit_code);
  entry.pending.push_back(std::move(event));
  enqueue(entry);
}

void ContainerTable::report_restart(Entry& entry) {
  const wire::Container& facts = entry.container.facts;
  wire::Event event = event_about(facts, "container.restart", facts.started_ms * kMsToNs);
  event.severity = wire::Severity::kWarning;
  event.message = "container " + facts.name + " was restarted by its restart policy, " +
                  std::to_string(facts.restart_count) + " times so far";
  set_attribute(event, "restart_count", std::to_string(facts.restart_count));
  entry.pending.push_back(std::move(event));
  enqueue(entry);
}

// ---- inspection ------------------------------------------------------------------------------

// Marks it; the caller puts it into the queue, at the end of its choice.
bool ContainerTable::want_inspection(Entry& entry) {
  if (entry.to_inspect || listing_ < entry.hung_until) return false;
  entry.to_inspect = true;
  return true;
}

void ContainerTable::want_comparison(const std::string& id, Entry& entry) {
  entry.compare = true;
  if (want_inspection(entry)) to_inspect_.push_back(id);
}

std::vector<std::string> ContainerTable::take_inspections(std::size_t limit) {
  std::vector<std::string> taken;
  while (taken.size() < limit && !to_inspect_.empty()) {
    const auto found = entries_.find(to_inspect_.front());
    if (found != entries_.end()) {
      found->second.to_inspect = false;
      if (!found->second.gone) taken.push_back(std::move(to_inspect_.front()));
    }
    to_inspect_.pop_front();
  }
  return taken;
}

void ContainerTable::check_log_path(Entry& entry, ObservedContainer& container,
                                    std::int64_t now_ns) {
  if (container.log_path.empty() || is_container_log_path(container.log_path, container.facts.id)) {
    entry.refused_log_path.clear();
    return;
  }
  const std::string path = std::exchange(container.log_path, {});
  if (entry.refused_log_path == path) return;
  entry.refused_log_path = path;
  constexpr std::size_t kMaxShown = 300;
  const std::string shown = text::escape_unprintable(path, kMaxShown);
  wire::Event event = event_about(container.facts, "container.log_refused", now_ns);
  event.severity = wire::Severity::kWarning;
  event.message = "the log of container " + container.facts.name +
                  " is not read: the engine names " + shown +
                  ", and a json-file log is …/containers/<id>/<id>-json.log";
  set_attribute(event, "path", shown);
  entry.pending.push_back(std::move(event));
  enqueue(entry);
}

void ContainerTable::inspected(ObservedContainer container, std::int64_t now_ns) {
  const auto found = entries_.find(container.facts.id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  check_log_path(entry, container, now_ns);
  const bool is_different =
      entry.container.facts != container.facts || entry.container.log_path != container.log_path;
  const wire::Container before = std::exchange(entry.container, std::move(container)).facts;
  const wire::Container& now = entry.container.facts;
  if (is_different) mark_changed(entry);
  if (entry.watched && now.restart_count > before.restart_count) report_restart(entry);
  // After an event the stream will tell what else the inspection shows already.
  if (std::exchange(entry.compare, false)) {
    if (entry.watched) derive_runs(entry, before);
    entry.running = is_running_state(now.state);
  }
  entry.inspected = true;
  entry.watched = true;
}

// Compares what was reported with what the inspection shows.
void ContainerTable::derive_runs(Entry& entry, const wire::Container& before) {
  const wire::Container& now = entry.container.facts;
  const std::int64_t started = now.started_ms * kMsToNs;
  const std::int64_t finished = now.finished_ms * kMsToNs;
  if (now.state == "created" || started <= 0) return;
  if (is_running_state(now.state)) {
    const bool other_run = entry.running && before.started_ms > 0 &&
                           !same_moment(before.started_ms * kMsToNs, started);
    // The engine keeps no exit code of a run once the next one has begun.
    if (other_run && finished > 0) derive_exit(entry, finished, std::nullopt);
    if (other_run || !entry.running) derive_start(entry, started);
    return;
  }
  const bool is_new_run =
      !entry.running && before.started_ms != now.started_ms && started > entry.exit_ns;
  if (is_new_run) derive_start(entry, started);
  if ((entry.running || is_new_run) && finished > 0) derive_exit(entry, finished, now.exit_code);
}

void ContainerTable::derive_start(Entry& entry, std::int64_t ts_ns) {
  entry.oom_in_run = false;
  entry.derived_start_ns = ts_ns;
  report_start(entry, ts_ns);
}

void ContainerTable::derive_exit(Entry& entry, std::int64_t ts_ns,
                                 std::optional<std::int32_t> exit_code) {
  entry.derived_exit_ns = ts_ns;
  report_exit(entry, ts_ns, exit_code);
}

void ContainerTable::inspect_failed(const std::string& id, std::int64_t now_ns, bool hung) {
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.gone) return;
  Entry& entry = found->second;
  if (hung) entry.hung_until = listing_ + kHungListings;
  if (!std::exchange(entry.compare, false)) return;
  const wire::Container& facts = entry.container.facts;
  const bool runs = is_running_state(facts.state);
  if (entry.watched && entry.running && !runs) derive_exit(entry, now_ns, facts.exit_code);
  if (entry.watched && !entry.running && runs) derive_start(entry, now_ns);
  entry.running = runs;
  entry.watched = true;
}

// ---- changes ---------------------------------------------------------------------------------

// Fills in what only the inspection knew when the event came.
void ContainerTable::settle_events(Entry& entry, std::vector<wire::Event>& out) {
  const wire::Container& facts = entry.container.facts;
  for (auto& event : entry.pending) {
    const bool is_last_exit =
        event.kind == "container.exit" && !entry.running && event.ts_ms == entry.exit_ns / kMsToNs;
    if (is_last_exit && facts.oom_killed) {
      describe_exit(event, facts, true, facts.exit_code);
      if (!std::exchange(entry.oom_in_run, true)) {  // The stream did not tell.
        entry.derived_oom_ns = entry.exit_ns;
        out.push_back(oom_event(facts, entry.exit_ns));
      }
    }
    out.push_back(std::move(event));
  }
  entry.pending.clear();
}

ContainerChanges ContainerTable::take_changes() {
  ContainerChanges changes;
  auto& section = changes.containers;
  section.full = std::exchange(full_, false);
  const auto ids = std::exchange(queue_, {});
  for (const auto& id : ids) {
    Entry& entry = entries_.at(id);
    entry.queued = false;
    settle_events(entry, changes.events);
    if (entry.changed) {
      entry.changed = false;
      if (!section.full || entry.gone) section.upserts.push_back(entry.container);
      if (entry.gone) enqueue(entry);
    } else if (entry.gone) {
      if (!section.full) section.removed.push_back(id);
      entries_.erase(id);
    }
  }
  if (section.full) {
    for (const auto& [id, entry] : entries_) {
      if (!entry.gone) section.upserts.push_back(entry.container);
    }
  }
  return changes;
}

}  // namespace observeai::agent
