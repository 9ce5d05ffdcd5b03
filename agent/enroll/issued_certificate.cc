#include "agent/enroll/issued_certificate.h"

#include "protocol/base/log.h"

namespace observeai::agent {

Result<pki::Certificate> check_issued(std::string_view certificate_pem,
                                      std::string_view agent_ca_pem, std::string_view server_ca_pem,
                                      const pki::PrivateKey& key, const std::string& agent_id,
                                      std::int64_t now_ms) {
  TRY(auto certificate, pki::parse_certificate(certificate_pem));
  if (certificate.spki_sha256 != key.spki_sha256()) {
    return Error(Errc::kDenied, "the certificate received is not for this host's key");
  }
  if (certificate.common_name != agent_id) {
    return Error(Errc::kDenied, "the certificate received is for \"" +
                                    log::printable(certificate.common_name) + "\", not for " +
                                    agent_id);
  }
  TRY(const auto authorities, pki::parse_bundle(agent_ca_pem));
  TRY_VOID(pki::verify_certificate(certificate, authorities, pki::Purpose::kClient, now_ms));
  TRY(const auto servers, pki::parse_bundle(server_ca_pem));
  for (const auto& server : servers) {
    if (!server.is_authority) {
      return Error(Errc::kDenied, "the server bundle received holds what is no authority");
    }
  }
  return certificate;
}

}  // namespace observeai::agent
