// Notices two machines that live under one identity (a cloned disk, a restored snapshot). An agent
// replaces its session nonce at each start and its epoch with each new spool, and never goes back;
// so one that returns after it was replaced means that both are alive.
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
  // Why `hello` shows a clone, or nullopt.
  std::optional<std::string> observe(const wire::Hello& hello);

 private:
  static constexpr std::size_t kRemembered = 16;  // Restarts until an old nonce is forgotten
  struct History {
    wire::Nonce16 nonce{};
    Epoch epoch;
    std::deque<wire::Nonce16> old_nonces;
    std::deque<Epoch> old_epochs;
  };
  std::unordered_map<AgentId, History> histories_;
};

}  // namespace observeai::controlplane
