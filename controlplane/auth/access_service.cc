#include "controlplane/auth/access_service.h"

#include "controlplane/auth/roles.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"

namespace observeai::controlplane {
namespace {

// key_used() is a write: once in this time is enough to see which keys are idle.
constexpr std::int64_t kUseNoteIntervalMs = 60'000;
constexpr std::size_t kMaxAuditedSources = 64;
constexpr std::size_t kIdBytes = 6;

std::string new_secret() {
  std::array<std::uint8_t, kSecretBytes> bytes{};
  signing::random_bytes(bytes);
  return text::to_base64url(bytes);
}

std::string new_id() {
  std::array<std::uint8_t, kIdBytes> bytes{};
  signing::random_bytes(bytes);
  return text::to_hex(bytes);
}

Result<void> check_user(const std::string& user) {
  const bool plain =
      std::all_of(user.begin(), user.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (user.empty() || user.size() > AccessService::kMaxUserBytes || !plain) {
    return Error(Errc::kInvalid, "user must be 1 to 64 printable ASCII characters without spaces");
  }
  return {};
}

bool is_usable(const model::ApiKeyRecord& record, std::int64_t now_ms) {
  // Without a tenant a key would see all of them.
  return !record.tenant.empty() && record.revoked_ms == 0 &&
         (record.expires_ms == 0 || record.expires_ms > now_ms);
}

}  // namespace

Result<NewApiKey> AccessService::create_key(const std::string& actor, const std::string& user,
                                            const TenantId& tenant, model::Role role,
                                            std::int64_t expires_ms) {
  TRY_VOID(check_user(user));
  if (tenant.empty()) return Error(Errc::kInvalid, "a key needs a tenant");
  const auto now_ms = clock_.unix_ms();
  if (expires_ms != 0 && expires_ms <= now_ms) {
    return Error(Errc::kInvalid, "expires_ms must lie in the future, or be 0 for never");
  }
  const ApiKeyText key{new_id(), new_secret()};
  model::ApiKeyRecord record;
  record.id = key.id;
  record.secret_sha256 = signing::sha256_hex(key.secret);
  record.user = user;
  record.tenant = tenant;
  record.role = role;
  record.created_ms = now_ms;
  record.expires_ms = expires_ms;
  TRY_VOID(access_.insert_key(record));
  write_down(actor, audit::kinds::kKeyCreate, key.id,
             {{"tenant", tenant.value()}, {"user", user}, {"role", std::string(to_string(role))}});
  return NewApiKey{format_api_key(key), record};
}

Result<model::ApiKeyRecord> AccessService::revoke_key(const std::string& actor,
                                                      const TenantId& tenant,
                                                      const std::string& id) {
  TRY(auto record, access_.find_key(id));
  if (!record || record->tenant != tenant)
    return Error(Errc::kNotFound, "no API key " + log::printable(id));
  if (record->revoked_ms == 0) {
    record->revoked_ms = clock_.unix_ms();
    TRY_VOID(access_.revoke_key(id, record->revoked_ms));
    write_down(actor, audit::kinds::kKeyRevoke, id,
               {{"tenant", tenant.value()}, {"user", record->user}});
  }
  MutexLock lock(mutex_);
  cache_.erase(id);
  return *record;
}

Result<std::vector<model::ApiKeyRecord>> AccessService::list_keys(const TenantId& tenant) {
  TRY(auto keys, access_.list_keys());
  std::erase_if(keys, [&](const auto& key) { return key.tenant != tenant; });
  return keys;
}

Result<Identity> AccessService::authenticate(std::string_view text, std::string_view remote_ip) {
  const std::string source = source_of(remote_ip);
  const auto key = parse_api_key(text);
  if (!key) return refused(source, "API key");
  TRY(const auto record, verified_record(*key, source));
  note_use(record, source);
  return Identity{record.id, record.user, record.tenant, record.role, record.expires_ms};
}

Result<model::ApiKeyRecord> AccessService::verified_record(const ApiKeyText& key,
                                                           const std::string& source) {
  const std::string digest = signing::sha256_hex(key.secret);
  const auto known = cached(key.id);
  const bool proved = known && signing::equal_constant_time(known->record.secret_sha256, digest);
  if (proved && clock_.steady_now() - known->read_at < kRecheck &&
      is_usable(known->record, clock_.unix_ms())) {
    return known->record;
  }
  TRY(const auto record, access_.find_key(key.id));
  if (!record || !signing::equal_constant_time(record->secret_sha256, digest) ||
      !is_usable(*record, clock_.unix_ms())) {
    return refused(source, "API key");
  }
  remember(*record);
  return *record;
}

Result<void> AccessService::still_valid(const std::string& key_id) {
  auto known = cached(key_id);
  if (!known || clock_.steady_now() - known->read_at >= kRecheck) {
    TRY(const auto record, access_.find_key(key_id));
    if (!record) return Error(Errc::kDenied, "the API key is gone");
    remember(*record);
    known.emplace().record = *record;
  }
  if (is_usable(known->record, clock_.unix_ms())) return {};
  return Error(Errc::kDenied, "the API key was revoked or has expired");
}

std::optional<AccessService::CachedKey> AccessService::cached(const std::string& id) {
  MutexLock lock(mutex_);
  const auto found = cache_.find(id);
  if (found == cache_.end()) return std::nullopt;
  return found->second;
}

void AccessService::remember(const model::ApiKeyRecord& record) {
  MutexLock lock(mutex_);
  if (!cache_.contains(record.id) && cache_.size() >= kMaxCachedKeys) {
    cache_.erase(std::min_element(cache_.begin(), cache_.end(), [](const auto& a, const auto& b) {
      return a.second.read_at < b.second.read_at;
    }));
  }
  CachedKey& key = cache_[record.id];
  key.record = record;
  key.read_at = clock_.steady_now();
}

void AccessService::note_use(const model::ApiKeyRecord& record, const std::string& source) {
  const auto now_ms = clock_.unix_ms();
  bool is_new_source = false;
  bool is_due = false;
  {
    MutexLock lock(mutex_);
    const auto found = cache_.find(record.id);
    if (found == cache_.end()) return;  // Revoked or evicted meanwhile
    auto& key = found->second;
    is_new_source = key.sources.size() < kMaxAuditedSources && key.sources.insert(source).second;
    is_due = now_ms - key.record.last_used_ms >= kUseNoteIntervalMs;
    if (is_due) key.record.last_used_ms = now_ms;
  }
  if (is_due) ignore(access_.key_used(record.id, now_ms), "the time of last use is a courtesy");
  if (is_new_source) {
    write_down("user:" + record.user, audit::kinds::kKeyUse, record.id,
               {{"tenant", record.tenant.value()}, {"source", source}});
  }
}

Result<std::string> AccessService::create_login(const std::string& actor, const std::string& user,
                                                const TenantId& tenant, model::Role role,
                                                const std::string& host, std::uint16_t port,
                                                const std::string& spki_sha256) {
  TRY_VOID(check_user(user));
  if (tenant.empty()) return Error(Errc::kInvalid, "a login needs a tenant");
  const LoginText login{host, port, new_secret(), spki_sha256};
  const std::string text = format_login(login);
  if (!parse_login(text)) {
    return Error(Errc::kInvalid, "cannot make a login text for host \"" + log::printable(host) +
                                     "\", port " + std::to_string(port) + " and that server key");
  }
  model::LoginCodeRecord record;
  record.code_sha256 = signing::sha256_hex(login.code);
  record.user = user;
  record.tenant = tenant;
  record.role = role;
  record.expires_ms = clock_.unix_ms() + kLoginCodeLifetimeMs;
  TRY_VOID(access_.insert_login(record));
  write_down(actor, audit::kinds::kLoginCreate, user,
             {{"tenant", tenant.value()}, {"role", std::string(to_string(role))}});
  return text;
}

Result<NewApiKey> AccessService::exchange_login(std::string_view code, std::string_view remote_ip) {
  const std::string source = source_of(remote_ip);
  const auto whole = parse_login(code);
  const std::string digest = signing::sha256_hex(whole ? whole->code : code);
  const auto login = access_.use_login(digest, clock_.unix_ms());
  if (!login) {
    if (login.error().code() != Errc::kDenied) return login.error();
    return refused(source, "login code");
  }
  TRY(auto key, create_key("user:" + login->user, login->user, login->tenant, login->role,
                           clock_.unix_ms() + kLoginKeyLifetimeMs));
  write_down("user:" + login->user, audit::kinds::kLogin, key.record.id,
             {{"tenant", login->tenant.value()}, {"source", source}});
  return key;
}

// The secrets cannot be guessed, so the right one is let in however many wrong ones came from its
// address before; who fails again and again only learns less.
Error AccessService::refused(const std::string& source, std::string_view what) {
  if (limiter_.blocked(source)) return {Errc::kLimit, "too many failed attempts from this address"};
  if (limiter_.failed(source)) {
    write_down("system", audit::kinds::kAuthBlock, source,
               {{"failures", std::to_string(AttemptLimiter::kFailuresAllowed)},
                {"what", std::string(what)}});
  }
  return {Errc::kDenied, "the " + std::string(what) + " is unknown, used, expired or revoked"};
}

void AccessService::write_down(const std::string& actor, audit::Kind kind,
                               const std::string& object, const audit::Detail& detail) {
  const auto written =
      audit_.append(audit::entry_of(kind, clock_.unix_ms(), actor, object, detail));
  if (!written) {
    log::error("audit entry " + std::string(kind.name) + " of " + actor +
               " is lost: " + written.error().message());
  }
}

}  // namespace observeai::controlplane
