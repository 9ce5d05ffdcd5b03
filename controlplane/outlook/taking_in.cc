// Outlook: what happened, and what people had done about it.
#include <algorithm>

#include "controlplane/outlook/outlook.h"
#include "controlplane/outlook/suggestions.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::outlook {
namespace {

constexpr std::int64_t kEndOfTimeMs = 253'402'300'800'000;

}  // namespace

void Outlook::take_events() {
  for (int rounds = 0; rounds < kMostEventRounds; ++rounds) {
    if (!take_some_events()) return;
  }
  MutexLock lock(mutex_);
  ++counters_.events_put_off;
}

// In the order in which they came; true when there are more.
bool Outlook::take_some_events() {
  model::EventQuery query;
  query.range = {0, kEndOfTimeMs};
  query.limit = kMostEventsAtOnce;
  std::optional<std::uint64_t> seen;
  {
    MutexLock lock(mutex_);
    seen = seen_event_;
  }
  if (seen) {
    query.after_id = *seen;
    query.newest = false;
  } else {
    query.limit = 1;  // What was before the first look is of no concern
  }
  const auto rows = world_.telemetry.events(query);
  if (!rows) {
    log::warning("predictions: " + rows.error().message());
    return false;
  }
  MutexLock lock(mutex_);
  const std::uint64_t newest = rows->empty() ? seen.value_or(0) : rows->back().id;
  if (seen_event_ != newest) is_seen_event_stored_ = false;
  seen_event_ = newest;
  if (!seen) return false;
  for (const auto& row : *rows) {
    const auto happening = happening_of(row);
    const auto host = happening ? hosts_.find(happening->agent) : hosts_.end();
    if (host != hosts_.end()) happen(host->second, *happening);
  }
  return rows->size() == kMostEventsAtOnce;
}

// A prediction is prevented by what ran on its target; what the forecast was before is kept from the moment
// that a command is on its way.
void Outlook::take_actions() {
  std::int64_t since_ms = 0;
  {
    MutexLock lock(mutex_);
    if (open_.empty()) return;
    since_ms = kEndOfTimeMs;
    for (const auto& entry : open_) since_ms = std::min(since_ms, entry.second.opened_ms);
  }
  const auto attempts = world_.plans.attempts({}, since_ms - kForgetMs);
  if (!attempts) {
    log::warning("predictions: " + attempts.error().message());
    return;
  }
  MutexLock lock(mutex_);
  for (auto& [name, prediction] : open_) {
    const auto host = hosts_.find(name.agent);
    if (host == hosts_.end() || !prediction.acted.empty()) continue;
    const std::int64_t ahead_ms = host->second.newest_ms - host->second.heard_ms;
    bool is_under_way = false;
    for (const auto& attempt : *attempts) {
      if (attempt.agent != name.agent || attempt.since_ms + ahead_ms < prediction.opened_ms ||
          !acts_on(attempt.action, attempt.target, name, inventory(host->second))) {
        continue;
      }
      const std::string what = "plan " + attempt.plan.value() + ": " + attempt.action;
      using State = model::TargetState;
      if (attempt.state == State::kDispatched) {
        is_under_way = true;
        if (prediction.acted_ms == 0) {
          prediction.acted_ms = attempt.since_ms + ahead_ms;
          prediction.before_action = prediction.newest;
        }
      } else if (attempt.state == State::kVerifying || attempt.state == State::kSucceeded ||
                 attempt.state == State::kInconclusive) {
        act(prediction, attempt.since_ms + ahead_ms, what);
      }
      if (!prediction.acted.empty()) break;
    }
    if (prediction.acted.empty() && !is_under_way && prediction.acted_ms != 0) {
      prediction.acted_ms = 0;  // It was refused, or never came
      prediction.before_action = {};
    }
  }
}

}  // namespace observeai::controlplane::outlook
