// What makes this host an agent: its keys, its certificate and whom it reports to, as files in one
// folder (mode 0700) that only the agent's user may read.
//
//   tls.pem          private key and certificate in one file, so that renewal replaces both at once
//   server-ca.pem    whom to believe at the broker
//   sealing.key      X25519
//   result.key       Ed25519, until the host's executor has it
//   root.metadata    the pinned root metadata, envelope bytes
//   identity.json    the rest; written last, so that with it the identity is whole
//   next/            keys of an enrollment or a renewal that is under way
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/http/http_client.h"
#include "protocol/pki/certificate.h"
#include "protocol/pki/enroll_messages.h"
#include "protocol/pki/private_key.h"
#include "protocol/signing/keys.h"
#include "protocol/signing/sealing.h"

namespace observeai::agent {

inline constexpr const char* kDefaultIdentityFolder = "/var/lib/observeai/identity";

struct Identity {
  AgentId agent;
  TenantId tenant;
  std::uint32_t shard = 0;
  http::Endpoint server;  // HTTPS of the control plane with its pinned key
  std::vector<pki::BrokerAddress> brokers;
  pki::PrivateKey tls_key;
  pki::Certificate certificate;  // May have expired: see Renewer
  std::string server_ca_pem;
  signing::KeyAgreementPair sealing;
  signing::PublicKey32 controlplane_public_key{};
  std::optional<signing::SigningKeyPair> result_key;  // Not once the executor has it
  std::string root_metadata;
  bool confirmed = false;  // The control plane knows that this identity is stored
};

// The keys of a host that is about to enroll.
struct NewKeys {
  pki::PrivateKey tls;
  signing::KeyAgreementPair sealing;
  signing::SigningKeyPair result;
};

// Reads and writes the folder. Every write is atomic and durable; a crash between any two leaves
// either the identity from before, or none with its new keys kept. One process at a time.
class IdentityStore {
 public:
  explicit IdentityStore(std::string folder) : folder_(std::move(folder)) {}

  // kNotFound: this host is not enrolled. kCorrupt, kDenied: names the file and what to do.
  Result<Identity> load() const;
  // Replaces whatever is there; ends the enrollment under way.
  Result<void> save(const Identity& identity);
  Result<void> mark_confirmed();
  // The executor has the result key: from now on it alone.
  Result<void> forget_result_key();

  // Root wrote here, and the agent's user shall go on: everything belongs to the owner of `directory` from
  // now on. Nothing to do for anybody else. No link is followed, no file with a second name is given away.
  Result<void> give_to_owner_of(const std::string& directory) const;

  // The keys for enrolling with this token: the ones made before for it, else new ones, stored before
  // they are returned. A retry after a crash therefore shows the same keys.
  Result<NewKeys> keys_for_enrollment(const std::string& token_id);
  // The key for the renewal of `current`, likewise.
  Result<pki::PrivateKey> key_for_renewal(const Identity& current);
  // Swaps key and certificate in one step.
  Result<void> save_renewed(const Identity& identity);

  const std::string& folder() const { return folder_; }
  std::string tls_path() const { return folder_ + "/tls.pem"; }
  std::string server_ca_path() const { return folder_ + "/server-ca.pem"; }

 private:
  std::string path(const char* name) const { return folder_ + "/" + name; }
  std::string next_path(const char* name) const { return folder_ + "/next/" + name; }
  Result<void> save_document(const Identity& identity);
  Result<void> forget_next();

  const std::string folder_;
};

}  // namespace observeai::agent
