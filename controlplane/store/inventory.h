// The newest inventory of each host, one row for each container, process group, unit and port.
// Internal to controlplane/store.
#pragma once

#include <optional>
#include <vector>

#include "controlplane/model/records.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Inside a transaction of the caller; updates of one host come in order.
Result<void> apply_inventory(sql::Database& db, const AgentId& agent,
                             const wire::InventoryUpdate& update);
Result<std::optional<model::HostInventory>> load_inventory(sql::Database& db, const AgentId& agent);
Result<std::vector<AgentId>> agents_with_inventory(sql::Database& db, const TenantId& tenant);
// Both without reading the entries themselves. By agent; an empty tenant means all.
Result<std::vector<model::InventoryCounts>> count_inventories(sql::Database& db,
                                                              const TenantId& tenant);
Result<std::vector<model::TargetName>> find_target_names(sql::Database& db, const TenantId& tenant,
                                                         const std::string& text);
// Fills the name columns of rows that were written before there were any.
Result<void> name_old_inventory(StateDb& state);
// As wire::inventory_digest of the whole; "" when there is none.
Result<std::string> digest_of_inventory(sql::Database& db, const AgentId& agent);

}  // namespace observeai::controlplane::store
