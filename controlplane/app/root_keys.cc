#include "controlplane/app/root_keys.h"

#include <algorithm>

#include "protocol/actions/catalogue.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/signing/key_files.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane {
namespace {

constexpr std::int64_t kLifetimeMs = 365LL * 86'400'000;

Result<signing::SigningKeyPair> ensure_key(const std::string& path) {
  if (files::exists(path)) return signing::load_signing_key(path);
  const auto pair = signing::SigningKeyPair::generate();
  TRY_VOID(signing::save_signing_key(path, pair));
  return pair;
}

signing::SignerKey everything_for(const TenantId& tenant, const OnlineKeys& keys,
                                  std::int64_t until_ms) {
  signing::SignerKey signer;
  signer.key = keys.signer;
  signer.delegation.tenants = {tenant};
  for (const auto& action : actions::catalogue())
    signer.delegation.actions.emplace_back(action.name);
  signer.delegation.max_targets = kQuickStartTargets;
  signer.delegation.not_after_ms = until_ms;
  return signer;
}

std::string signed_by(const signing::SigningKeyPair& key, const signing::RootMetadata& root) {
  signing::SignedEnvelope envelope{signing::kRootType, wire::encode_root(root), {}};
  signing::add_signature(envelope, key);
  return wire::encode_envelope(envelope);
}

void warn_of_single_key(const std::string& directory) {
  log::warning("the root of trust is a single key on this machine (" + directory +
               "/root.key): fine to try things, not for production; see docs/operations.md");
}

Result<std::unique_ptr<RootChain>> begin(const std::string& directory, const TenantId& tenant,
                                         const AskOnlineKeys& ask, const Clock& clock) {
  TRY(const auto keys, ask());
  TRY_VOID(files::make_directories(directory, 0700));
  TRY(const auto root_key, ensure_key(directory + "/root.key"));
  signing::RootMetadata root;
  root.version = 1;
  root.expires_ms = clock.unix_ms() + kLifetimeMs;
  root.root_threshold = 1;
  root.root_keys = {root_key.public_key()};
  root.signers = {everything_for(tenant, keys, root.expires_ms)};
  root.audit_key = keys.audit;
  TRY_VOID(signing::check_root(root));
  TRY(auto chain, RootChain::begin(directory, signed_by(root_key, root)));
  warn_of_single_key(directory);
  return chain;
}

bool allows_nothing(const signing::SignerKey& signer) {
  return signer.delegation.actions.empty();
}

// Only where the one root key lies beside, unsealed: that is what a quick start is.
Result<void> widen(RootChain& chain, const std::string& directory, const TenantId& tenant,
                   const AskOnlineKeys& ask, const Clock& clock) {
  auto root = chain.newest();
  const bool is_wide = !std::all_of(root.signers.begin(), root.signers.end(), allows_nothing);
  const std::string key_file = directory + "/root.key";
  if (is_wide || root.root_keys.size() != 1 || !files::exists(key_file)) return {};
  TRY(const auto root_key, signing::load_signing_key(key_file));
  if (root_key.public_key() != root.root_keys.front()) return {};
  TRY(const auto keys, ask());
  ++root.version;
  root.expires_ms = clock.unix_ms() + kLifetimeMs;
  root.signers = {everything_for(tenant, keys, root.expires_ms)};
  root.audit_key = keys.audit;
  TRY_VOID(chain.take({signed_by(root_key, root)}));
  log::info("root version " + std::to_string(root.version) +
            " lets the signer do the actions of the catalogue");
  return {};
}

}  // namespace

Result<std::unique_ptr<RootChain>> ensure_root(const std::string& directory, const TenantId& tenant,
                                               const AskOnlineKeys& ask, const Clock& clock) {
  auto chain = RootChain::open(directory);
  if (!chain && chain.error().code() == Errc::kNotFound)
    return begin(directory, tenant, ask, clock);
  if (!chain) return std::move(chain).error();
  if (const auto widened = widen(**chain, directory, tenant, ask, clock); !widened)
    log::warning("the signer may do nothing yet: " + widened.error().message());
  return chain;
}

}  // namespace observeai::controlplane
