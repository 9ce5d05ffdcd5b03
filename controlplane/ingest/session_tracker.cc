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

SessionTracker::Order SessionTracker::order_of(const wire::Hello& hello) const {
  const auto entry = histories_.find(hello.agent);
  if (entry == histories_.end()) return Order::kNew;
  const auto compare = [&](const Session& session) {
    if (hello.challenge != session.challenge || hello.number > session.newest) return Order::kNew;
    return hello.number == session.newest ? Order::kRepeated : Order::kEarlier;
  };
  const History& history = entry->second;
  if (hello.session_nonce == history.session.nonce) return compare(history.session);
  const auto old =
      std::find_if(history.old_sessions.begin(), history.old_sessions.end(),
                   [&](const Session& session) { return session.nonce == hello.session_nonce; });
  return old == history.old_sessions.end() ? Order::kNew : compare(*old);
}

SessionTracker::Finding SessionTracker::observe(const wire::Hello& hello) {
  const auto [entry, is_new] = histories_.try_emplace(hello.agent);
  History& history = entry->second;
  const Session session{hello.session_nonce, hello.challenge, hello.number};
  if (is_new) {
    history.session = session;
    history.epoch = hello.epoch;
    return {.took_over = true, .clone = {}, .restored = {}};
  }
  Finding finding;
  if (hello.session_nonce == history.session.nonce) {
    history.session = session;
  } else {
    const auto old =
        std::find_if(history.old_sessions.begin(), history.old_sessions.end(),
                     [&](const Session& one) { return one.nonce == hello.session_nonce; });
    if (old != history.old_sessions.end()) {
      history.old_sessions.erase(old);
      finding.clone = "two running agents take turns under this identity";
    }
    remember(history.old_sessions, history.session, kRemembered);
    history.session = session;
    finding.took_over = true;
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
