#include "controlplane/store/access.h"

#include "controlplane/store/ids.h"

namespace observeai::controlplane::store {
namespace {

#define KEY_COLUMNS \
  "id, secret_sha256, user, tenant, role, created_ms, expires_ms, last_used_ms, revoked_ms"

constexpr const char* kInsertKey =
    "INSERT INTO api_keys(" KEY_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?)";
constexpr const char* kFindKey = "SELECT " KEY_COLUMNS " FROM api_keys WHERE id=?";
constexpr const char* kListKeys = "SELECT " KEY_COLUMNS " FROM api_keys ORDER BY created_ms, id";
constexpr const char* kRevokeKey =
    "UPDATE api_keys SET revoked_ms=CASE WHEN revoked_ms=0 THEN ? ELSE revoked_ms END WHERE id=?";
constexpr const char* kKeyUsed = "UPDATE api_keys SET last_used_ms=max(last_used_ms, ?) WHERE id=?";
constexpr const char* kInsertLogin =
    "INSERT INTO login_codes(code_sha256, user, tenant, role, expires_ms, used_ms) "
    "VALUES(?,?,?,?,?,?)";
constexpr const char* kFindLogin =
    "SELECT code_sha256, user, tenant, role, expires_ms, used_ms FROM login_codes WHERE "
    "code_sha256=?";
constexpr const char* kUseLogin = "UPDATE login_codes SET used_ms=? WHERE code_sha256=?";
constexpr const char* kForgetLogins = "DELETE FROM login_codes WHERE expires_ms<?";

Error no_key(const std::string& id) {
  return Error(Errc::kNotFound, "no API key " + id);
}

Result<model::ApiKeyRecord> key_from(const sql::Statement& row) {
  model::ApiKeyRecord key;
  key.id = row.string(0);
  key.secret_sha256 = row.string(1);
  key.user = row.string(2);
  TRY(key.tenant, id_from<TenantId>(row.text(3)));
  key.role = static_cast<model::Role>(row.integer(4));
  key.created_ms = row.integer(5);
  key.expires_ms = row.integer(6);
  key.last_used_ms = row.integer(7);
  key.revoked_ms = row.integer(8);
  return key;
}

Result<std::optional<model::ApiKeyRecord>> find_key_in(sql::Database& db, const std::string& id) {
  TRY(auto row, db.query(kFindKey, id));
  TRY(const bool found, row.step());
  if (!found) return std::optional<model::ApiKeyRecord>();
  TRY(auto key, key_from(row));
  return std::optional<model::ApiKeyRecord>(std::move(key));
}

Result<std::optional<model::LoginCodeRecord>> find_login(sql::Database& db,
                                                         const std::string& code) {
  TRY(auto row, db.query(kFindLogin, code));
  TRY(const bool found, row.step());
  if (!found) return std::optional<model::LoginCodeRecord>();
  model::LoginCodeRecord login;
  login.code_sha256 = row.string(0);
  login.user = row.string(1);
  TRY(login.tenant, id_from<TenantId>(row.text(2)));
  login.role = static_cast<model::Role>(row.integer(3));
  login.expires_ms = row.integer(4);
  login.used_ms = row.integer(5);
  return std::optional<model::LoginCodeRecord>(std::move(login));
}

}  // namespace

Result<void> AccessStore::insert_key(const model::ApiKeyRecord& key) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto before, find_key_in(db, key.id));
    if (before) return Error(Errc::kInvalid, "API key " + key.id + " exists");
    TRY_VOID(db.run(kInsertKey, key.id, key.secret_sha256, key.user, key.tenant.value(),
                    static_cast<int>(key.role), key.created_ms, key.expires_ms, key.last_used_ms,
                    key.revoked_ms));
    return {};
  });
}

Result<std::optional<model::ApiKeyRecord>> AccessStore::find_key(const std::string& id) {
  return state_.read([&](sql::Database& db) { return find_key_in(db, id); });
}

Result<std::vector<model::ApiKeyRecord>> AccessStore::list_keys() {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::ApiKeyRecord>> {
    TRY(auto row, db.query(kListKeys));
    std::vector<model::ApiKeyRecord> keys;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return keys;
      TRY(auto key, key_from(row));
      keys.push_back(std::move(key));
    }
  });
}

Result<void> AccessStore::revoke_key(const std::string& id, std::int64_t now_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto changed, db.run(kRevokeKey, now_ms, id));
    if (changed == 0) return no_key(id);
    return {};
  });
}

Result<void> AccessStore::key_used(const std::string& id, std::int64_t now_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto changed, db.run(kKeyUsed, now_ms, id));
    if (changed == 0) return no_key(id);
    return {};
  });
}

Result<void> AccessStore::insert_login(const model::LoginCodeRecord& login) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY_VOID(db.run(kInsertLogin, login.code_sha256, login.user, login.tenant.value(),
                    static_cast<int>(login.role), login.expires_ms, login.used_ms));
    return {};
  });
}

Result<model::LoginCodeRecord> AccessStore::use_login(const std::string& code_sha256,
                                                      std::int64_t now_ms) {
  return state_.write([&](sql::Database& db) -> Result<model::LoginCodeRecord> {
    TRY(auto login, find_login(db, code_sha256));
    if (!login) return Error(Errc::kDenied, "login code is unknown");
    if (login->used_ms != 0) return Error(Errc::kDenied, "login code was used before");
    if (login->expires_ms <= now_ms) return Error(Errc::kDenied, "login code is expired");
    login->used_ms = now_ms;
    TRY_VOID(db.run(kUseLogin, now_ms, code_sha256));
    return std::move(*login);
  });
}

Result<void> AccessStore::forget_expired_logins(std::int64_t before_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY_VOID(db.run(kForgetLogins, before_ms));
    return {};
  });
}

}  // namespace observeai::controlplane::store
