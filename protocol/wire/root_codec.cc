#include "protocol/wire/root_codec.h"

#include <algorithm>

#include "observeai/v1/trust.pb.h"
#include "protocol/base/text.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/shape.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::wire {
namespace {

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "root metadata: " + std::string(why));
}

std::string key_bytes(const signing::VerifyKey& key) {
  return std::string(text::as_text(key.bytes));
}

Result<signing::VerifyKey> read_key(const std::string& bytes) {
  signing::VerifyKey key;
  if (bytes.size() != key.bytes.size()) return corrupt("a key is not 32 bytes");
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

Result<signing::SignerKey> read_signer(const v1::RootMetadata::Signer& in) {
  signing::SignerKey out;
  TRY(out.key, read_key(in.key()));
  const auto& delegation = in.delegation();
  for (const auto& name : delegation.tenants()) {
    const auto tenant = TenantId::parse(name);
    if (!tenant) return corrupt("bad tenant in a delegation");
    out.delegation.tenants.push_back(*tenant);
  }
  out.delegation.actions.assign(delegation.actions().begin(), delegation.actions().end());
  out.delegation.max_targets = delegation.max_targets();
  out.delegation.not_after_ms = delegation.not_after_ms();
  return out;
}

struct OpenedRoot {
  signing::SignedEnvelope envelope;
  signing::RootMetadata root;
};

Result<OpenedRoot> open_root(std::string_view bytes) {
  TRY(auto envelope, decode_envelope(bytes));
  TRY(auto root, decode_root(envelope.payload));
  return OpenedRoot{std::move(envelope), std::move(root)};
}

VerifiedRoot verified(signing::RootMetadata root, std::int64_t now_ms) {
  const bool expired = signing::is_expired(root, now_ms);
  return {std::move(root), expired};
}

}  // namespace

std::string encode_root(const signing::RootMetadata& root) {
  v1::RootMetadata out;
  out.set_version(root.version);
  out.set_expires_ms(root.expires_ms);
  out.set_root_threshold(root.root_threshold);
  for (const auto& key : root.root_keys) out.add_root_keys(key_bytes(key));
  for (const auto& signer : root.signers) {
    auto& added = *out.add_signers();
    auto& delegation = *added.mutable_delegation();
    added.set_key(key_bytes(signer.key));
    for (const auto& tenant : signer.delegation.tenants) delegation.add_tenants(tenant.value());
    for (const auto& action : signer.delegation.actions) delegation.add_actions(action);
    delegation.set_max_targets(signer.delegation.max_targets);
    delegation.set_not_after_ms(signer.delegation.not_after_ms);
  }
  for (const auto& approver : root.approvers) {
    auto& added = *out.add_approvers();
    added.set_key(key_bytes(approver.key));
    added.set_person(approver.person);
  }
  out.set_audit_key(key_bytes(root.audit_key));
  return out.SerializeAsString();
}

Result<signing::RootMetadata> decode_root(std::string_view bytes) {
  if (bytes.size() > kMaxEnvelopeBytes) return corrupt("too long");
  const auto structure = detail::structure_bytes(bytes, detail::kRootShape, kMaxDecodedBytes);
  if (!structure) return corrupt(structure.error().message());
  v1::RootMetadata in;
  if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt("not a protobuf message");
  }
  signing::RootMetadata root;
  root.version = in.version();
  root.expires_ms = in.expires_ms();
  root.root_threshold = in.root_threshold();
  for (const auto& bytes_of_key : in.root_keys()) {
    TRY(const auto key, read_key(bytes_of_key));
    root.root_keys.push_back(key);
  }
  for (const auto& signer : in.signers()) {
    TRY(auto value, read_signer(signer));
    root.signers.push_back(std::move(value));
  }
  for (const auto& approver : in.approvers()) {
    TRY(const auto key, read_key(approver.key()));
    root.approvers.push_back({key, approver.person()});
  }
  TRY(root.audit_key, read_key(in.audit_key()));
  if (encode_root(root) != bytes) return corrupt("not in its one form");
  return root;
}

Result<VerifiedRoot> verify_pinned_root(std::string_view envelope, std::string_view pinned_sha256,
                                        std::int64_t now_ms) {
  if (!signing::equal_constant_time(signing::sha256_hex(envelope), pinned_sha256)) {
    return Error(Errc::kDenied, "root metadata is not the one that the enrollment token names");
  }
  TRY(auto opened, open_root(envelope));
  TRY_VOID(signing::verify_self_signed(opened.root, opened.envelope));
  return verified(std::move(opened.root), now_ms);
}

Result<VerifiedRoot> verify_next_root(const signing::RootMetadata& current,
                                      std::string_view envelope, std::int64_t now_ms) {
  TRY(auto opened, open_root(envelope));
  TRY_VOID(signing::verify_successor(current, opened.root, opened.envelope));
  return verified(std::move(opened.root), now_ms);
}

}  // namespace observeai::wire
