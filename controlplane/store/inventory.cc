#include "controlplane/store/inventory.h"

#include "controlplane/store/ids.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::controlplane::store {
namespace {

enum Section : int { kHost = 0, kContainers = 1, kProcesses = 2, kUnits = 3, kPorts = 4 };

constexpr const char* kSetUpdated =
    "INSERT INTO inventory_hosts(agent, updated_ms) VALUES(?,?)"
    " ON CONFLICT DO UPDATE SET updated_ms=max(updated_ms, excluded.updated_ms)";
constexpr const char* kUpdated = "SELECT updated_ms FROM inventory_hosts WHERE agent=?";
constexpr const char* kUpsert =
    "INSERT OR REPLACE INTO inventory(agent, section, key, value, name, service, running)"
    " VALUES(?,?,?,?,?,?,?)";
constexpr const char* kCounts =
    "SELECT h.agent, h.updated_ms, i.section, count(*), sum(i.running) FROM inventory_hosts h"
    " JOIN inventory i INDEXED BY inventory_names ON i.agent=h.agent LEFT JOIN agents a ON "
    "a.id=h.agent"
    " WHERE ?1='' OR a.tenant=?1 GROUP BY h.agent, i.section";
constexpr const char* kNames =
    "SELECT i.agent, i.section, i.key, i.name, i.service, i.running FROM inventory_hosts h"
    " JOIN inventory i INDEXED BY inventory_names ON i.agent=h.agent LEFT JOIN agents a ON "
    "a.id=h.agent"
    " WHERE (?1='' OR a.tenant=?1) AND i.section BETWEEN 1 AND 3"
    " AND (instr(i.key, ?2) OR instr(i.name, ?2) OR instr(i.service, ?2))"
    " ORDER BY i.agent, i.section, i.key";
constexpr const char* kUnnamed =
    "SELECT agent, section, key, value FROM inventory WHERE name IS NULL LIMIT ?";
constexpr const char* kName =
    "UPDATE inventory SET name=?, service=?, running=? WHERE agent=? AND section=? AND key=?";
constexpr const char* kRemove = "DELETE FROM inventory WHERE agent=? AND section=? AND key=?";
constexpr const char* kRemoveSection = "DELETE FROM inventory WHERE agent=? AND section=?";
constexpr const char* kLoad =
    "SELECT section, value FROM inventory WHERE agent=? ORDER BY section, key";
constexpr const char* kAgents =
    "SELECT h.agent FROM inventory_hosts h LEFT JOIN agents a ON a.id=h.agent"
    " WHERE ?1='' OR a.tenant=?1 ORDER BY h.agent";

constexpr std::int64_t kNameChunk = 5'000;  // Rows of one transaction

// What the name columns hold of one entry.
struct NameColumns {
  std::string name;
  std::string service;
  bool running = false;
};
NameColumns columns_of(const wire::Container& c) {
  return {c.name, c.service, c.state == "running"};
}
NameColumns columns_of(const wire::ProcessGroup& p) {
  return {p.name, "", false};
}
NameColumns columns_of(const wire::SystemdUnit& u) {
  return {u.name, "", false};
}
NameColumns columns_of(const wire::ListeningPort&) {
  return {};
}

NameColumns columns_of(const wire::ControlBatch& entry) {
  for (const auto& update : entry.inventory) {
    for (const auto& c : update.containers.upserts) return columns_of(c);
    for (const auto& p : update.processes.upserts) return columns_of(p);
    for (const auto& u : update.units.upserts) return columns_of(u);
  }
  return {};
}

Result<std::string> encode_entry(wire::InventoryUpdate entry) {
  wire::ControlBatch batch;
  batch.inventory.push_back(std::move(entry));
  return wire::encode_control(batch);
}

template <class T>
Result<void> apply_section(sql::Database& db, const AgentId& agent, Section section,
                           const wire::SectionUpdate<T>& update,
                           wire::SectionUpdate<T> wire::InventoryUpdate::*member) {
  if (update.full) {
    TRY_VOID(db.run(kRemoveSection, agent.value(), static_cast<int>(section)));
  }
  for (const auto& key : update.removed) {
    TRY_VOID(db.run(kRemove, agent.value(), static_cast<int>(section), key));
  }
  for (const auto& item : update.upserts) {
    wire::InventoryUpdate entry;
    (entry.*member).upserts.push_back(item);
    TRY(const auto value, encode_entry(std::move(entry)));
    const NameColumns columns = columns_of(item);
    TRY_VOID(db.run(kUpsert, agent.value(), static_cast<int>(section), key_of(item),
                    sql::Blob(value), columns.name, columns.service, columns.running ? 1 : 0));
  }
  return {};
}

// Every row as one update that is the whole inventory; nullopt when the host never sent one.
Result<std::optional<wire::InventoryUpdate>> load_whole(sql::Database& db, const AgentId& agent) {
  wire::InventoryUpdate whole;
  TRY(whole.ts_ms, db.scalar(-1, kUpdated, agent.value()));
  if (whole.ts_ms < 0) return std::optional<wire::InventoryUpdate>();
  TRY(auto row, db.query(kLoad, agent.value()));
  const auto take = [](auto& into, auto& from) {
    for (auto& item : from.upserts) into.upserts.push_back(std::move(item));
  };
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return std::optional<wire::InventoryUpdate>(std::move(whole));
    TRY(auto batch, wire::decode_control(row.blob(1), wire::Codec::kZstd));
    for (auto& entry : batch.inventory) {
      if (entry.host) whole.host = std::move(entry.host);
      take(whole.containers, entry.containers);
      take(whole.processes, entry.processes);
      take(whole.units, entry.units);
      take(whole.ports, entry.ports);
    }
  }
}

}  // namespace

