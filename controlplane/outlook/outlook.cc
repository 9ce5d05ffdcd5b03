#include "controlplane/outlook/outlook.h"

#include <algorithm>

#include "controlplane/outlook/suggestions.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::outlook {
namespace {

predict::Reading reading_named(const model::ResourceName& name) {
  predict::Reading out;
  out.kind = predict::kind_of(name.kind).value_or(predict::Kind::kContainerMemory);
  out.target = name.target;
  out.instance = name.instance;
  return out;
}

}  // namespace

Outlook::Outlook(World world, const Clocks& clocks)
    : world_(world), clocks_(clocks), reader_(world_.telemetry) {}

void Outlook::committed(const AgentId& agent) {
  MutexLock lock(heard_mutex_);
  heard_.insert(agent);
}

void Outlook::look() {
  const auto begun = world_.clock.steady_now();
  if (!restore()) return;
  const auto agents = world_.agents.list({});
  if (!agents) {
    log::warning("predictions: " + agents.error().message());
    return;
  }
  const auto wanted = wanted_tenants(*agents);
  {
    MutexLock lock(mutex_);
    skipped_ = 0;
    for (const auto& agent : *agents) {
      if (agent.state != model::AgentState::kActive || !wanted.contains(agent.tenant)) continue;
      auto& host = hosts_[agent.id];
      host.agent = agent;
      host.inventory.reset();
      host.has_inventory = false;
    }
  }
  std::set<AgentId> heard;
  {
    MutexLock lock(heard_mutex_);
    heard.swap(heard_);
  }
  stop_following(wanted);
  take_actions();
  take_events();
  for (const auto& agent : heard) look_at_host(agent);
  look_at_silent();
  apply();
  save_some(world_.clock.unix_ms() - kSaveEveryMs);
  tell_limit();
  MutexLock lock(mutex_);
  ++counters_.looks;
  counters_.last_look_us =
      std::chrono::duration_cast<std::chrono::microseconds>(world_.clock.steady_now() - begun)
          .count();
  counters_.longest_look_us = std::max(counters_.longest_look_us, counters_.last_look_us);
}

// Once. False: the store cannot be read, and nothing is begun that would be forgotten then.
bool Outlook::restore() {
  {
    MutexLock lock(mutex_);
    if (is_restored_) return true;
  }
  const auto stored = world_.predictions.followed();
  const auto open = world_.predictions.open();
  const auto calibration = world_.predictions.calibration({});
  const auto seen = world_.predictions.seen_event();
  const auto agents = world_.agents.list({});
  if (!stored || !open || !calibration || !seen || !agents) {
    log::warning("predictions: what was followed cannot be read yet");
    return false;
  }
  const std::int64_t now_ms = world_.clock.unix_ms();
  MutexLock lock(mutex_);
  for (const auto& one : *stored) {
    auto followed = Followed::decode(one.bytes, reading_named(one.resource), clocks_);
    if (!followed || followed_.size() >= kMaxFollowed) {
      counters_.states_damaged += followed ? 0 : 1;
      continue;
    }
    auto& host = hosts_[one.resource.agent];
    host.is_new = false;
    host.heard_ms = now_ms;
    host.newest_ms = std::max(host.newest_ms, followed->newest().ts_ms);
    followed_.emplace(one.resource, Entry{std::move(*followed), now_ms, now_ms});
  }
  for (const auto& one : *open) {
    open_[one.resource] = one;
    auto& host = hosts_[one.resource.agent];
    host.is_new = false;
    if (host.heard_ms == 0) host.heard_ms = now_ms;
  }
  // They were saved one after the other: all go on from the oldest, but for those that were gone then.
  for (auto& [id, host] : hosts_) host.replay_from_ms = host.newest_ms;
  for (const auto& [name, entry] : followed_) {
    auto& host = hosts_[name.agent];
    const std::int64_t known_ms = entry.followed.newest().ts_ms;
    if (host.newest_ms - known_ms < 2 * kSaveEveryMs)
      host.replay_from_ms = std::min(host.replay_from_ms, known_ms);
  }
  for (const auto& one : *calibration) {
    if (auto sums = predict::Calibration::decode(one.bytes)) {
      calibration_[{one.agent, one.kind}] = *sums;
    } else {
      ++counters_.states_damaged;
    }
  }
  seen_event_ = *seen;
  is_restored_ = true;
  MutexLock heard_lock(heard_mutex_);
  for (const auto& agent : *agents) heard_.insert(agent.id);
  return true;
}

