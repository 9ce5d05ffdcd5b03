#include "controlplane/app/root_keys.h"

#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/signing/key_files.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane {
namespace {

constexpr std::int64_t kRootLifetimeMs = 365LL * 86'400'000;
constexpr std::int64_t kDelegationLifetimeMs = 30LL * 86'400'000;

Result<signing::SigningKeyPair> ensure_key(const std::string& path) {
  if (files::exists(path)) return signing::load_signing_key(path);
  const auto pair = signing::SigningKeyPair::generate();
  TRY_VOID(signing::save_signing_key(path, pair));
  return pair;
}

}  // namespace

Result<std::string> ensure_root_metadata(const std::string& directory, const TenantId& tenant,
                                         const Clock& clock) {
  TRY_VOID(files::make_directories(directory, 0700));
  const std::string metadata_file = directory + "/root-metadata.v1";
  if (files::exists(metadata_file)) return files::read(metadata_file);

  TRY(const auto root_key, ensure_key(directory + "/root.key"));
  TRY(const auto signer_key, ensure_key(directory + "/signer.key"));
  TRY(const auto audit_key, ensure_key(directory + "/audit.key"));
  signing::RootMetadata root;
  root.version = 1;
  root.expires_ms = clock.unix_ms() + kRootLifetimeMs;
  root.root_threshold = 1;
  root.root_keys = {root_key.public_key()};
  signing::SignerKey signer;
  signer.key = signer_key.public_key();
  signer.delegation.tenants = {tenant};
  signer.delegation.max_targets = 1;
  signer.delegation.not_after_ms = clock.unix_ms() + kDelegationLifetimeMs;
  root.signers = {signer};
  root.audit_key = audit_key.public_key();
  TRY_VOID(signing::check_root(root));

  signing::SignedEnvelope envelope;
  envelope.type = signing::kRootType;
  envelope.payload = wire::encode_root(root);
  signing::add_signature(envelope, root_key);
  const std::string bytes = wire::encode_envelope(envelope);
  TRY_VOID(files::write_atomic(metadata_file, bytes, 0644));
  log::warning("the root of trust is a single key on this machine (" + directory +
               "/root.key): fine to try things, not for production; see docs/security.md");
  return bytes;
}

}  // namespace observeai::controlplane