Result<void> apply_inventory(sql::Database& db, const AgentId& agent,
                             const wire::InventoryUpdate& update) {
  TRY_VOID(db.run(kSetUpdated, agent.value(), std::max<std::int64_t>(0, update.ts_ms)));
  if (update.host) {
    wire::InventoryUpdate entry;
    entry.host = update.host;
    TRY(const auto value, encode_entry(std::move(entry)));
    TRY_VOID(
        db.run(kUpsert, agent.value(), static_cast<int>(kHost), "", sql::Blob(value), "", "", 0));
  }
  TRY_VOID(
      apply_section(db, agent, kContainers, update.containers, &wire::InventoryUpdate::containers));
  TRY_VOID(
      apply_section(db, agent, kProcesses, update.processes, &wire::InventoryUpdate::processes));
  TRY_VOID(apply_section(db, agent, kUnits, update.units, &wire::InventoryUpdate::units));
  return apply_section(db, agent, kPorts, update.ports, &wire::InventoryUpdate::ports);
}

Result<std::optional<model::HostInventory>> load_inventory(sql::Database& db,
                                                           const AgentId& agent) {
  TRY(auto whole, load_whole(db, agent));
  if (!whole) return std::optional<model::HostInventory>();
  model::HostInventory inventory;
  inventory.agent = agent;
  inventory.updated_ms = whole->ts_ms;
  if (whole->host) inventory.host = std::move(*whole->host);
  inventory.containers = std::move(whole->containers.upserts);
  inventory.processes = std::move(whole->processes.upserts);
  inventory.units = std::move(whole->units.upserts);
  inventory.ports = std::move(whole->ports.upserts);
  return std::optional<model::HostInventory>(std::move(inventory));
}

Result<std::vector<AgentId>> agents_with_inventory(sql::Database& db, const TenantId& tenant) {
  TRY(auto row, db.query(kAgents, tenant.value()));
  std::vector<AgentId> agents;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return agents;
    TRY(auto agent, id_from<AgentId>(row.text(0)));
    agents.push_back(std::move(agent));
  }
}

Result<std::vector<model::InventoryCounts>> count_inventories(sql::Database& db,
                                                              const TenantId& tenant) {
  TRY(auto row, db.query(kCounts, tenant.value()));
  std::vector<model::InventoryCounts> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    TRY(auto agent, id_from<AgentId>(row.text(0)));
    if (out.empty() || out.back().agent != agent) out.emplace_back().agent = std::move(agent);
    auto& counts = out.back();
    counts.updated_ms = row.integer(1);
    const std::uint64_t count = row.unsigned_integer(3);
    switch (row.integer(2)) {
      case kContainers:
        counts.containers = count;
        counts.containers_running = row.unsigned_integer(4);
        break;
      case kProcesses:
        counts.processes = count;
        break;
      case kUnits:
        counts.units = count;
        break;
      case kPorts:
        counts.ports = count;
        break;
      default:
        break;
    }
  }
}

Result<std::vector<model::TargetName>> find_target_names(sql::Database& db, const TenantId& tenant,
                                                         const std::string& text) {
  static constexpr std::array<const char*, 4> kKinds = {"", "container/", "process/", "unit/"};
  TRY(auto row, db.query(kNames, tenant.value(), text));
  std::vector<model::TargetName> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    model::TargetName name;
    TRY(name.agent, id_from<AgentId>(row.text(0)));
    name.target = kKinds[static_cast<std::size_t>(row.integer(1))] + row.string(2);
    name.name = row.string(3);
    name.service = row.string(4);
    name.is_running = row.integer(5) != 0;
    out.push_back(std::move(name));
  }
}

Result<void> name_old_inventory(StateDb& state) {
  struct Row {
    std::string agent;
    std::int64_t section;
    std::string key;
    NameColumns columns;
  };
  const auto name_some = [](sql::Database& db) -> Result<std::size_t> {
    std::vector<Row> rows;
    {
      TRY(auto row, db.query(kUnnamed, kNameChunk));
      for (;;) {
        TRY(const bool more, row.step());
        if (!more) break;
        const auto entry = wire::decode_control(row.blob(3), wire::Codec::kZstd);
        rows.push_back({row.string(0), row.integer(1), row.string(2),
                        entry ? columns_of(*entry) : NameColumns()});
      }
    }
    for (const auto& row : rows) {
      TRY_VOID(db.run(kName, row.columns.name, row.columns.service, row.columns.running ? 1 : 0,
                      row.agent, row.section, row.key));
    }
    return rows.size();
  };
  for (;;) {
    TRY(const auto named, state.write(name_some));
    if (named < static_cast<std::size_t>(kNameChunk)) return {};
  }
}

Result<std::string> digest_of_inventory(sql::Database& db, const AgentId& agent) {
  TRY(auto whole, load_whole(db, agent));
  if (!whole) return std::string();
  return wire::inventory_digest(*whole);
}

}  // namespace observeai::controlplane::store
