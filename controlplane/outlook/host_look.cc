// Outlook: what one host shows, now or in what the store kept meanwhile.
#include <algorithm>

#include "controlplane/outlook/outlook.h"
#include "controlplane/outlook/suggestions.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::outlook {
namespace {

// From the command of a plan to its proof; what ends later ends by itself.
constexpr std::int64_t kActionMs = 5 * 60'000;

bool has_acted(model::TargetState state) {
  using State = model::TargetState;
  return state == State::kVerifying || state == State::kSucceeded || state == State::kFailed ||
         state == State::kRolledBack || state == State::kInconclusive;
}

}  // namespace

void Outlook::look_at_host(const AgentId& agent) {
  std::int64_t known_ms = 0;
  std::int64_t replay_from_ms = 0;
  {
    MutexLock lock(mutex_);
    const auto host = hosts_.find(agent);
    if (host == hosts_.end()) return;
    known_ms = host->second.newest_ms;
    replay_from_ms = host->second.replay_from_ms == 0 ? known_ms : host->second.replay_from_ms;
  }
  const auto readings = reader_.newest(agent, world_.clock.unix_ms());
  if (!readings) {
    log::warning("predictions: " + readings.error().message());
    committed(agent);  // Again with the next look
    return;
  }
  std::int64_t newest_ms = 0;
  for (const auto& reading : *readings) newest_ms = std::max(newest_ms, reading.ts_ms);
  if (newest_ms <= known_ms) return;
  // What came while nobody looked, and what a host had kept while it was away.
  const std::int64_t gap_ms = clocks_.slow_ms + clocks_.fast_ms;
  if (newest_ms - replay_from_ms > gap_ms && !replay(agent, replay_from_ms + 1, newest_ms)) {
    committed(agent);
    return;
  }
  MutexLock lock(mutex_);
  const auto found = hosts_.find(agent);
  if (found == hosts_.end()) return;
  auto& host = found->second;
  host.newest_ms = newest_ms;
  host.replay_from_ms = 0;
  host.heard_ms = world_.clock.unix_ms();
  host.is_new = false;
  host.followed = 0;
  for (auto one = followed_.lower_bound({agent, "", "", ""});
       one != followed_.end() && one->first.agent == agent; ++one)
    ++host.followed;
  for (const auto& reading : *readings) {
    // The last value of what is gone is still told.
    if (newest_ms - reading.ts_ms < kGoneMs) observe(host, reading, true);
  }
}

bool Outlook::replay(const AgentId& agent, std::int64_t since_ms, std::int64_t until_ms) {
  const std::int64_t from_ms = std::max(since_ms, until_ms - kMostReplayMs);
  {
    MutexLock lock(mutex_);
    ++counters_.replays;
    const auto host = hosts_.find(agent);
    if (from_ms > since_ms && host != hosts_.end() && !host->second.is_new) ++counters_.cut_replays;
  }
  const auto done =
      reader_.past(agent, {}, {from_ms, until_ms}, 0,
                   [&](std::int64_t ts_ms, std::span<const predict::Reading> readings) {
                     observe_past(agent, ts_ms, readings);
                   });
  if (done && *done == 0) return true;
  if (done) {
    MutexLock lock(mutex_);
    ++counters_.cut_replays;
    return true;
  }
  log::warning("predictions: samples of " + agent.value() +
               " cannot be read: " + done.error().message());
  MutexLock lock(mutex_);
  ++counters_.replays_failed;
  return false;
}

void Outlook::observe_past(const AgentId& agent, std::int64_t ts_ms,
                           std::span<const predict::Reading> readings) {
  MutexLock lock(mutex_);
  const auto host = hosts_.find(agent);
  if (host == hosts_.end()) return;
  for (const auto& reading : readings) {
    if (ts_ms - reading.ts_ms < kGoneMs) observe(host->second, reading, false);
  }
}

void Outlook::observe(Host& host, const predict::Reading& reading, bool is_live) {
  const model::ResourceName name{host.agent.id, std::string(predict::name(reading.kind)),
                                 reading.target, reading.instance};
  auto place = followed_.find(name);
  Followed::News news;
  if (place == followed_.end()) {
    if (followed_.size() >= kMaxFollowed || host.followed >= kMaxFollowedOfHost) {
      ++skipped_;
      skipping_ = host.agent.id;
      return;
    }
    ++host.followed;
    place = followed_.emplace(name, Entry{Followed(reading, clocks_), 0, 0}).first;
    news.is_new = news.has_stepped = true;
    // It was opened before the forecasters were lost.
    if (const auto open = open_.find(name); open != open_.end())
      place->second.followed.life = predict::Life{open->second.horizon_ms, reading.ts_ms};
  } else {
    news = place->second.followed.observe(reading, clocks_);
  }
  if (!news.is_new) return;
  ++counters_.readings;
  auto& entry = place->second;
  entry.heard_ms = world_.clock.unix_ms();
  Found found;
  found.is_live = is_live;
  found.has_happened = news.is_exhausted;
  found.event_ms = reading.ts_ms;
  if (news.is_exhausted) found.text = "the limit was reached";
  follow_life(host, name, entry, news, found);
}

