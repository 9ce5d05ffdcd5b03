#include "controlplane/dispatch/command_maker.h"

#include "controlplane/approval/state_machine.h"
#include "protocol/topics/topics.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/command_time.h"

namespace observeai::controlplane::dispatch {
namespace {

wire::Command command_of(const WantedCommand& wanted, std::uint64_t seq, std::uint64_t root_version,
                         const wire::AuditHead& head, std::int64_t now_ms) {
  wire::Command command;
  signing::random_bytes(command.id);
  command.intent = wanted.intent;
  command.mode = wanted.mode;
  command.enrollment = wire::enrollment_id(signing::VerifyKey{wanted.agent.result_public_key});
  command.session = wanted.agent.last_hello->executor->session;
  command.seq = seq;
  command.issued_ms = now_ms;
  command.not_before_ms = now_ms - kNotBeforeSlackMs;
  command.expires_ms = wanted.expires_ms;
  command.batch_root = wanted.batch_root;
  command.batch_size = wanted.batch_size;
  command.batch_index = wanted.batch_index;
  command.path = wanted.path;
  command.approvals = wanted.approvals;
  command.root_version = root_version;
  command.policy = wanted.policy;
  command.audit_seq = head.seq;
  command.audit_hash = head.hash;
  return command;
}

topics::AgentAddress address_of(const model::AgentRecord& agent) {
  return {agent.tenant, agent.shard, agent.id};
}

}  // namespace

std::int64_t answers_by_ms(const model::PlanRecord& plan, std::int64_t now_ms) {
  return now_ms + kCommandLifetimeMs + wire::longest_run_ms(plan.timeout_ms) +
         approval::patience_ms(model::PlanState::kExecuting);
}

std::string why_unreachable(const model::AgentRecord& agent) {
  if (agent.state != model::AgentState::kActive) return "the agent is not active";
  if (!agent.last_hello || !agent.last_hello->executor)
    return "its executor has not answered: install and start observeai-executor there";
  return "";
}

Result<std::vector<Result<model::CommandRecord>>> make_commands(
    World& world, const std::vector<WantedCommand>& wanted) {
  std::vector<Result<model::CommandRecord>> out;
  if (wanted.empty()) return out;
  const auto now_ms = world.clock.unix_ms();
  const auto root_version = world.roots.newest().version;
  const auto head = world.heads.newest().head;
  std::vector<std::pair<AgentId, std::uint64_t>> agents;
  for (const auto& one : wanted)
    agents.emplace_back(one.agent.id, one.agent.last_hello->executor->command_seq);
  TRY(const auto seqs, world.commands.reserve(agents));

  std::vector<std::string> bytes;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto command = command_of(wanted[i], seqs[i], root_version, head, now_ms);
    TRY(auto encoded, wire::encode_command(command));
    bytes.push_back(std::move(encoded));
    model::CommandRecord record;
    record.id = command.id;
    record.plan = wanted[i].plan;
    record.tenant = wanted[i].agent.tenant;
    record.agent = wanted[i].agent.id;
    record.mode = wanted[i].mode;
    record.attempt = wanted[i].attempt;
    record.seq = seqs[i];
    record.issued_ms = now_ms;
    record.expires_ms = wanted[i].expires_ms;
    out.emplace_back(std::move(record));
  }
  TRY(auto envelopes, world.signer.sign_commands(bytes));
  if (envelopes.size() != out.size())
    return Error(Errc::kInternal, "the signer answered with another number of commands");
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!envelopes[i]) {
      out[i] = std::move(envelopes[i]).error();
      continue;
    }
    out[i]->sha256 = wire::digest_of(*envelopes[i]);
    out[i]->envelope = std::move(*envelopes[i]);
  }
  return out;
}

Result<mqtt::Message> command_message(const World& world, const model::AgentRecord& agent,
                                      const std::string& envelope) {
  TRY(const auto keys, signing::controlplane_session_keys(world.sealing, agent.sealing_public_key));
  return mqtt::Message{topics::build(address_of(agent), topics::Channel::kCommand),
                       wire::seal_command(envelope, agent.id, keys.down)};
}

Result<mqtt::Message> meta_message(const World& world, const model::AgentRecord& agent,
                                   const wire::Meta& meta) {
  TRY(const auto bytes, wire::encode_meta(meta));
  TRY(const auto keys, signing::controlplane_session_keys(world.sealing, agent.sealing_public_key));
  return mqtt::Message{topics::build(address_of(agent), topics::Channel::kMeta),
                       wire::seal_meta(bytes, agent.id, keys.down)};
}

}  // namespace observeai::controlplane::dispatch
