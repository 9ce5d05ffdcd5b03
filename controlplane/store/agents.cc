#include "controlplane/store/agents.h"

#include "controlplane/store/ids.h"
#include "protocol/sql/packed.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::controlplane::store {
namespace {

#define AGENT_COLUMNS                                                                   \
  "id, tenant, shard, state, hostname, machine_id_sha256, token_id, spki_sha256,"       \
  " certificate_pem, certificate_serial, certificate_not_after_ms, sealing_public_key," \
  " result_public_key, labels, enrolled_ms, revoked_ms, revoked_reason, last_seen_ms, last_hello"

constexpr const char* kInsert =
    "INSERT INTO agents(" AGENT_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kFind = "SELECT " AGENT_COLUMNS " FROM agents WHERE id=?";
constexpr const char* kList =
    "SELECT " AGENT_COLUMNS " FROM agents WHERE ?1='' OR tenant=?1 ORDER BY id";
constexpr const char* kStateOf = "SELECT state FROM agents WHERE id=?";
constexpr const char* kSetState = "UPDATE agents SET state=? WHERE id=?";
constexpr const char* kRevoke =
    "UPDATE agents SET state=?, revoked_ms=?, revoked_reason=? WHERE id=?";
constexpr const char* kSetCertificate =
    "UPDATE agents SET spki_sha256=?, certificate_pem=?, certificate_serial=?,"
    " certificate_not_after_ms=? WHERE id=?";
constexpr const char* kSetSeen = "UPDATE agents SET last_seen_ms=? WHERE id=?";
constexpr const char* kSetHello = "UPDATE agents SET last_hello=? WHERE id=?";

Error missing(const AgentId& id) {
  return Error(Errc::kNotFound, "no agent " + id.value());
}

Result<std::array<std::uint8_t, 32>> key_from(std::string_view blob) {
  std::array<std::uint8_t, 32> key{};
  if (blob.size() != key.size())
    return Error(Errc::kCorrupt, "state.db holds a key of a wrong length");
  std::memcpy(key.data(), blob.data(), key.size());
  return key;
}

Result<model::AgentRecord> agent_from(const sql::Statement& row) {
  model::AgentRecord agent;
  TRY(agent.id, id_from<AgentId>(row.text(0)));
  TRY(agent.tenant, id_from<TenantId>(row.text(1)));
  agent.shard = row.integer32(2);
  agent.state = static_cast<model::AgentState>(row.integer(3));
  agent.hostname = row.string(4);
  agent.machine_id_sha256 = row.string(5);
  agent.token_id = row.string(6);
  agent.spki_sha256 = row.string(7);
  agent.certificate_pem = row.string(8);
  agent.certificate_serial = row.string(9);
  agent.certificate_not_after_ms = row.integer(10);
  TRY(agent.sealing_public_key, key_from(row.blob(11)));
  TRY(agent.result_public_key, key_from(row.blob(12)));
  TRY(agent.labels, sql::unpack_map(row.blob(13)));
  agent.enrolled_ms = row.integer(14);
  agent.revoked_ms = row.integer(15);
  agent.revoked_reason = row.string(16);
  agent.last_seen_ms = row.integer(17);
  if (!row.is_null(18)) {
    TRY(agent.last_hello, wire::decode_hello(row.blob(18)));
  }
  return agent;
}

}  // namespace

Result<void> insert_agent(sql::Database& db, const model::AgentRecord& agent) {
  TRY(const auto taken, db.scalar(0, "SELECT count(*) FROM agents WHERE id=?", agent.id.value()));
  if (taken != 0) return Error(Errc::kInvalid, "agent id " + agent.id.value() + " is taken");
  std::string hello;
  std::optional<sql::Blob> hello_blob;
  if (agent.last_hello) {
    hello = wire::encode_hello(*agent.last_hello);
    hello_blob.emplace(std::string_view(hello));
  }
  TRY_VOID(db.run(kInsert, agent.id.value(), agent.tenant.value(), agent.shard,
                  static_cast<int>(agent.state), agent.hostname, agent.machine_id_sha256,
                  agent.token_id, agent.spki_sha256, agent.certificate_pem,
                  agent.certificate_serial, agent.certificate_not_after_ms,
                  sql::Blob(agent.sealing_public_key), sql::Blob(agent.result_public_key),
                  sql::Blob(sql::pack(agent.labels)), agent.enrolled_ms, agent.revoked_ms,
                  agent.revoked_reason, agent.last_seen_ms, hello_blob));
  return {};
}