std::set<TenantId> Outlook::wanted_tenants(const std::vector<model::AgentRecord>& agents) {
  std::set<TenantId> all;
  for (const auto& agent : agents) all.insert(agent.tenant);
  std::erase_if(all, [this](const TenantId& tenant) {
    const auto wanted = world_.predictions.prediction_switch(tenant);
    return wanted && !wanted->enabled;
  });
  return all;
}

// Of hosts that are revoked, and of tenants that want no predictions.
void Outlook::stop_following(const std::set<TenantId>& wanted) {
  std::vector<model::ResourceName> dropped;
  {
    MutexLock lock(mutex_);
    std::set<AgentId> left;
    for (const auto& [id, host] : hosts_) {
      const auto agent = world_.agents.find(id);
      if (!agent) continue;  // The store is not there: it is asked again
      if (*agent && (*agent)->state == model::AgentState::kActive &&
          wanted.contains((*agent)->tenant)) {
        continue;
      }
      left.insert(id);
    }
    if (left.empty()) return;
    std::vector<model::ResourceName> ended;
    for (const auto& [name, prediction] : open_) {
      if (left.contains(name.agent)) ended.push_back(name);
    }
    for (const auto& name : ended) {
      close(name, predict::Verdict::kUnknown, open_.at(name).updated_ms,
            "predictions were turned off, or the host is not part of the installation any more");
    }
    for (auto entry = followed_.begin(); entry != followed_.end();) {
      if (left.contains(entry->first.agent)) {
        dropped.push_back(entry->first);
        entry = followed_.erase(entry);
      } else {
        ++entry;
      }
    }
    for (const auto& id : left) hosts_.erase(id);
  }
  if (!dropped.empty()) {
    if (const auto forgotten = world_.predictions.forget(dropped); !forgotten)
      log::warning("predictions: " + forgotten.error().message());
  }
}

void Outlook::look_at_silent() {
  const std::int64_t now_ms = world_.clock.unix_ms();
  std::vector<model::ResourceName> forgotten;
  {
    MutexLock lock(mutex_);
    for (auto& [name, entry] : followed_) {
      const auto at = hosts_.find(name.agent);
      if (at == hosts_.end()) continue;
      auto& host = at->second;
      const std::int64_t silent_ms = host.newest_ms - entry.followed.newest().ts_ms;
      Found found;
      found.is_gone = silent_ms >= kGoneMs;
      const bool is_open = open_.contains(name);
      if (is_open) follow_life(host, name, entry, {}, found);
      if (!is_open && (silent_ms >= kForgetMs || now_ms - entry.heard_ms >= 4 * kForgetMs))
        forgotten.push_back(name);
    }
    // Without forecasters: their state was damaged, or there was no room for them.
    std::vector<model::ResourceName> lost;
    for (const auto& [name, prediction] : open_) {
      const auto host = hosts_.find(name.agent);
      if (followed_.contains(name) || host == hosts_.end()) continue;
      if (now_ms - host->second.heard_ms + host->second.newest_ms - prediction.updated_ms >=
          prediction.horizon_ms) {
        lost.push_back(name);
      }
    }
    for (const auto& name : lost)
      close(name, predict::Verdict::kUnknown, open_.at(name).updated_ms, "there were no more data");
    for (const auto& name : forgotten) followed_.erase(name);
    for (auto one = last_events_.begin(); one != last_events_.end();) {
      const auto host = hosts_.find(one->first.agent);
      const bool is_old = host == hosts_.end() || host->second.newest_ms - one->second > kForgetMs;
      one = is_old ? last_events_.erase(one) : std::next(one);
    }
    // Dated ahead, or a flood: at worst a failure is told twice.
    while (last_events_.size() > kMostLastEvents) last_events_.erase(last_events_.begin());
  }
  if (forgotten.empty()) return;
  if (const auto done = world_.predictions.forget(forgotten); !done)
    log::warning("predictions: " + done.error().message());
}

void Outlook::apply() {
  while (apply_some()) {
  }
  MutexLock lock(mutex_);
  if (changes_.size() <= kMaxWaitingChanges) return;
  // What only brings an open one up to date is said again by its next forecast.
  const auto is_update = [](const model::PredictionStep& step) {
    return step.prediction.no != 0 && step.prediction.closed_ms == 0;
  };
  counters_.changes_dropped += std::erase_if(changes_, is_update);
  if (changes_.size() <= kMaxWaitingChanges) return;
  const auto more = changes_.size() - kMaxWaitingChanges;
  counters_.changes_dropped += more;
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(more));
}

