#include "controlplane/store/reader.h"

#include "controlplane/store/alerts.h"
#include "controlplane/store/events.h"
#include "controlplane/store/inventory.h"
#include "controlplane/store/ledger.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::store {

std::vector<Reader::EpochName> Reader::epochs_of(const AgentId& agent) {
  MutexLock lock(book_.mutex);
  std::vector<EpochName> names;
  for (const auto* state : book_.of_agent(agent)) names.push_back({state->no, state->agent});
  return names;
}

void Reader::unreadable_chunk(const Partition& partition, const Error& why) {
  ++unreadable_chunks_;
  log::error("a chunk of " + partition.path() + " cannot be read: " + why.message());
  model::Alert alert;
  alert.kind = "store.unreadable_chunk";
  alert.object = "p-" + std::to_string(partition.start_ms());
  alert.message = why.message();
  alert.first_ms = alert.last_ms = clock_.unix_ms();
  alert.count = 1;
  ignore(state_.write([&](sql::Database& db) { return raise_alert(db, alert); }),
         "it is in the log");
}

Result<std::vector<model::HostInventory>> Reader::inventories(const TenantId& tenant) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::HostInventory>> {
    TRY(const auto agents, agents_with_inventory(db, tenant));
    std::vector<model::HostInventory> out;
    for (const auto& agent : agents) {
      TRY(auto inventory, load_inventory(db, agent));
      if (inventory) out.push_back(std::move(*inventory));
    }
    return out;
  });
}

Result<std::optional<model::HostInventory>> Reader::inventory(const AgentId& agent) {
  std::uint64_t version = 0;
  if (const auto known = inventories_.find(agent, version))
    return std::optional<model::HostInventory>(*known);
  TRY(auto inventory, state_.read([&](sql::Database& db) { return load_inventory(db, agent); }));
  if (inventory)
    inventories_.put(agent, version, std::make_shared<const model::HostInventory>(*inventory));
  return inventory;
}

Result<std::vector<model::InventoryCounts>> Reader::inventory_counts(const TenantId& tenant) {
  return state_.read([&](sql::Database& db) { return count_inventories(db, tenant); });
}

Result<std::vector<model::TargetName>> Reader::target_names(const TenantId& tenant,
                                                            const std::string& text) {
  return state_.read([&](sql::Database& db) { return find_target_names(db, tenant, text); });
}

Result<std::vector<model::EventRow>> Reader::events(const model::EventQuery& query) {
  return state_.read([&](sql::Database& db) { return query_events(db, query); });
}

Result<std::vector<model::LedgerRow>> Reader::ledger(const AgentId& agent) {
  return state_.read([&](sql::Database& db) { return query_ledger(db, book_, agent); });
}

}  // namespace observeai::controlplane::store
