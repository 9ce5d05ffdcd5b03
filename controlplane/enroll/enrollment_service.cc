// Tokens, confirmation, approval, revocation and what all calls share. Enrollment itself: enroll.cc;
// renewal: renew.cc.
#include "controlplane/enroll/enrollment_service.h"

#include "controlplane/enroll/token_scope.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/pki/enrollment_token.h"
#include "protocol/signing/sealing.h"

namespace observeai::controlplane {

namespace {

constexpr std::size_t kMaxLabels = 32;
constexpr std::size_t kMaxLabelBytes = 128;
constexpr std::size_t kMaxNetworks = 64;
constexpr std::size_t kMaxPatternBytes = 253;
constexpr std::size_t kMaxReasonBytes = 500;
// Refusals of one actor that are written down one by one; the rest is counted. Anybody may cause them.
constexpr Rate kRefusalAuditRate{1.0 / 60, 10};

Result<void> check_token_scope(const TokenScope& scope) {
  if (scope.tenant.empty()) return Error(Errc::kInvalid, "a token needs a tenant");
  if (scope.uses < 1 || scope.uses > kMaxTokenUses) {
    return Error(Errc::kInvalid, "uses must be from 1 to " + std::to_string(kMaxTokenUses));
  }
  if (scope.lifetime_ms < 1000 || scope.lifetime_ms > kMaxTokenLifetimeMs) {
    return Error(Errc::kInvalid, "a token lives from 1 second to 24 hours");
  }
  if (scope.labels.size() > kMaxLabels) return Error(Errc::kLimit, "more than 32 labels");
  for (const auto& [name, value] : scope.labels) {
    if (name.empty() || name.size() > kMaxLabelBytes || value.size() > kMaxLabelBytes ||
        !text::is_valid_utf8(name) || !text::is_valid_utf8(value)) {
      return Error(Errc::kInvalid, "label names and values are UTF-8 of at most 128 bytes");
    }
  }
  if (scope.cidrs.size() > kMaxNetworks) return Error(Errc::kLimit, "more than 64 networks");
  for (const auto& cidr : scope.cidrs) {
    TRY_VOID(parse_network(cidr));
  }
  if (scope.host_pattern.size() > kMaxPatternBytes || !text::is_valid_utf8(scope.host_pattern)) {
    return Error(Errc::kInvalid, "host pattern is UTF-8 of at most 253 bytes");
  }
  return {};
}

}  // namespace

EnrollmentService::EnrollmentService(EnrollmentOptions options, CertificateAuthorities& authorities,
                                     model::AgentRegistry& agents, model::TokenRepository& tokens,
                                     model::AuditLog& audit, model::AlertRepository& alerts,
                                     const Clock& clock)
    : options_(std::move(options)),
      authorities_(authorities),
      agents_(agents),
      tokens_(tokens),
      audit_(audit),
      alerts_(alerts),
      clock_(clock),
      sources_(options_.per_source, clock),
      token_uses_(options_.per_token, clock),
      refusal_audits_(kRefusalAuditRate, clock) {}

Result<CreatedToken> EnrollmentService::create_token(const TokenScope& scope,
                                                     const std::string& actor) {
  TRY_VOID(check_token_scope(scope));
  auto token = pki::generate_token();
  token.server_spki_sha256 = authorities_.https_spki_sha256();
  token.root_metadata_sha256 = signing::sha256_hex(options_.newest_root());

  CreatedToken out;
  out.record.id = token.id;
  out.record.secret_sha256 = signing::sha256_hex(text::as_text(token.secret));
  out.record.tenant = scope.tenant;
  out.record.labels = scope.labels;
  out.record.cidrs = scope.cidrs;
  out.record.host_pattern = scope.host_pattern;
  out.record.uses_allowed = scope.uses;
  out.record.needs_approval = scope.needs_approval;
  out.record.created_ms = clock_.unix_ms();
  out.record.expires_ms = out.record.created_ms + scope.lifetime_ms;
  out.record.created_by = actor;
  TRY_VOID(record(actor, audit::kinds::kTokenCreate, token.id,
                  {{"tenant", scope.tenant.value()},
                   {"uses", std::to_string(scope.uses)},
                   {"expires", text::format_time_ms(out.record.expires_ms)}}));
  TRY_VOID(tokens_.insert(out.record));
  out.text = pki::format_token(token);
  return out;
}

Result<void> EnrollmentService::revoke_token(const std::string& id, const std::string& actor) {
  TRY_VOID(tokens_.revoke(id, clock_.unix_ms()));
  return record(actor, audit::kinds::kTokenRevoke, id, {});
}

Result<pki::ConfirmResponse> EnrollmentService::confirm(const pki::ConfirmRequest& request,
                                                        const std::string& remote) {
  TRY_VOID(check_rate(sources_, remote, remote));
  std::string actor = kStranger;
  const auto deny = [&](Error error) {
    return refused(actor, audit::kinds::kAgentConfirmRefused,
                   log::printable(request.agent_id, kMaxIdLength), std::move(error),
                   {{"remote", remote}});
  };
  // The same words for an agent that is not there and for a signature that is not its own.
  const Error unknown(Errc::kDenied, "no such agent, or the signature is not by its key");
  const auto id = AgentId::parse(request.agent_id);
  if (!id) return deny(unknown);
  TRY(const auto agent, agents_.find(*id));
  if (!agent) return deny(unknown);
  TRY(const auto certificate, pki::parse_certificate(agent->certificate_pem));
  const auto statement = pki::confirm_statement(id->value(), request.timestamp_ms);
  if (!pki::verify_signature(certificate, statement, request.signature)) return deny(unknown);
  actor = "agent:" + id->value();
  if (auto clock = check_clock(request.timestamp_ms); !clock) return deny(std::move(clock).error());
  if (agent->state == model::AgentState::kRevoked) {
    return deny(
        Error(Errc::kDenied, "agent " + id->value() + " was revoked: " + agent->revoked_reason));
  }
  pki::ConfirmResponse out;
  out.server_time_ms = clock_.unix_ms();
  out.active = agent->state == model::AgentState::kActive;
  if (out.active) return out;

  TRY(const auto token, tokens_.find(agent->token_id));
  out.active = !token || !token->needs_approval;
  if (out.active) {
    TRY_VOID(agents_.confirm(*id));
  }
  TRY_VOID(record("agent:" + id->value(), audit::kinds::kAgentConfirm, id->value(),
                  {{"remote", remote}, {"state", out.active ? "active" : "waits for approval"}}));
  return out;
}

Result<void> EnrollmentService::approve(const AgentId& id, const std::string& actor) {
  TRY(const auto agent, agents_.find(id));
  if (!agent) return Error(Errc::kNotFound, "no agent " + id.value());
  if (agent->state == model::AgentState::kRevoked) {
    return Error(Errc::kDenied, "agent " + id.value() + " was revoked; enroll it again");
  }
  TRY_VOID(record(actor, audit::kinds::kAgentApprove, id.value(), {}));
  return agents_.confirm(id);
}

Result<void> EnrollmentService::revoke(const AgentId& id, const std::string& reason,
                                       const std::string& actor) {
  if (reason.size() > kMaxReasonBytes || !text::is_valid_utf8(reason)) {
    return Error(Errc::kInvalid, "the reason is UTF-8 of at most 500 bytes");
  }
  // First the act, then its record: a full disk must not keep a stolen key alive.
  TRY_VOID(agents_.revoke(id, reason, clock_.unix_ms()));
  return record(actor, audit::kinds::kAgentRevoke, id.value(), {{"reason", reason}});
}

Result<std::string> EnrollmentService::revocation_lists() {
  TRY(auto agents, agents_.list(TenantId()));
  std::erase_if(agents, [](const auto& a) { return a.state != model::AgentState::kRevoked; });
  return authorities_.revocation_lists(agents);
}

Result<void> EnrollmentService::check_rate(RateLimiter& limiter, const std::string& key,
                                           const std::string& who) {
  std::string bucket = key;
  // A host owns a whole /64: its addresses count as one.
  if (const auto address = parse_address(key); address && !address->is_v4()) {
    bucket = text::to_hex(std::span(address->bytes).first(8));
  }
  const auto wait = limiter.try_take(bucket);
  if (!wait) return {};
  return Error(Errc::kLimit, "too many requests for " + log::printable(who, 64) +
                                 "; try again in " + std::to_string((wait->count() + 999) / 1000) +
                                 " s");
}

Result<void> EnrollmentService::check_clock(std::int64_t host_ms) const {
  const auto now = clock_.unix_ms();
  if (std::abs(host_ms - now) <= pki::kMaxClockOffsetMs) return {};
  return Error(Errc::kInvalid,
               "this host's clock is " + pki::describe_clock_offset(host_ms, now) +
                   " the control plane (host " + text::format_time_ms(host_ms) +
                   ", control plane " + text::format_time_ms(now) +
                   "); TLS would fail. Set the clock (timedatectl set-ntp true) and retry");
}

Result<void> EnrollmentService::record(const std::string& actor, audit::Kind kind,
                                       const std::string& object, const Detail& detail) {
  auto written = audit_.append(audit::entry_of(kind, clock_.unix_ms(), actor, object, detail));
  if (!written) return std::move(written).error().with_context("audit " + std::string(kind.name));
  return {};
}

Error EnrollmentService::refused(const std::string& actor, audit::Kind kind,
                                 const std::string& object, Error error, Detail detail) {
  {
    MutexLock lock(audit_mutex_);
    if (refusal_audits_.try_take(actor)) {
      ++audits_left_out_[actor];
      return error;
    }
    if (const auto left_out = audits_left_out_.extract(actor))
      detail["left_out_before"] = std::to_string(left_out.mapped());
  }
  detail["reason"] = error.message();
  if (const auto written = record(actor, kind, object, detail); !written) {
    log::error(written.error().message());
  }
  return error;
}

}  // namespace observeai::controlplane
