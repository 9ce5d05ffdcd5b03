// One target, one name: what a plan calls a container becomes what its host calls it. Internal to
// controlplane/dispatch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controlplane/dispatch/ports.h"
#include "controlplane/model/plans.h"

namespace observeai::controlplane::dispatch {

// Of an id only so many digits count (the executor's resolve_container()).
inline constexpr std::size_t kShortestContainerId = 12;

// By its name, else by its id or the beginning of it. nullptr: none, or the beginning of several.
const wire::Container* container_named(const std::vector<wire::Container>& containers,
                                       std::string_view name);

// In the plan's parameters, an id becomes the name that the inventories of these hosts have for it. What no
// inventory knows stays as it is: the host has the last word. `agents` are of the plan's tenant.
Result<void> use_hosts_names(World& world, const std::vector<AgentId>& agents,
                             model::PlanRecord& plan);

}  // namespace observeai::controlplane::dispatch
