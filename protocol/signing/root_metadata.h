// Who may sign what: the offline root's statement, in versions. An agent pins one envelope by its
// sha256 (enrollment token) and walks on version by version. Plain values and the rules on them;
// bytes and the whole verification of received bytes: wire/root_codec.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/signing/envelope.h"
#include "protocol/signing/keys.h"

namespace observeai::signing {

inline constexpr const char* kRootType = "observeai/v1/root";
// Bounds that keep verification cheap; each is far above any sensible organisation.
inline constexpr std::size_t kMaxRootKeys = 16;
inline constexpr std::size_t kMaxSignerKeys = 32;
inline constexpr std::size_t kMaxApproverKeys = 1024;
inline constexpr std::size_t kMaxDelegationNames = 256;
inline constexpr std::size_t kMaxNameBytes = 128;  // An action or a person

// What one signer key may do. Everything is named; an empty list allows nothing.
struct Delegation {
  std::vector<TenantId> tenants;
  std::vector<std::string> actions;  // "workload.restart"; printable ASCII without spaces
  std::uint32_t max_targets = 0;     // In one batch of commands
  std::int64_t not_after_ms = 0;     // The delegation ends at this time
  bool operator==(const Delegation&) const = default;
};

struct SignerKey {
  VerifyKey key;
  Delegation delegation;
  bool operator==(const SignerKey&) const = default;
};

// Several keys may belong to one person; a quorum counts persons.
struct ApproverKey {
  VerifyKey key;
  std::string person;
  bool operator==(const ApproverKey&) const = default;
};

struct RootMetadata {
  std::uint64_t version = 0;  // From 1
  std::int64_t expires_ms = 0;
  std::uint32_t root_threshold = 0;
  std::vector<VerifyKey> root_keys;
  std::vector<SignerKey> signers;
  std::vector<ApproverKey> approvers;
  VerifyKey audit_key;
  bool operator==(const RootMetadata&) const = default;
};

// Expired metadata stops commands, never telemetry: reported, not an error.
bool is_expired(const RootMetadata& root, std::int64_t now_ms);

// kInvalid: version 0, a threshold of 0 or above the number of keys, a key listed twice within or
// across roles (one role per key), an empty or malformed name; kLimit: a bound above.
Result<void> check_root(const RootMetadata& root);

// `envelope` must hold `next` (its payload decoded by the caller, from exactly these bytes).
// First version of a chain: signed by its own threshold.
Result<void> verify_self_signed(const RootMetadata& next, const SignedEnvelope& envelope);
// Exactly version + 1, signed by the thresholds of both. kDenied otherwise.
Result<void> verify_successor(const RootMetadata& current, const RootMetadata& next,
                              const SignedEnvelope& envelope);

// kDenied with the reason unless the delegation covers all of it at `now_ms`.
Result<void> check_delegation(const Delegation& delegation, const TenantId& tenant,
                              const std::string& action, std::uint32_t targets,
                              std::int64_t now_ms);

}  // namespace observeai::signing