void Outlook::happen(Host& host, const Happening& happening) {
  // Why a program ended with an error is not told: by its log, if by anything.
  const bool is_exit = happening.kind.empty();
  const std::string kind(is_exit ? predict::name(predict::Kind::kErrors) : happening.kind);
  const model::ResourceName about{happening.agent, kind, happening.target, ""};
  auto& last_ms = last_events_[about];
  const std::int64_t before_ms = last_ms;
  const bool is_same = last_ms != 0 && std::abs(happening.ts_ms - last_ms) < kSameEventMs;
  const bool is_again = last_ms != 0 && std::abs(happening.ts_ms - last_ms) < kSameFailureMs;
  last_ms = std::max(last_ms, happening.ts_ms);
  if (is_same || is_kill_of_exhausted(about, happening.ts_ms)) return;
  std::vector<model::ResourceName> ended;
  for (const auto& [name, prediction] : open_) {
    const auto entry = followed_.find(name);
    const double share =
        entry == followed_.end() ? 0 : entry->second.followed.share_at(happening.ts_ms);
    if (concerns(happening, name, share) && happening.ts_ms >= prediction.opened_ms)
      ended.push_back(name);
  }
  const auto entry = followed_.find(about);
  if (is_exit) {
    // Of what logs nothing, or is too new, nobody expects to know.
    const bool is_expected = entry != followed_.end() && entry->second.followed.slow().missing == 0;
    if (ended.empty() && (is_again || !is_expected)) return;
    if (is_planned(host, happening)) {
      last_ms = before_ms;
      return;
    }
  }
  for (const auto& name : ended) {
    const auto one = followed_.find(name);
    if (one != followed_.end()) {
      calibrate(name, one->second, true, happening.ts_ms);
      one->second.followed.last_event_ms = happening.ts_ms;
    }
    close(name, predict::Verdict::kHit, happening.ts_ms, happening.text);
  }
  if (!ended.empty()) return;
  if (entry != followed_.end()) {
    calibrate(about, entry->second, true, happening.ts_ms);
    entry->second.followed.last_event_ms = happening.ts_ms;
  }
  sudden(host, about, entry == followed_.end() ? "" : entry->second.followed.newest().unit,
         happening.ts_ms, happening.text);
}

// That its limit was reached was told when it was: the kill that follows is the same end.
bool Outlook::is_kill_of_exhausted(const model::ResourceName& name, std::int64_t killed_ms) {
  const auto entry = followed_.find(name);
  if (entry == followed_.end()) return false;
  auto& followed = entry->second.followed;
  if (!followed.awaits_kill || killed_ms - followed.last_event_ms >= kSameEventMs) return false;
  followed.awaits_kill = false;
  followed.last_event_ms = std::max(followed.last_event_ms, killed_ms);
  return true;
}

// A program that is told to end may do so with an error.
bool Outlook::is_planned(Host& host, const Happening& happening) {
  const std::int64_t ahead_ms = host.newest_ms - host.heard_ms;
  const auto attempts =
      world_.plans.attempts(host.agent.tenant, happening.ts_ms - ahead_ms - kForgetMs);
  if (!attempts) {
    log::warning("predictions: " + attempts.error().message());
    return false;
  }
  const model::ResourceName ended{happening.agent, "", happening.target, ""};
  const auto* known = inventory(host);
  return std::ranges::any_of(*attempts, [&](const model::Attempt& attempt) {
    if (attempt.agent != happening.agent ||
        !acts_on(attempt.action, attempt.target, ended, known)) {
      return false;
    }
    const std::int64_t after_ms = happening.ts_ms - attempt.since_ms - ahead_ms;
    if (attempt.state == model::TargetState::kDispatched) return after_ms > -kSameEventMs;
    return has_acted(attempt.state) && std::abs(after_ms) < kActionMs;
  });
}

const model::HostInventory* Outlook::inventory(Host& host) {
  if (!host.has_inventory) {
    auto read = world_.telemetry.inventory(host.agent.id);
    if (read) host.inventory = std::move(*read);
    host.has_inventory = true;
  }
  return host.inventory ? &*host.inventory : nullptr;
}

Named Outlook::named(Host& host, const model::ResourceName& resource) {
  return {host.agent.tenant, resource, name_of(resource.target, inventory(host)),
          host.agent.hostname};
}

}  // namespace observeai::controlplane::outlook
