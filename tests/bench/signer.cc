// One approved batch signed by a real observeai-signer: bench_signer SOCKET SIGNER_KEY_FILE AUDIT_KEY_FILE
// COMMANDS. Prints one JSON object. The first root that it tells names the keys of the two files.
#include <cstdio>
#include <cstdlib>

#include "controlplane/signer/signer_client.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/clock.h"
#include "protocol/base/text.h"
#include "protocol/signing/key_files.h"
#include "protocol/signing/merkle.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

using namespace observeai;
using namespace observeai::controlplane;

namespace {

constexpr std::int64_t kHourMs = 3'600'000;

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "%s\n", result.error().message().c_str());
  std::exit(1);
}

std::string envelope_of(const char* type, std::string payload, const signing::SigningKeyPair& key) {
  signing::SignedEnvelope envelope{type, std::move(payload), {}};
  signing::add_signature(envelope, key);
  return wire::encode_envelope(envelope);
}

struct Keys {
  signing::SigningKeyPair root = signing::SigningKeyPair::generate();
  signing::SigningKeyPair ada = signing::SigningKeyPair::generate();
  signing::SigningKeyPair grace = signing::SigningKeyPair::generate();
};

std::string make_root(const Keys& keys, const signing::VerifyKey& signer,
                      const signing::VerifyKey& audit, std::int64_t now_ms) {
  signing::RootMetadata root;
  root.version = 1;
  root.expires_ms = now_ms + 24 * kHourMs;
  root.root_threshold = 1;
  root.root_keys = {keys.root.public_key()};
  root.signers = {
      {signer, {{must(TenantId::parse("default"))}, {"docker.prune"}, 100'000, root.expires_ms}}};
  root.approvers = {{keys.ada.public_key(), "ada"}, {keys.grace.public_key(), "grace"}};
  root.audit_key = audit;
  return envelope_of(signing::kRootType, wire::encode_root(root), keys.root);
}

std::vector<std::string> make_batch(const Keys& keys, std::size_t size, std::int64_t now_ms) {
  const auto* manifest = actions::find("docker.prune");
  std::vector<std::string> intents;
  wire::Intent intent;
  intent.plan = must(wire::PlanId::parse("plan-1"));
  intent.tenant = must(TenantId::parse("default"));
  intent.action = manifest->name;
  intent.action_version = manifest->version;
  intent.manifest = actions::manifest_hash(*manifest);
  intent.state.fill(1);
  intent.diff.fill(2);
  intent.tier = manifest->tier;
  intent.requester = "alan";
  for (std::size_t i = 0; i < size; ++i) {
    intent.agent = must(AgentId::parse("host-" + std::to_string(i)));
    intents.push_back(must(wire::encode_intent(intent)));
  }
  const auto tree = must(signing::MerkleTree::create(intents));
  wire::Approval approval;
  approval.plan = intent.plan;
  approval.tenant = intent.tenant;
  approval.batch_root = tree.root();
  approval.batch_size = static_cast<std::uint32_t>(size);
  approval.issued_ms = now_ms;
  approval.expires_ms = now_ms + kHourMs;
  const auto payload = must(wire::encode_approval(approval));
  wire::Command command;
  command.mode = wire::CommandMode::kExecute;
  command.enrollment.fill(1);
  command.session.fill(2);
  command.seq = 1;
  command.issued_ms = command.not_before_ms = now_ms;
  command.expires_ms = now_ms + kHourMs / 4;
  command.batch_root = tree.root();
  command.batch_size = approval.batch_size;
  command.approvals = {envelope_of(wire::kApprovalType, payload, keys.ada),
                       envelope_of(wire::kApprovalType, payload, keys.grace)};
  command.root_version = 1;
  std::vector<std::string> commands;
  for (std::size_t i = 0; i < size; ++i) {
    signing::random_bytes(command.id);
    command.intent = intents[i];
    command.batch_index = static_cast<std::uint32_t>(i);
    command.path = tree.path(i);
    commands.push_back(must(wire::encode_command(command)));
  }
  return commands;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const auto count = static_cast<std::size_t>(text::parse_u64(argv[4]).value_or(0));
  const auto now_ms = SystemClock().unix_ms();
  const auto signer = must(signing::load_signing_key(argv[2])).public_key();
  const auto audit = must(signing::load_signing_key(argv[3])).public_key();
  const Keys keys;
  SignerClient client({argv[1]});
  if (const auto taken = client.take_roots(std::vector{make_root(keys, signer, audit, now_ms)});
      !taken) {
    std::fprintf(stderr, "%s\n", taken.error().message().c_str());
    return 1;
  }
  const auto commands = make_batch(keys, count, now_ms);
  std::size_t bytes = 0;
  for (const auto& command : commands) bytes += command.size();
  const auto begin = std::chrono::steady_clock::now();
  const auto outcomes = must(client.sign_commands(commands));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  std::size_t done = 0;
  for (const auto& outcome : outcomes) {
    if (outcome) {
      ++done;
    } else if (done + 1 == outcomes.size() || done == 0) {
      std::fprintf(stderr, "%s\n", outcome.error().message().c_str());
    }
  }
  std::printf("{\"commands\": %zu, \"signed\": %zu, \"mib\": %.1f, \"sign_s\": %.3f}\n", count,
              done, static_cast<double>(bytes) / (1U << 20), taken.count());
  return done == count ? 0 : 1;
}
