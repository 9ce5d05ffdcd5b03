// Notices two machines that live under one identity (a cloned disk) and a disk that was put back (a
// restored snapshot). An agent replaces its session nonce at each start and its epoch with each new
// spool, and never goes back. A nonce that returns after it was replaced means that both processes are
// alive. An epoch that returns with a new nonce is an older spool. What a broker repeats is known by the
// number of the hello, which ascends among the hellos of one process that echo one challenge; the caller
// keeps away what echoes another challenge than the present one.
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
  enum class Order {
    kNew,
    kRepeated,  // The number of the newest one: a broker may deliver twice
    kEarlier,  // Kept by the broker, or of a process that was resumed from a snapshot of its memory
  };
  // Compared with the hellos of the same process under the same challenge.
  Order order_of(const wire::Hello& hello) const;

  struct Finding {
    bool took_over = false;               // Another process than that of the last hello
    std::optional<std::string> clone;     // Why this shows a clone
    std::optional<std::string> restored;  // Why this shows an older disk; not with `clone`
  };
  // Of a hello that is kNew.
  Finding observe(const wire::Hello& hello);

 private:
  static constexpr std::size_t kRemembered = 16;  // Restarts until an old nonce is forgotten
  struct Session {
    wire::Nonce16 nonce{};
    wire::Nonce16 challenge{};  // Echoed by its newest hello
    std::uint64_t newest = 0;   // Number of that
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
