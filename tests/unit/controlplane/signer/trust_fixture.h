// An organisation's keys, and root metadata signed with them.
#pragma once

#include <doctest/doctest.h>

#include "protocol/signing/keys.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::test {

inline constexpr std::int64_t kDayMs = 86'400'000;
inline constexpr std::int64_t kNowMs = 1'700'000'000'000;  // Where ManualClock starts

inline std::string sign_root(const signing::RootMetadata& root,
                             const std::vector<signing::SigningKeyPair>& by) {
  signing::SignedEnvelope envelope{signing::kRootType, wire::encode_root(root), {}};
  for (const auto& key : by) signing::add_signature(envelope, key);
  return wire::encode_envelope(envelope);
}

struct Organisation {
  std::vector<signing::SigningKeyPair> roots{signing::SigningKeyPair::generate(),
                                             signing::SigningKeyPair::generate(),
                                             signing::SigningKeyPair::generate()};
  signing::SigningKeyPair signer = signing::SigningKeyPair::generate();
  signing::SigningKeyPair audit = signing::SigningKeyPair::generate();
  signing::SigningKeyPair ada = signing::SigningKeyPair::generate();
  signing::SigningKeyPair ada_laptop = signing::SigningKeyPair::generate();
  signing::SigningKeyPair grace = signing::SigningKeyPair::generate();
  signing::SigningKeyPair alan = signing::SigningKeyPair::generate();

  signing::RootMetadata root(std::uint64_t version = 1) const {
    signing::RootMetadata out;
    out.version = version;
    out.expires_ms = kNowMs + 90 * kDayMs;
    out.root_threshold = 2;
    for (const auto& key : roots) out.root_keys.push_back(key.public_key());
    out.signers = {{signer.public_key(),
                    {{TenantId::parse("acme").value()},
                     {"collect.diagnostics", "docker.restart", "docker.prune"},
                     1000,
                     kNowMs + 30 * kDayMs}}};
    out.approvers = {{ada.public_key(), "ada"},
                     {ada_laptop.public_key(), "ada"},
                     {grace.public_key(), "grace"},
                     {alan.public_key(), "alan"}};
    out.audit_key = audit.public_key();
    return out;
  }
  std::string signed_root(const signing::RootMetadata& root) const {
    return sign_root(root, {roots[0], roots[1]});
  }
};

}  // namespace observeai::test
