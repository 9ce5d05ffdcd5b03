#include "controlplane/store/tokens.h"

#include "controlplane/store/agents.h"
#include "controlplane/store/ids.h"
#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {
namespace {

#define TOKEN_COLUMNS                                                           \
  "id, secret_sha256, tenant, labels, cidrs, host_pattern, uses_allowed, uses," \
  " needs_approval, created_ms, expires_ms, revoked_ms, created_by"

constexpr const char* kInsert =
    "INSERT INTO tokens(" TOKEN_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kFind = "SELECT " TOKEN_COLUMNS " FROM tokens WHERE id=?";
constexpr const char* kList =
    "SELECT " TOKEN_COLUMNS " FROM tokens WHERE ?1='' OR tenant=?1 ORDER BY created_ms, id";
constexpr const char* kRevoke =
    "UPDATE tokens SET revoked_ms=CASE WHEN revoked_ms=0 THEN ? ELSE revoked_ms END WHERE id=?";
constexpr const char* kEnrolledBefore =
    "SELECT agent FROM enrollments WHERE token_id=? AND spki_sha256=?";
constexpr const char* kEnroll =
    "INSERT INTO enrollments(token_id, spki_sha256, agent) VALUES(?,?,?)";
constexpr const char* kCountUse = "UPDATE tokens SET uses=uses+1 WHERE id=?";

Result<model::TokenRecord> token_from(const sql::Statement& row) {
  model::TokenRecord token;
  token.id = row.string(0);
  token.secret_sha256 = row.string(1);
  TRY(token.tenant, id_from<TenantId>(row.text(2)));
  TRY(token.labels, sql::unpack_map(row.blob(3)));
  TRY(token.cidrs, sql::unpack_list(row.blob(4)));
  token.host_pattern = row.string(5);
  token.uses_allowed = row.integer32(6);
  token.uses = row.integer32(7);
  token.needs_approval = row.integer(8) != 0;
  token.created_ms = row.integer(9);
  token.expires_ms = row.integer(10);
  token.revoked_ms = row.integer(11);
  token.created_by = row.string(12);
  return token;
}

Result<std::optional<model::TokenRecord>> find_token(sql::Database& db, const std::string& id) {
  TRY(auto row, db.query(kFind, id));
  TRY(const bool found, row.step());
  if (!found) return std::optional<model::TokenRecord>();
  TRY(auto token, token_from(row));
  return std::optional<model::TokenRecord>(std::move(token));
}

Result<std::optional<model::AgentRecord>> enrolled_before(sql::Database& db,
                                                          const std::string& token_id,
                                                          const std::string& spki_sha256) {
  TRY(auto row, db.query(kEnrolledBefore, token_id, spki_sha256));
  TRY(const bool found, row.step());
  if (!found) return std::optional<model::AgentRecord>();
  return find_agent(db, row.string(0));
}

}  // namespace

Result<void> TokenStore::insert(const model::TokenRecord& token) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto before, find_token(db, token.id));
    if (before) return Error(Errc::kInvalid, "token " + token.id + " exists");
    TRY_VOID(db.run(kInsert, token.id, token.secret_sha256, token.tenant.value(),
                    sql::Blob(sql::pack(token.labels)), sql::Blob(sql::pack(token.cidrs)),
                    token.host_pattern, token.uses_allowed, token.uses, token.needs_approval,
                    token.created_ms, token.expires_ms, token.revoked_ms, token.created_by));
    return {};
  });
}

Result<std::optional<model::TokenRecord>> TokenStore::find(const std::string& id) {
  return state_.read([&](sql::Database& db) { return find_token(db, id); });
}

Result<std::vector<model::TokenRecord>> TokenStore::list(const TenantId& tenant) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::TokenRecord>> {
    TRY(auto row, db.query(kList, tenant.value()));
    std::vector<model::TokenRecord> tokens;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return tokens;
      TRY(auto token, token_from(row));
      tokens.push_back(std::move(token));
    }
  });
}

Result<void> TokenStore::revoke(const std::string& id, std::int64_t now_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto changed, db.run(kRevoke, now_ms, id));
    if (changed == 0) return Error(Errc::kNotFound, "no token " + id);
    return {};
  });
}

Result<model::AgentRecord> TokenStore::consume(const std::string& token_id,
                                               const model::AgentRecord& agent,
                                               std::int64_t now_ms) {
  return state_.write([&](sql::Database& db) -> Result<model::AgentRecord> {
    TRY(auto before, enrolled_before(db, token_id, agent.spki_sha256));
    if (before) return std::move(*before);
    TRY(const auto token, find_token(db, token_id));
    if (!token) return Error(Errc::kDenied, "token is unknown");
    if (token->revoked_ms != 0) return Error(Errc::kDenied, "token is revoked");
    if (token->expires_ms <= now_ms) return Error(Errc::kDenied, "token is expired");
    if (token->uses >= token->uses_allowed) return Error(Errc::kDenied, "token is used up");
    TRY_VOID(insert_agent(db, agent));
    TRY_VOID(db.run(kEnroll, token_id, agent.spki_sha256, agent.id.value()));
    TRY_VOID(db.run(kCountUse, token_id));
    return agent;
  });
}

}  // namespace observeai::controlplane::store
