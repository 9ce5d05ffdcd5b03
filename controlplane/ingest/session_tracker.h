// Notices two machines that live under one identity (a cloned disk) and a disk that was put back (a
// restored snapshot). An agent replaces its session nonce at each start and its epoch with each new
// spool, and never goes back. A nonce that returns after it was replaced means that both processes are
// alive. An epoch that returns with a new nonce is an older spool. What a broker repeats is known by the
// number of the hello; the caller keeps away what it kept since before another process took over.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

#include "protocol/wire/messages.h"

namespace observeai::controlplane {

// Pure, in memory; after a restart of the control plane it learns again. Not thread-safe.
class SessionTracker {
 public:
  struct Finding {
    bool is_replay = false;               // Heard before, or an earlier one: to be ignored
    bool took_over = false;               // Another process than that of the last hello
    std::optional<std::string> clone;     // Why this shows a clone
    std::optional<std::string> restored;  // Why this shows an older disk; not with `clone`
  };
  Finding observe(const wire::Hello& hello);

 private:
  static constexpr std::size_t kRemembered = 16;  // Restarts until an old nonce is forgotten
  struct Session {
    wire::Nonce16 nonce{};
    std::uint64_t newest = 0;  // Number of its newest hello
  };
  struct History {
    Session session;
    Epoch epoch;
    std::deque<Session> old_sessions;
    std::deque<Epoch> old_epochs;
  };
  std::unordered_map<AgentId, History> histories_;
};

}  // namespace observeai::controlplane
