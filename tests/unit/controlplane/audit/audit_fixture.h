// Chained entries to spoil.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "controlplane/audit/chain.h"
#include "controlplane/audit/export_verifier.h"
#include "protocol/signing/envelope.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane::audit_test {

inline void chain_again(std::vector<model::AuditEntry>& log) {
  wire::Digest before{};
  std::uint64_t seq = 0;
  for (auto& entry : log) {
    entry.seq = ++seq;
    before = entry.hash = audit::chain_hash(entry.seq, before, entry);
  }
}

inline std::vector<model::AuditEntry> chained(int count) {
  std::vector<model::AuditEntry> log;
  for (int i = 1; i <= count; ++i) {
    log.push_back({0,
                   1'700'000'000'000 + i,
                   "user:admin",
                   "token.create",
                   "t" + std::to_string(i),
                   R"({"uses":1})",
                   {}});
  }
  chain_again(log);
  return log;
}

// What is wrong with the log, "" when nothing is.
inline std::string verdict(const std::vector<model::AuditEntry>& log) {
  audit::ChainVerifier verifier;
  for (const auto& entry : log) {
    if (const auto added = verifier.add(entry); !added) return added.error().message();
  }
  return "";
}

// Signs as the root and the signer process do.
struct Keys {
  signing::SigningKeyPair root = signing::SigningKeyPair::generate();
  signing::SigningKeyPair audit = signing::SigningKeyPair::generate();

  std::string root_envelope(std::uint64_t version, const signing::SigningKeyPair& audit_key) const {
    signing::RootMetadata metadata;
    metadata.version = version;
    metadata.expires_ms = 1;  // Long ago: proves what was signed as well
    metadata.root_threshold = 1;
    metadata.root_keys = {root.public_key()};
    metadata.audit_key = audit_key.public_key();
    signing::SignedEnvelope envelope{signing::kRootType, wire::encode_root(metadata), {}};
    signing::add_signature(envelope, root);
    return wire::encode_envelope(envelope);
  }
  model::SignedAuditHead head(const model::AuditPoint& end, std::int64_t unix_ms,
                              const signing::SigningKeyPair& key) const {
    const wire::AuditHead head{end.seq, end.hash, unix_ms};
    signing::SignedEnvelope envelope{
        wire::kAuditHeadType, wire::encode_audit_head(head).value(), {}};
    signing::add_signature(envelope, key);
    return {head, wire::encode_envelope(envelope)};
  }
  model::SignedAuditHead head(const model::AuditEntry& entry) const {
    return head({entry.seq, entry.hash}, 1'800'000'000'000 + static_cast<std::int64_t>(entry.seq),
                audit);
  }
};

}  // namespace observeai::controlplane::audit_test
