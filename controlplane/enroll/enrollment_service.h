// Who may become an agent, stay one, and stop being one. Free of HTTP: plain requests and the remote
// address in, plain answers out; the API maps Errc to a status:
//
//   kInvalid 400 (bad field, clock off)   kDenied 403   kLimit 429   kNotFound 404   kUnavailable 503
//
// A refusal names its reason only to who holds the token's secret (or the agent's key); an unknown id
// and a wrong secret get the same answer. Every use is audited, and every refusal too: for each actor
// that proved who it is a handful at once and then one a minute, with a count of what was left out; all
// who did not are one actor, kStranger. Thread-safe. See docs of each call for what is idempotent.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/audit/kinds.h"
#include "controlplane/enroll/certificate_authorities.h"
#include "controlplane/enroll/rate_limiter.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/thread_annotations.h"
#include "protocol/pki/enroll_messages.h"

namespace observeai::controlplane {

inline constexpr std::int64_t kDefaultTokenLifetimeMs = 3'600'000;
inline constexpr std::int64_t kMaxTokenLifetimeMs = 24 * 3'600'000;
inline constexpr std::uint32_t kMaxTokenUses = 10'000;

// The audit log's actor of a refusal to who proved nothing; what was claimed is in the object.
inline constexpr const char* kStranger = "stranger";

struct EnrollmentOptions {
  std::vector<pki::BrokerAddress> brokers;  // As agents reach them; at least one
  // Envelope bytes of the newest root metadata. A token of before a change names another one: its host is
  // told to ask for a new token.
  std::function<std::string()> newest_root;
  std::int64_t leaf_lifetime_ms = 30LL * 86'400'000;
  std::int64_t renewal_grace_ms = 180LL * 86'400'000;  // After expiry
  Rate per_source;                                     // Requests of one address (IPv6: of one /64)
  Rate per_token;                                      // Enrollments with one token
};

struct TokenScope {
  TenantId tenant;
  std::map<std::string, std::string> labels;
  std::vector<std::string> cidrs;  // See token_scope.h; empty = from anywhere
  std::string host_pattern;        // "" = any
  std::uint32_t uses = 1;
  std::int64_t lifetime_ms = kDefaultTokenLifetimeMs;
  bool needs_approval = false;
};

struct CreatedToken {
  model::TokenRecord record;
  std::string text;  // The whole token. Shown once; only its hash is stored.
};

class EnrollmentService {
 public:
  // Everything must outlive it.
  EnrollmentService(EnrollmentOptions options, CertificateAuthorities& authorities,
                    model::AgentRegistry& agents, model::TokenRepository& tokens,
                    model::AuditLog& audit, model::AlertRepository& alerts, const Clock& clock);

  // `actor` as in AuditEntry: "user:admin".
  Result<CreatedToken> create_token(const TokenScope& scope, const std::string& actor);
  Result<void> revoke_token(const std::string& id, const std::string& actor);

  // Idempotent by (token, key): a retry gets the same certificate and counts no use, even when the
  // token has expired or been used up since. Another key on a machine that is enrolled already gets a
  // new identity and raises the alert "agent.clone".
  Result<pki::EnrollResponse> enroll(const pki::EnrollRequest& request, const std::string& remote);
  // The host has stored its certificate: pending -> active, unless its token asks for approval.
  // Idempotent.
  Result<pki::ConfirmResponse> confirm(const pki::ConfirmRequest& request,
                                       const std::string& remote);
  // A person lets in what was enrolled with a token that needs approval. Idempotent.
  Result<void> approve(const AgentId& id, const std::string& actor);

  // A new certificate for a new key, asked for with the current key, which may have expired within the
  // grace. Idempotent by the new key. A key that was replaced before is refused, with an alert: two
  // machines share one identity.
  Result<pki::RenewResponse> renew(const pki::RenewRequest& request, const std::string& remote);

  // From then on nothing of the agent is accepted; the broker is told separately. Idempotent.
  Result<void> revoke(const AgentId& id, const std::string& reason, const std::string& actor);
  // PEM, for the broker: see CertificateAuthorities::revocation_lists.
  Result<std::string> revocation_lists();

 private:
  using Detail = audit::Detail;

  Result<void> check_rate(RateLimiter& limiter, const std::string& key, const std::string& who);
  Result<void> check_clock(std::int64_t host_ms) const;
  Result<void> record(const std::string& actor, audit::Kind kind, const std::string& object,
                      const Detail& detail);
  // Audits the refusal, at the rate of its actor, and hands it on.
  Error refused(const std::string& actor, audit::Kind kind, const std::string& object, Error error,
                Detail detail);

  // enroll, step by step
  Result<model::TokenRecord> authenticate(const pki::EnrollRequest& request);
  Result<void> check_scope(const model::TokenRecord& token, const pki::EnrollRequest& request,
                           const std::string& remote) const;
  Result<pki::EnrollResponse> admit(const model::TokenRecord& token,
                                    const pki::EnrollRequest& request, const std::string& remote);
  Result<model::AgentRecord> new_agent(const model::TokenRecord& token,
                                       const pki::EnrollRequest& request,
                                       const std::string& spki) const;
  Result<model::AgentRecord> consume(const model::TokenRecord& token,
                                     const pki::EnrollRequest& request, const std::string& spki,
                                     bool& is_new);
  Result<void> alert_clone(const model::AgentRecord& agent);

  // renew, step by step
  struct Asker {
    AgentId id;
    pki::Certificate certificate;  // The one it holds
    std::string new_spki;
  };
  Result<Asker> identify(const pki::RenewRequest& request) const;
  Result<model::AgentRecord> check_may_renew(const Asker& asker);
  Result<void> check_not_replaced(const Asker& asker, const model::AgentRecord& agent);
  Result<pki::RenewResponse> renew_checked(const pki::RenewRequest& request, const Asker& asker);
  Result<pki::RenewResponse> reissue(const pki::RenewRequest& request,
                                     const model::AgentRecord& agent, const std::string& new_spki);

  const EnrollmentOptions options_;
  CertificateAuthorities& authorities_;
  model::AgentRegistry& agents_;
  model::TokenRepository& tokens_;
  model::AuditLog& audit_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  RateLimiter sources_;
  RateLimiter token_uses_;
  RateLimiter refusal_audits_;  // By actor
  Mutex renewal_mutex_;         // One renewal at a time: look, issue and replace belong together.
  Mutex audit_mutex_;
  std::map<std::string, std::uint64_t> audits_left_out_ GUARDED_BY(audit_mutex_);  // By actor
};

}  // namespace observeai::controlplane
