#include "controlplane/dispatch/target_names.h"

#include <algorithm>
#include <optional>

#include "protocol/actions/catalogue.h"

namespace observeai::controlplane::dispatch {
namespace {

// nullopt: nobody knows it, or not all mean the same.
Result<std::optional<std::string>> name_of(World& world, const std::vector<AgentId>& agents,
                                           const std::string& given) {
  std::optional<std::string> name;
  for (const auto& agent : agents) {
    TRY(const auto inventory, world.telemetry.inventory(agent));
    const auto* found = inventory ? container_named(inventory->containers, given) : nullptr;
    if (found == nullptr) continue;
    if (name && *name != found->name) return std::optional<std::string>();
    name = found->name;
  }
  return name;
}

}  // namespace

const wire::Container* container_named(const std::vector<wire::Container>& containers,
                                       std::string_view name) {
  const wire::Container* by_id = nullptr;
  std::size_t count = 0;
  for (const auto& one : containers) {
    if (one.name == name) return &one;
    if (name.size() < kShortestContainerId || !one.id.starts_with(name)) continue;
    by_id = &one;
    ++count;
  }
  return count == 1 ? by_id : nullptr;
}

Result<void> use_hosts_names(World& world, const std::vector<AgentId>& agents,
                             model::PlanRecord& plan) {
  const auto* manifest = actions::find(plan.action);
  if (manifest == nullptr) return {};
  for (const auto& spec : manifest->parameters) {
    const auto found = plan.parameters.find(std::string(spec.name));
    if (spec.form != actions::Form::kContainer || found == plan.parameters.end()) continue;
    auto* given = std::get_if<std::string>(&found->second);
    if (given == nullptr) continue;
    TRY(const auto name, name_of(world, agents, *given));
    if (name) *given = *name;
  }
  return {};
}

}  // namespace observeai::controlplane::dispatch
