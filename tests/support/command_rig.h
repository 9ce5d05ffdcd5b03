// Keys of everybody who has a say in a command, and what they sign: for tests that play signer, approver
// and root. Each field may be changed before it is signed; nothing here keeps a test from lying.
#pragma once

#include <string>
#include <vector>

#include "protocol/actions/catalogue.h"
#include "protocol/signing/envelope.h"
#include "protocol/signing/keys.h"
#include "protocol/signing/merkle.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/wire/command.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::test {

inline signing::SigningKeyPair key_of(std::uint8_t number) {
  return signing::SigningKeyPair::from_seed(signing::SecretKey32({number, 0x5e}));
}

inline std::string sign(const char* type, const std::string& payload,
                        const std::vector<signing::SigningKeyPair>& keys) {
  signing::SignedEnvelope envelope;
  envelope.type = type;
  envelope.payload = payload;
  for (const auto& key : keys) signing::add_signature(envelope, key);
  return wire::encode_envelope(envelope);
}

struct CommandRig {
  AgentId agent = *AgentId::parse("agent-1");
  TenantId tenant = *TenantId::parse("tenant-1");
  std::int64_t now_ms = 1'800'000'000'000;

  signing::SigningKeyPair root_a = key_of(1);
  signing::SigningKeyPair root_b = key_of(2);
  signing::SigningKeyPair signer = key_of(3);
  signing::SigningKeyPair audit = key_of(4);
  signing::SigningKeyPair alice = key_of(5);
  signing::SigningKeyPair alice_phone = key_of(6);  // Another key of the same person
  signing::SigningKeyPair bob = key_of(7);
  signing::SigningKeyPair carol = key_of(8);
  signing::SigningKeyPair result_key = key_of(9);
  signing::SigningKeyPair stranger = key_of(10);

  signing::RootMetadata root_metadata(std::uint64_t version = 1) const {
    signing::RootMetadata root;
    root.version = version;
    root.expires_ms = now_ms + 365LL * 86'400'000;
    root.root_threshold = 2;
    root.root_keys = {root_a.public_key(), root_b.public_key()};
    signing::Delegation delegation;
    delegation.tenants = {tenant};
    for (const auto& one : actions::catalogue()) delegation.actions.emplace_back(one.name);
    delegation.max_targets = 100;
    delegation.not_after_ms = now_ms + 90LL * 86'400'000;
    root.signers = {{signer.public_key(), delegation}};
    root.approvers = {{alice.public_key(), "alice"},
                      {alice_phone.public_key(), "alice"},
                      {bob.public_key(), "bob"},
                      {carol.public_key(), "carol"}};
    root.audit_key = audit.public_key();
    return root;
  }
  std::string sign_root(const signing::RootMetadata& root) const {
    return sign(signing::kRootType, wire::encode_root(root), {root_a, root_b});
  }

  wire::Intent intent(const std::string& action, wire::Parameters parameters) const {
    wire::Intent out;
    out.plan = *wire::PlanId::parse("plan-1");
    out.tenant = tenant;
    out.agent = agent;
    out.action = action;
    if (const auto* manifest = actions::find(action)) {
      out.action_version = manifest->version;
      out.manifest = actions::manifest_hash(*manifest);
      out.tier = manifest->tier;
    } else {
      out.action_version = 1;
      out.manifest.fill(1);
    }
    out.parameters = std::move(parameters);
    out.requester = "carol";
    return out;
  }

  // What ties a command to the executor; session and sequence are the caller's to set.
  wire::Command command(const std::string& intent_bytes) const {
    wire::Command out;
    signing::random_bytes(out.id);
    out.intent = intent_bytes;
    out.enrollment = wire::enrollment_id(result_key.public_key());
    out.seq = 1;
    out.issued_ms = now_ms;
    out.not_before_ms = now_ms;
    out.expires_ms = now_ms + 15LL * 60'000;
    out.root_version = 1;
    return out;
  }
  wire::Command dry_run(const wire::Intent& intent) const {
    auto out = command(*wire::encode_intent(intent));
    out.mode = wire::CommandMode::kDryRun;
    return out;
  }
  // Alone in its batch, or number `index` of `others` (whole leaves, this one included).
  wire::Command execute(const wire::Intent& intent, std::vector<std::string> leaves = {},
                        std::uint32_t index = 0) const {
    const auto bytes = *wire::encode_intent(intent);
    if (leaves.empty()) leaves = {bytes};
    const auto tree = *signing::MerkleTree::create(leaves);
    auto out = command(bytes);
    out.mode = wire::CommandMode::kExecute;
    out.batch_root = tree.root();
    out.batch_size = static_cast<std::uint32_t>(leaves.size());
    out.batch_index = index;
    out.path = tree.path(index);
    return out;
  }
  wire::Approval approval(const wire::Command& command) const {
    const auto intent = *wire::decode_intent(command.intent);
    wire::Approval out;
    out.plan = intent.plan;
    out.tenant = intent.tenant;
    out.batch_root = command.batch_root;
    out.batch_size = command.batch_size;
    out.issued_ms = now_ms;
    out.expires_ms = now_ms + 3'600'000;
    return out;
  }
  std::string sign_approval(const wire::Approval& approval,
                            const signing::SigningKeyPair& key) const {
    return sign(wire::kApprovalType, *wire::encode_approval(approval), {key});
  }
  void approve(wire::Command& command, const std::vector<signing::SigningKeyPair>& persons) const {
    for (const auto& key : persons)
      command.approvals.push_back(sign_approval(approval(command), key));
  }
  std::string sign_command(const wire::Command& command) const {
    return sign(wire::kCommandType, *wire::encode_command(command), {signer});
  }
  std::string sign_time(const wire::Bytes16& challenge, std::int64_t unix_ms) const {
    return sign(wire::kTimeType, *wire::encode_time({agent, challenge, unix_ms}), {signer});
  }
};

}  // namespace observeai::test