Result<std::optional<model::AgentRecord>> find_agent(sql::Database& db, const std::string& id) {
  TRY(auto row, db.query(kFind, id));
  TRY(const bool found, row.step());
  if (!found) return std::optional<model::AgentRecord>();
  TRY(auto agent, agent_from(row));
  return std::optional<model::AgentRecord>(std::move(agent));
}

void AgentStore::overlay(model::AgentRecord& agent) {
  MutexLock lock(mutex_);
  const auto found = seen_.find(agent.id);
  if (found == seen_.end()) return;
  agent.last_seen_ms = found->second.ms;
  if (found->second.hello) agent.last_hello = found->second.hello;
}

Result<std::optional<model::AgentRecord>> AgentStore::find(const AgentId& id) {
  TRY(auto agent, state_.read([&](sql::Database& db) { return find_agent(db, id.value()); }));
  if (agent) overlay(*agent);
  return agent;
}

Result<std::vector<model::AgentRecord>> AgentStore::list(const TenantId& tenant) {
  TRY(auto agents, state_.read([&](sql::Database& db) -> Result<std::vector<model::AgentRecord>> {
    TRY(auto row, db.query(kList, tenant.value()));
    std::vector<model::AgentRecord> out;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return out;
      TRY(auto agent, agent_from(row));
      out.push_back(std::move(agent));
    }
  }));
  for (auto& agent : agents) overlay(agent);
  return agents;
}

Result<void> AgentStore::confirm(const AgentId& id) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto state, db.scalar(-1, kStateOf, id.value()));
    if (state < 0) return missing(id);
    if (state == static_cast<int>(model::AgentState::kRevoked)) {
      return Error(Errc::kDenied, "agent " + id.value() + " is revoked");
    }
    TRY_VOID(db.run(kSetState, static_cast<int>(model::AgentState::kActive), id.value()));
    return {};
  });
}

Result<void> AgentStore::revoke(const AgentId& id, const std::string& reason, std::int64_t now_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto state, db.scalar(-1, kStateOf, id.value()));
    if (state < 0) return missing(id);
    constexpr auto kRevoked = static_cast<int>(model::AgentState::kRevoked);
    if (state == kRevoked) return {};
    TRY_VOID(db.run(kRevoke, kRevoked, now_ms, reason, id.value()));
    return {};
  });
}

Result<void> AgentStore::update_certificate(const AgentId& id, const std::string& spki_sha256,
                                            const std::string& certificate_pem,
                                            const std::string& serial, std::int64_t not_after_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto changed,
        db.run(kSetCertificate, spki_sha256, certificate_pem, serial, not_after_ms, id.value()));
    if (changed == 0) return missing(id);
    return {};
  });
}

Result<void> AgentStore::seen(const AgentId& id, std::int64_t now_ms,
                              const std::optional<wire::Hello>& hello) {
  TRY(const auto known,
      state_.read([&](sql::Database& db) { return db.scalar(-1, kStateOf, id.value()); }));
  if (known < 0) return missing(id);
  {
    MutexLock lock(mutex_);
    Seen& seen = seen_[id];
    seen.ms = now_ms;  // Also when that is earlier: the clock was ahead
    if (hello) seen.hello = hello;
    ++seen.changes;
  }
  if (hello) on_hello_(id, *hello);
  return {};
}

Result<void> AgentStore::flush() {
  std::map<AgentId, Seen> taken;
  {
    MutexLock lock(mutex_);
    taken = seen_;
  }
  if (taken.empty()) return {};
  TRY_VOID(state_.write([&](sql::Database& db) -> Result<void> {
    for (const auto& [id, seen] : taken) {
      TRY_VOID(db.run(kSetSeen, seen.ms, id.value()));
      if (!seen.hello) continue;
      TRY_VOID(db.run(kSetHello, sql::Blob(std::string_view(wire::encode_hello(*seen.hello))),
                      id.value()));
    }
    return {};
  }));
  MutexLock lock(mutex_);
  std::erase_if(seen_, [&](const auto& entry) {
    const auto found = taken.find(entry.first);
    return found != taken.end() && found->second.changes == entry.second.changes;
  });
  return {};
}

}  // namespace observeai::controlplane::store
