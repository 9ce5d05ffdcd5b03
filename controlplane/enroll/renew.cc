// EnrollmentService::renew: a new key and certificate for an agent that holds the current key.
#include "controlplane/enroll/enrollment_service.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane {

namespace {
constexpr std::int64_t kDayMs = 86'400'000;
constexpr const char* kEnrollAgain = "; enroll this host again with a new token (enroll --force)";
}  // namespace

Result<pki::RenewResponse> EnrollmentService::renew(const pki::RenewRequest& request,
                                                    const std::string& remote) {
  TRY_VOID(check_rate(sources_, remote, remote));
  const auto object = log::printable(request.agent_id, kMaxIdLength);
  const auto deny = [&](const std::string& actor, Error error) {
    return refused(actor, audit::kinds::kAgentRenewRefused, object, std::move(error),
                   {{"remote", remote}});
  };
  auto asker = identify(request);
  if (!asker) return deny(kStranger, std::move(asker).error());
  auto answer = renew_checked(request, *asker);
  if (!answer) return deny("agent:" + object, std::move(answer).error());
  TRY_VOID(record("agent:" + object, audit::kinds::kAgentRenew, object, {{"remote", remote}}));
  return answer;
}

Result<pki::RenewResponse> EnrollmentService::renew_checked(const pki::RenewRequest& request,
                                                            const Asker& asker) {
  MutexLock lock(renewal_mutex_);
  TRY(const auto agent, check_may_renew(asker));
  TRY_VOID(check_not_replaced(asker, agent));
  return reissue(request, agent, asker.new_spki);
}

// Who is asking? Nothing about the agent is said before this is settled.
Result<EnrollmentService::Asker> EnrollmentService::identify(
    const pki::RenewRequest& request) const {
  TRY(auto id, AgentId::parse(request.agent_id));
  TRY(auto certificate, pki::parse_certificate(request.certificate_pem));
  if (auto issued = authorities_.verify_agent(certificate); !issued) {
    return std::move(issued).error().with_context("not issued by this control plane");
  }
  if (certificate.common_name != id.value()) {
    return Error(Errc::kDenied, "the certificate is not that of agent " + id.value());
  }
  TRY(const auto csr, pki::parse_request(request.csr_pem));
  TRY_VOID(pki::verify_signature(certificate,
                                 pki::renew_statement(id.value(), request.timestamp_ms, csr.der),
                                 request.signature));
  TRY_VOID(check_clock(request.timestamp_ms));
  if (csr.spki_sha256 == certificate.spki_sha256) {
    return Error(Errc::kInvalid, "renewal needs a new key, the request has the current one");
  }
  return Asker{std::move(id), std::move(certificate), csr.spki_sha256};
}

Result<model::AgentRecord> EnrollmentService::check_may_renew(const Asker& asker) {
  const auto name = "agent " + asker.id.value();
  TRY(const auto agent, agents_.find(asker.id));
  if (!agent) return Error(Errc::kDenied, name + " is not known here" + kEnrollAgain);
  if (agent->state == model::AgentState::kRevoked) {
    return Error(Errc::kDenied, name + " was revoked at " +
                                    text::format_time_ms(agent->revoked_ms) + ": " +
                                    agent->revoked_reason + kEnrollAgain);
  }
  if (agent->state == model::AgentState::kPending) {
    return Error(Errc::kDenied,
                 name + " is not active yet: it was never confirmed or waits for approval");
  }
  const auto expired_ms = clock_.unix_ms() - asker.certificate.not_after_ms;
  if (expired_ms > options_.renewal_grace_ms) {
    return Error(Errc::kDenied, "the certificate expired " + std::to_string(expired_ms / kDayMs) +
                                    " days ago; renewal is possible for " +
                                    std::to_string(options_.renewal_grace_ms / kDayMs) +
                                    " days after expiry" + kEnrollAgain);
  }
  return *agent;
}

// The key asked with is the current one, or the key asked for is (its answer was lost). Else somebody
// has renewed in this host's name before, or the other way round.
Result<void> EnrollmentService::check_not_replaced(const Asker& asker,
                                                   const model::AgentRecord& agent) {
  if (agent.spki_sha256 == asker.certificate.spki_sha256 || agent.spki_sha256 == asker.new_spki) {
    return {};
  }
  model::Alert alert;
  alert.kind = "agent.clone";
  alert.agent = asker.id;
  alert.object = asker.certificate.serial;
  alert.message = "possible clone: a key of " + asker.id.value() +
                  " that was replaced by renewal asked for another renewal; a copied disk or a "
                  "restored snapshot";
  alert.first_ms = alert.last_ms = clock_.unix_ms();
  alert.count = 1;
  TRY_VOID(alerts_.raise(alert));
  return Error(Errc::kDenied, "this certificate of " + asker.id.value() +
                                  " was replaced by a renewal that this host did not make: it is a "
                                  "copy or was restored from a snapshot" +
                                  kEnrollAgain);
}

Result<pki::RenewResponse> EnrollmentService::reissue(const pki::RenewRequest& request,
                                                      const model::AgentRecord& agent,
                                                      const std::string& new_spki) {
  pki::RenewResponse out;
  out.agent_ca_pem = authorities_.agent_ca_pem();
  out.server_ca_pem = authorities_.server_ca_pem();
  out.brokers = options_.brokers;
  out.server_time_ms = clock_.unix_ms();
  // The answer to an earlier request was lost.
  if (new_spki == agent.spki_sha256 && agent.certificate_not_after_ms > out.server_time_ms) {
    out.certificate_pem = agent.certificate_pem;
    return out;
  }
  TRY(const auto made,
      authorities_.issue_agent(request.csr_pem, agent.id, options_.leaf_lifetime_ms));
  // Written down before the registry forgets it: revoking must reach every certificate in use.
  TRY_VOID(authorities_.add_superseded(
      {agent.certificate_serial, agent.id, agent.certificate_not_after_ms}));
  TRY_VOID(
      agents_.update_certificate(agent.id, new_spki, made.pem, made.serial, made.not_after_ms));
  // Revoked in between: the new certificate is on record as well and is not handed out.
  TRY(const auto after, agents_.find(agent.id));
  if (!after || after->state != model::AgentState::kActive) {
    return Error(Errc::kDenied, "agent " + agent.id.value() + " was revoked" + kEnrollAgain);
  }
  out.certificate_pem = made.pem;
  return out;
}

}  // namespace observeai::controlplane
