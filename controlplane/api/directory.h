// What one tenant can name: its agents, their inventories, and what people call things. Made for
// one request; reads the store when asked and keeps what it read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/api/messages.h"
#include "controlplane/model/repositories.h"

namespace observeai::controlplane::api {

struct ResolvedTarget {
  AgentId agent;        // Empty = on every host (only for the target "host" and removed containers)
  wire::Target target;  // Empty = every target
};

// Used by one thread. The references must outlive it.
class Directory {
 public:
  Directory(model::AgentRegistry& registry, model::TelemetryReader& telemetry, TenantId tenant)
      : registry_(registry), telemetry_(telemetry), tenant_(std::move(tenant)) {}

  Answer<const std::map<AgentId, model::AgentRecord>*> agents();
  // By id, start of an id, or host name. 404 with the nearest, 409 with the candidates.
  Answer<model::AgentRecord> host(const std::string& text);
  // By the whole id only.
  Answer<model::AgentRecord> exact_agent(const std::string& id);

  // nullptr when nothing is known of the agent yet.
  Answer<const model::HostInventory*> inventory(const AgentId& agent);
  // Of one host, or of all when `host_text` is empty.
  Answer<std::vector<const model::HostInventory*>> inventories(const std::string& host_text);

  // `text` and `host_text` may be empty: every target, every host.
  Answer<ResolvedTarget> target(const std::string& text, const std::string& host_text);

  bool is_mine(const AgentId& agent);
  std::string hostname(const AgentId& agent);
  std::string name(const AgentId& agent, const wire::Target& target);

 private:
  struct Match {
    const model::HostInventory* inventory;
    wire::Target target;
    std::string name;
  };
  Answer<ResolvedTarget> one_of(const std::vector<Match>& matches, const std::string& text);
  Problem unknown_target(const std::string& text,
                         const std::vector<const model::HostInventory*>& where);
  Candidate candidate(const AgentId& agent, const wire::Target& target, const std::string& name);

  model::AgentRegistry& registry_;
  model::TelemetryReader& telemetry_;
  const TenantId tenant_;
  std::optional<std::map<AgentId, model::AgentRecord>> agents_;
  bool all_inventories_ = false;
  std::map<AgentId, std::optional<model::HostInventory>> inventories_;
};

}  // namespace observeai::controlplane::api