// The oldest, in one transaction; true when more wait.
bool Outlook::apply_some() {
  model::PredictionChange wanted;
  {
    MutexLock lock(mutex_);
    const auto count = std::min(changes_.size(), kMostChangesAtOnce);
    wanted.steps.assign(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(count));
    // It is stored with the last of what came of it: what is not stored is looked for again.
    if (!is_seen_event_stored_ && count == changes_.size()) wanted.seen_event = seen_event_;
  }
  if (wanted.steps.empty() && !wanted.seen_event) return false;
  const auto stored = world_.predictions.apply(wanted);
  MutexLock lock(mutex_);
  if (!stored) {
    ++counters_.store_errors;
    log::warning("predictions: " + stored.error().message());
    return false;
  }
  changes_.erase(changes_.begin(),
                 changes_.begin() + static_cast<std::ptrdiff_t>(wanted.steps.size()));
  if (wanted.seen_event) is_seen_event_stored_ = true;
  for (const auto& one : *stored) {
    const auto open = open_.find(one.resource);
    if (open == open_.end() || open->second.opened_ms != one.opened_ms) continue;
    open->second.no = one.no;
    open->second.incident = one.incident;
  }
  return !changes_.empty();
}

void Outlook::save_some(std::int64_t older_than_ms) {
  std::vector<model::FollowedState> states;
  std::vector<model::CalibrationState> sums;
  const std::int64_t now_ms = world_.clock.unix_ms();
  {
    MutexLock lock(mutex_);
    for (auto& [name, entry] : followed_) {
      if (states.size() >= kMostSavedAtOnce) break;
      if (entry.saved_ms > older_than_ms) continue;
      entry.saved_ms = now_ms;
      states.push_back({name, now_ms, entry.followed.encode(clocks_)});
    }
    if (states.empty()) return;
    for (const auto& key : unsaved_calibration_)
      sums.push_back({key.first, key.second, calibration_[key].encode()});
    unsaved_calibration_.clear();
  }
  const auto saved = world_.predictions.save(states, sums);
  if (saved) return;
  log::warning("predictions: " + saved.error().message());
  MutexLock lock(mutex_);
  ++counters_.store_errors;
  for (const auto& one : states) {
    const auto entry = followed_.find(one.resource);
    if (entry != followed_.end()) entry->second.saved_ms = 0;
  }
  for (const auto& one : sums) unsaved_calibration_.insert({one.agent, one.kind});
}

void Outlook::save_all() {
  apply();
  std::size_t rounds = 0;
  {
    MutexLock lock(mutex_);
    if (!is_restored_) return;
    for (auto& entry : followed_) entry.second.saved_ms = 0;
    rounds = followed_.size() / kMostSavedAtOnce + 1;
  }
  for (std::size_t i = 0; i < rounds; ++i) save_some(0);
}

void Outlook::tell_limit() {
  bool is_limited = false;
  AgentId skipping;
  {
    MutexLock lock(mutex_);
    skipping = skipping_;
    counters_.resources_skipped = skipped_;
    is_limited = skipped_ > 0;
    if (is_limited == has_told_limit_) return;
    has_told_limit_ = is_limited;
  }
  model::Alert alert;
  alert.kind = "predict.limit";
  alert.first_ms = alert.last_ms = world_.clock.unix_ms();
  alert.count = 1;
  alert.message =
      "not all resources are followed, and nothing is foretold of the others: at most " +
      std::to_string(kMaxFollowed) + ", and " + std::to_string(kMaxFollowedOfHost) +
      " of one host; left out was one of " + skipping.value();
  const auto told =
      is_limited ? world_.alerts.raise(alert) : world_.alerts.clear(alert.kind, AgentId(), "");
  if (!told) log::warning("predictions: " + told.error().message());
}

std::vector<Outlook::Followable> Outlook::followed() {
  MutexLock lock(mutex_);
  std::vector<Followable> out;
  out.reserve(followed_.size());
  for (const auto& [name, entry] : followed_) {
    out.push_back({name, entry.followed.newest(), entry.followed.slow(), entry.followed.fast()});
  }
  return out;
}

Counters Outlook::counters() {
  MutexLock lock(mutex_);
  return counters_;
}

std::map<std::pair<AgentId, std::string>, predict::Calibration> Outlook::calibration() {
  MutexLock lock(mutex_);
  return calibration_;
}

}  // namespace observeai::controlplane::outlook
