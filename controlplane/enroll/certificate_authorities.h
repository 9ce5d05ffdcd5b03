// The control plane's keys and certificates, as files in one folder (mode 0700), made when missing:
//
//   agent-ca-g1.{key,pem}     signs agents' client certificates
//   server-ca-g1.{key,pem}    signs the two listeners' certificates; agents trust nothing else
//   service-ca-g1.{key,pem}   signs the control plane's own MQTT clients
//   broker.{key,pem}  https.{key,pem}  service.{key,pem}     the leaves
//   sealing.key               X25519 pair that agents seal to
//   superseded                see superseded_certificates.h
//
// A leaf's key is kept when its certificate is reissued: enrollment tokens pin the key of https.pem.
// A file that is missing is made; one that is damaged is an error, never replaced.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/enroll/superseded_certificates.h"
#include "controlplane/model/records.h"
#include "protocol/base/clock.h"
#include "protocol/pki/certificate.h"
#include "protocol/signing/sealing.h"

namespace observeai::controlplane {

struct AuthorityOptions {
  std::string directory;
  std::string hostname;                  // Of this machine; a name of both listeners
  std::vector<std::string> extra_names;  // More DNS names and addresses that agents use
};

// The user name of the control plane's own MQTT client.
inline constexpr std::string_view kServiceName = "cp-ingest-0";

// Thread-safe after open(), except refresh(), which only one thread may call at a time.
class CertificateAuthorities {
 public:
  // `clock` must outlive it.
  static Result<std::unique_ptr<CertificateAuthorities>> open(AuthorityOptions options,
                                                              const Clock& clock);

  Result<pki::Certificate> issue_agent(std::string_view request_pem, const AgentId& agent,
                                       std::int64_t lifetime_ms) const;
  // For a client of the control plane itself, such as a canary; kServiceName has its own leaf.
  Result<pki::Certificate> issue_service(std::string_view request_pem, std::string_view name,
                                         std::int64_t lifetime_ms) const;
  // That the agent authority issued it; expiry is not looked at.
  Result<void> verify_agent(const pki::Certificate& certificate) const;

  // What the broker needs: whom to let in (agents and the control plane), and who is revoked. One list
  // for each of the two authorities: a broker that checks lists refuses leaves without one.
  std::string client_ca_pem() const;
  // `revoked` are the registry's revoked rows. 30 days; make a fresh one daily.
  Result<std::string> revocation_lists(std::span<const model::AgentRecord> revoked) const;
  Result<void> add_superseded(const SupersededCertificate& certificate);

  // Of issue_agent()'s authority: a host checks its own certificate with it.
  const std::string& agent_ca_pem() const { return agent_.certificate.pem; }
  const std::string& server_ca_pem() const { return server_.certificate.pem; }
  const std::string& https_spki_sha256() const { return https_spki_; }
  const signing::KeyAgreementPair& sealing_pair() const { return sealing_; }

  // "<directory>/<leaf>.key" and ".pem" for leaf in broker, https, service.
  std::string key_path(std::string_view leaf) const;
  std::string certificate_path(std::string_view leaf) const;

  // Reissues leaves of which less than a third of the life is left or whose names changed. True when
  // a file changed: the listeners must load it. Call daily.
  Result<bool> refresh();

 private:
  CertificateAuthorities(AuthorityOptions options, const Clock& clock, pki::Authority agent,
                         pki::Authority server, pki::Authority service);
  std::vector<std::string> server_names() const;
  Result<bool> refresh_leaf(std::string_view leaf);
  Result<void> load_sealing_pair();

  const AuthorityOptions options_;
  const Clock& clock_;
  const pki::Authority agent_;
  const pki::Authority server_;
  const pki::Authority service_;
  std::string https_spki_;
  signing::KeyAgreementPair sealing_;
  std::unique_ptr<SupersededCertificates> superseded_;
};

}  // namespace observeai::controlplane
