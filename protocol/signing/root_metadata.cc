#include "protocol/signing/root_metadata.h"

#include <algorithm>
#include <set>

#include "protocol/base/text.h"

namespace observeai::signing {
namespace {

Result<void> check_name(const std::string& name, const std::string& what) {
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (name.empty() || !printable) {
    return Error(Errc::kInvalid, what + " \"" + text::escape_unprintable(name, 80) +
                                     "\" is not printable ASCII without spaces");
  }
  if (name.size() > kMaxNameBytes) {
    return Error(Errc::kLimit,
                 what + " is longer than " + std::to_string(kMaxNameBytes) + " bytes");
  }
  return {};
}

Result<void> check_count(std::size_t count, std::size_t limit, std::string_view what) {
  if (count <= limit) return {};
  return Error(Errc::kLimit, "root metadata has " + std::to_string(count) + " " +
                                 std::string(what) + ", the limit is " + std::to_string(limit));
}

Result<void> check_signer(const SignerKey& signer) {
  const auto& delegation = signer.delegation;
  TRY_VOID(check_count(delegation.tenants.size(), kMaxDelegationNames, "tenants in a delegation"));
  TRY_VOID(check_count(delegation.actions.size(), kMaxDelegationNames, "actions in a delegation"));
  for (const auto& tenant : delegation.tenants) {
    if (tenant.empty()) return Error(Errc::kInvalid, "a delegation names an empty tenant");
  }
  for (const auto& action : delegation.actions) {
    TRY_VOID(check_name(action, "action"));
  }
  return {};
}

// A key with two roles would let a stolen online key act as an offline one.
Result<void> check_keys_distinct(const RootMetadata& root) {
  std::set<VerifyKey> seen;
  const auto add = [&seen](const VerifyKey& key) -> Result<void> {
    if (key == VerifyKey{}) return Error(Errc::kInvalid, "root metadata has an empty key");
    if (seen.insert(key).second) return {};
    return Error(Errc::kInvalid, "key " + key_id(key).value() + " is listed twice");
  };
  for (const auto& key : root.root_keys) {
    TRY_VOID(add(key));
  }
  for (const auto& signer : root.signers) {
    TRY_VOID(add(signer.key));
  }
  for (const auto& approver : root.approvers) {
    TRY_VOID(add(approver.key));
  }
  return add(root.audit_key);
}

Result<void> verify_threshold(const RootMetadata& by, const SignedEnvelope& envelope) {
  auto signers = verify(envelope, kRootType, by.root_threshold, by.root_keys);
  if (signers) return {};
  return std::move(signers).error().with_context("root version " + std::to_string(by.version));
}

}  // namespace

bool is_expired(const RootMetadata& root, std::int64_t now_ms) {
  return now_ms >= root.expires_ms;
}

Result<void> check_root(const RootMetadata& root) {
  if (root.version == 0) return Error(Errc::kInvalid, "root versions count from 1");
  TRY_VOID(check_count(root.root_keys.size(), kMaxRootKeys, "root keys"));
  TRY_VOID(check_count(root.signers.size(), kMaxSignerKeys, "signer keys"));
  TRY_VOID(check_count(root.approvers.size(), kMaxApproverKeys, "approver keys"));
  if (root.root_threshold == 0 || root.root_threshold > root.root_keys.size()) {
    return Error(Errc::kInvalid, "root threshold " + std::to_string(root.root_threshold) +
                                     " does not fit " + std::to_string(root.root_keys.size()) +
                                     " keys");
  }
  for (const auto& signer : root.signers) {
    TRY_VOID(check_signer(signer));
  }
  for (const auto& approver : root.approvers) {
    TRY_VOID(check_name(approver.person, "person"));
  }
  return check_keys_distinct(root);
}

Result<void> verify_self_signed(const RootMetadata& next, const SignedEnvelope& envelope) {
  TRY_VOID(check_root(next));
  return verify_threshold(next, envelope);
}

Result<void> verify_successor(const RootMetadata& current, const RootMetadata& next,
                              const SignedEnvelope& envelope) {
  TRY_VOID(verify_threshold(current, envelope));
  TRY_VOID(verify_self_signed(next, envelope));
  if (next.version - 1 != current.version) {
    return Error(Errc::kDenied, "root version " + std::to_string(next.version) +
                                    " does not follow version " + std::to_string(current.version));
  }
  return {};
}

Result<void> check_delegation(const Delegation& delegation, const TenantId& tenant,
                              const std::string& action, std::uint32_t targets,
                              std::int64_t now_ms) {
  const auto deny = [](const std::string& reason) {
    return Error(Errc::kDenied, "the signer's delegation " + reason);
  };
  if (now_ms >= delegation.not_after_ms) {
    return deny("ended at " + text::format_time_ms(delegation.not_after_ms));
  }
  const auto& tenants = delegation.tenants;
  if (std::find(tenants.begin(), tenants.end(), tenant) == tenants.end()) {
    return deny("does not cover tenant " + tenant.value());
  }
  const auto& actions = delegation.actions;
  if (std::find(actions.begin(), actions.end(), action) == actions.end()) {
    return deny("does not cover action " + text::escape_unprintable(action, kMaxNameBytes));
  }
  if (targets > delegation.max_targets) {
    return deny("covers " + std::to_string(delegation.max_targets) + " targets at once, not " +
                std::to_string(targets));
  }
  return {};
}

}  // namespace observeai::signing
