#include "controlplane/ingest/session_tracker.h"

#include <algorithm>

namespace observeai::controlplane {
namespace {

template <class T>
void remember(std::deque<T>& old, T value, std::size_t most) {
  old.push_back(std::move(value));
  if (old.size() > most) old.pop_front();
}

}  // namespace

SessionTracker::Finding SessionTracker::observe(const wire::Hello& hello) {
  const auto [entry, is_new] = histories_.try_emplace(hello.agent);
  History& history = entry->second;
  if (is_new) {
    history.session = {hello.session_nonce, hello.wall_time_ms};
    history.epoch = hello.epoch;
    return {};
  }
  Finding finding;
  if (hello.session_nonce == history.session.nonce) {
    history.session.newest_wall_ms = std::max(history.session.newest_wall_ms, hello.wall_time_ms);
  } else {
    const auto old =
        std::find_if(history.old_sessions.begin(), history.old_sessions.end(),
                     [&](const Session& session) { return session.nonce == hello.session_nonce; });
    if (old != history.old_sessions.end()) {
      // One that lives says hello with a later time.
      if (hello.wall_time_ms <= old->newest_wall_ms)
        return {.is_replay = true, .clone = {}, .restored = {}};
      history.old_sessions.erase(old);
      finding.clone = "two running agents take turns under this identity";
    }
    remember(history.old_sessions, history.session, kRemembered);
    history.session = {hello.session_nonce, hello.wall_time_ms};
  }
  if (hello.epoch == history.epoch) return finding;
  const auto epoch = std::find(history.old_epochs.begin(), history.old_epochs.end(), hello.epoch);
  if (epoch != history.old_epochs.end()) {
    history.old_epochs.erase(epoch);
    if (!finding.clone) finding.restored = "an older spool of this identity has come back to life";
  }
  remember(history.old_epochs, history.epoch, kRemembered);
  history.epoch = hello.epoch;
  return finding;
}

}  // namespace observeai::controlplane
