#include "agent/enroll/renewer.h"

#include "agent/enroll/issued_certificate.h"

namespace observeai::agent {

std::int64_t renewal_due_ms(const pki::Certificate& certificate, const AgentId& agent) {
  const auto life = certificate.not_after_ms - certificate.not_before_ms;
  const auto digest = signing::sha256(agent.value());
  // 0..65535 -> -10 %..+10 % of half the life
  const std::int64_t random = digest[0] * 256 + digest[1];
  const auto half = life / 2;
  return certificate.not_before_ms + half + half / 10 * (2 * random - 65'535) / 65'535;
}

bool Renewer::is_due(const Identity& identity) const {
  return clock_.unix_ms() >= renewal_due_ms(identity.certificate, identity.agent);
}

Result<Identity> Renewer::renew(const Identity& current) {
  TRY(auto key, store_.key_for_renewal(current));
  pki::RenewRequest request;
  request.agent_id = current.agent.value();
  request.certificate_pem = current.certificate.pem;
  TRY(request.csr_pem, pki::make_request(key, "observeai-agent"));
  TRY(const auto csr, pki::parse_request(request.csr_pem));
  request.timestamp_ms = clock_.unix_ms();
  TRY(request.signature,
      current.tls_key.sign(pki::renew_statement(request.agent_id, request.timestamp_ms, csr.der)));

  ControlPlaneClient server(connect_(current.server));
  TRY(const auto answer, server.renew(request));
  TRY(auto certificate,
      check_issued(answer.certificate_pem, answer.agent_ca_pem, answer.server_ca_pem, key,
                   request.agent_id, clock_.unix_ms()));
  Identity renewed = current;
  renewed.tls_key = std::move(key);
  renewed.certificate = std::move(certificate);
  renewed.server_ca_pem = answer.server_ca_pem;
  renewed.brokers = answer.brokers;
  TRY_VOID(store_.save_renewed(renewed));
  return renewed;
}

}  // namespace observeai::agent
