// A batch as the control plane builds it: intents, their tree, approvals, commands.
#pragma once

#include "protocol/actions/catalogue.h"
#include "protocol/signing/merkle.h"
#include "protocol/wire/command_codec.h"
#include "tests/unit/controlplane/signer/trust_fixture.h"

namespace observeai::test {

inline constexpr std::int64_t kMinuteMs = 60'000;

struct Batch {
  std::string action = "docker.restart";
  std::size_t size = 3;
  std::uint64_t seq = 1;
  std::int64_t now_ms = kNowMs;
  std::uint64_t root_version = 1;
  std::string requester = "alan";
  std::string tenant = "acme";

  wire::Intent intent(std::size_t number) const {
    const auto* manifest = actions::find(action);
    wire::Intent out;
    out.plan = wire::PlanId::parse("plan-1").value();
    out.tenant = TenantId::parse(tenant).value();
    out.agent = AgentId::parse("host-" + std::to_string(number)).value();
    out.action = action;
    out.action_version = manifest->version;
    out.manifest = actions::manifest_hash(*manifest);
    if (action == "docker.restart") out.parameters = {{"container", std::string("web")}};
    out.state.fill(7);
    out.diff.fill(8);
    out.tier = manifest->tier;
    out.requester = requester;
    return out;
  }
  std::vector<std::string> intents() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < size; ++i) out.push_back(wire::encode_intent(intent(i)).value());
    return out;
  }
  wire::Approval approval() const {
    wire::Approval out;
    out.plan = wire::PlanId::parse("plan-1").value();
    out.tenant = TenantId::parse(tenant).value();
    out.batch_root = signing::MerkleTree::create(intents()).value().root();
    out.batch_size = static_cast<std::uint32_t>(size);
    out.issued_ms = now_ms - kMinuteMs;
    out.expires_ms = now_ms + 60 * kMinuteMs;
    return out;
  }
  static std::string sign(const wire::Approval& approval, const signing::SigningKeyPair& key) {
    signing::SignedEnvelope envelope{
        wire::kApprovalType, wire::encode_approval(approval).value(), {}};
    signing::add_signature(envelope, key);
    return wire::encode_envelope(envelope);
  }
  // What all commands have in common but the batch.
  wire::Command bare(std::size_t number) const {
    wire::Command out;
    out.id.fill(1);
    out.id[0] = static_cast<std::uint8_t>(number);
    out.id[1] = static_cast<std::uint8_t>(number >> 8);
    out.enrollment.fill(1);
    out.session.fill(2);
    out.seq = seq;
    out.issued_ms = now_ms;
    out.not_before_ms = now_ms;
    out.expires_ms = now_ms + 15 * kMinuteMs;
    out.root_version = root_version;
    return out;
  }
  std::vector<wire::Command> commands(const std::vector<std::string>& approvals) const {
    const auto leaves = intents();
    const auto tree = signing::MerkleTree::create(leaves).value();
    std::vector<wire::Command> out;
    for (std::size_t i = 0; i < size; ++i) {
      auto command = bare(i);
      command.intent = leaves[i];
      command.mode = wire::CommandMode::kExecute;
      command.batch_root = tree.root();
      command.batch_size = static_cast<std::uint32_t>(size);
      command.batch_index = static_cast<std::uint32_t>(i);
      command.path = tree.path(i);
      command.approvals = approvals;
      out.push_back(std::move(command));
    }
    return out;
  }
  wire::Command dry_run(std::size_t number = 0) const {
    auto command = bare(number);
    auto wanted = intent(number);
    wanted.state = wanted.diff = {};
    command.intent = wire::encode_intent(wanted).value();
    return command;
  }
};

inline std::vector<std::string> encoded(const std::vector<wire::Command>& commands) {
  std::vector<std::string> out;
  for (const auto& command : commands) out.push_back(wire::encode_command(command).value());
  return out;
}

}  // namespace observeai::test
