// What agents and targets are called, remembered for the rows of live followers.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::api {

// The container's, unit's or group's name; the target itself when the inventory does not know it.
std::string name_in(const model::HostInventory* inventory, const wire::Target& target);

// Thread-safe; asks the store when something is new, at most once a second for each agent.
class NameBook {
 public:
  static constexpr std::chrono::seconds kRefresh{30};  // Containers may be renamed
  static constexpr std::chrono::seconds kRetry{1};
  static constexpr std::size_t kMaxAgents = 20'000;

  NameBook(model::AgentRegistry& agents, model::TelemetryReader& telemetry, const Clock& clock)
      : agents_(agents), telemetry_(telemetry), clock_(clock) {}

  TenantId tenant(const AgentId& agent);  // Empty for an unknown agent
  std::string hostname(const AgentId& agent);
  std::string name(const AgentId& agent, const wire::Target& target);
  // Names that just arrived, so that a container's first event can tell its name. Agents not asked
  // about yet are left out.
  void learn(const AgentId& agent, const std::vector<wire::InventoryUpdate>& updates);

 private:
  struct Page {
    TenantId tenant;
    std::string hostname;
    std::map<wire::Target, std::string> names;
    SteadyTime read_at;
  };
  Page& page(const AgentId& agent) REQUIRES(mutex_);
  void read(const AgentId& agent, Page& page) REQUIRES(mutex_);

  model::AgentRegistry& agents_;
  model::TelemetryReader& telemetry_;
  const Clock& clock_;
  Mutex mutex_;
  std::unordered_map<AgentId, Page> pages_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane::api
