#include "controlplane/ingest/session_tracker.h"

#include <algorithm>

namespace observeai::controlplane {
namespace {

// Makes `value` the current one; true when it had been replaced before.
template <class T>
bool replace(T& current, std::deque<T>& old, const T& value, std::size_t most) {
  if (value == current) return false;
  const auto seen = std::find(old.begin(), old.end(), value);
  const bool returned = seen != old.end();
  if (returned) old.erase(seen);
  old.push_back(current);
  if (old.size() > most) old.pop_front();
  current = value;
  return returned;
}

}  // namespace

std::optional<std::string> SessionTracker::observe(const wire::Hello& hello) {
  const auto [entry, is_new] = histories_.try_emplace(hello.agent);
  History& history = entry->second;
  if (is_new) {
    history.nonce = hello.session_nonce;
    history.epoch = hello.epoch;
    return std::nullopt;
  }
  const bool nonce_returned =
      replace(history.nonce, history.old_nonces, hello.session_nonce, kRemembered);
  const bool epoch_returned = replace(history.epoch, history.old_epochs, hello.epoch, kRemembered);
  if (nonce_returned) return "two running agents take turns under this identity";
  if (epoch_returned) return "an older spool of this identity has come back to life";
  return std::nullopt;
}

}  // namespace observeai::controlplane
