// API keys and one-time login codes: made, checked, revoked, audited.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/audit/kinds.h"
#include "controlplane/auth/attempt_limiter.h"
#include "controlplane/auth/credentials.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"

namespace observeai::controlplane {

// Who is calling, once the key was verified.
struct Identity {
  std::string key_id;
  std::string user;
  TenantId tenant;
  model::Role role = model::Role::kViewer;
  std::int64_t expires_ms = 0;                          // 0 = never
  std::string actor() const { return "user:" + user; }  // As it stands in the audit log
};

struct NewApiKey {
  std::string text;  // Shown once, never stored
  model::ApiKeyRecord record;
};

// Thread-safe. The references must outlive it.
class AccessService {
 public:
  static constexpr std::int64_t kLoginCodeLifetimeMs = 15 * 60'000;
  static constexpr std::int64_t kLoginKeyLifetimeMs = 90LL * 24 * 3'600'000;
  // For so long a key that was read from the store is believed without reading it again.
  static constexpr std::chrono::seconds kRecheck{2};
  static constexpr std::size_t kMaxCachedKeys = 1024;
  static constexpr std::size_t kMaxUserBytes = 64;

  AccessService(model::AccessRepository& access, model::AuditLog& audit, const Clock& clock)
      : access_(access), audit_(audit), clock_(clock), limiter_(clock) {}

  // expires_ms: unix time in the future, or 0 = never. kInvalid names the field.
  Result<NewApiKey> create_key(const std::string& actor, const std::string& user,
                               const TenantId& tenant, model::Role role, std::int64_t expires_ms);
  // kNotFound also for a key of another tenant. Returns the key as it is then.
  Result<model::ApiKeyRecord> revoke_key(const std::string& actor, const TenantId& tenant,
                                         const std::string& id);
  Result<std::vector<model::ApiKeyRecord>> list_keys(const TenantId& tenant);

  // `text` is what came as the bearer token. kDenied, or kLimit when it is wrong and the source failed
  // too often; a right one is never refused for the failures of others.
  Result<Identity> authenticate(std::string_view text, std::string_view remote_ip);

  // Whether a key that was verified before may still be used; kDenied when it was revoked or has
  // expired meanwhile. For what outlives its request.
  Result<void> still_valid(const std::string& key_id);

  // The text for `observeai login <text>`. `spki_sha256` is the key of the server at host:port.
  Result<std::string> create_login(const std::string& actor, const std::string& user,
                                   const TenantId& tenant, model::Role role,
                                   const std::string& host, std::uint16_t port,
                                   const std::string& spki_sha256);
  // Exchanges the code (the part of the text, or the whole text) once for a key of 90 days.
  // kDenied, kLimit.
  Result<NewApiKey> exchange_login(std::string_view code, std::string_view remote_ip);

 private:
  struct CachedKey {
    model::ApiKeyRecord record;
    SteadyTime read_at;
    std::set<std::string> sources;  // Whose first use was audited
  };

  Result<model::ApiKeyRecord> verified_record(const ApiKeyText& key, const std::string& source);
  std::optional<CachedKey> cached(const std::string& id);
  void remember(const model::ApiKeyRecord& record);
  void note_use(const model::ApiKeyRecord& record, const std::string& source);
  Error refused(const std::string& source, std::string_view what);
  void write_down(const std::string& actor, audit::Kind kind, const std::string& object,
                  const audit::Detail& detail);

  model::AccessRepository& access_;
  model::AuditLog& audit_;
  const Clock& clock_;
  AttemptLimiter limiter_;
  Mutex mutex_;
  std::unordered_map<std::string, CachedKey> cache_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane
