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

  // nullptr when nothing is known of the agent yet. Kept for the rest of the request.
  Answer<const model::HostInventory*> inventory(const AgentId& agent);
  // The same, not kept: for going over many hosts with one of them in memory at a time.
  Answer<std::optional<model::HostInventory>> read_inventory(const AgentId& agent);
  // The host that `host_text` names; every agent, in order, when it is empty.
  Answer<std::vector<AgentId>> hosts(const std::string& host_text);
  // How much there is on each host, without reading inventories.
  Answer<std::vector<model::InventoryCounts>> counts();
  // Of one host, or of all when `only` is empty. `text` as in TelemetryReader::target_names.
  Answer<std::vector<model::TargetName>> target_names(const AgentId& only, const std::string& text);

  // `text` and `host_text` may be empty: every target, every host.
  Answer<ResolvedTarget> target(const std::string& text, const std::string& host_text);

  bool is_mine(const AgentId& agent);
  std::string hostname(const AgentId& agent);
  std::string name(const AgentId& agent, const wire::Target& target);

 private:
  Answer<ResolvedTarget> one_of(const std::vector<model::TargetName>& matches,
                                const std::string& text);
  Answer<ResolvedTarget> unknown_target(const std::string& text, const AgentId& only);
  Answer<std::vector<model::TargetName>> units_with_logs(const AgentId& only,
                                                         const std::string& unit);
  Candidate candidate(const AgentId& agent, const wire::Target& target, const std::string& name);

  model::AgentRegistry& registry_;
  model::TelemetryReader& telemetry_;
  const TenantId tenant_;
  std::optional<std::map<AgentId, model::AgentRecord>> agents_;
  std::map<AgentId, std::optional<model::HostInventory>> inventories_;
  // Names of everything, once rows of many hosts want them.
  std::optional<std::map<std::pair<AgentId, wire::Target>, std::string>> names_;
};

}  // namespace observeai::controlplane::api
