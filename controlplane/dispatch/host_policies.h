// What hosts say of their own policy and kill switch, hello by hello: a change is written into the audit log.
// Internal to controlplane/dispatch.
#pragma once

#include <map>
#include <string>

#include "controlplane/dispatch/ports.h"

namespace observeai::controlplane::dispatch {

// One thread.
class HostPolicies {
 public:
  // A host writes one entry in this time, about the difference to what was written last: it may say anything,
  // as often as it likes.
  static constexpr std::chrono::minutes kAtMostEvery{1};

  // Begins with what the registry holds: also what changes while the control plane is down is noticed.
  explicit HostPolicies(World& world);
  // The agent's hello is in `agent`.
  void heard(const model::AgentRecord& agent);

 private:
  struct Told {
    std::string policy;  // Hash
    std::string state;
    std::optional<SteadyTime> at;
  };

  World& world_;
  std::map<AgentId, Told> told_;
};

}  // namespace observeai::controlplane::dispatch
