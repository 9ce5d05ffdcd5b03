#include "controlplane/plan/simulation.h"

#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::plan {

wire::Intent dry_run_intent(const model::PlanRecord& plan, const AgentId& agent) {
  wire::Intent intent;
  intent.plan = plan.id;
  intent.tenant = plan.tenant;
  intent.agent = agent;
  intent.action = plan.action;
  intent.action_version = plan.action_version;
  intent.manifest = plan.manifest;
  intent.parameters = plan.parameters;
  intent.tier = plan.tier;
  intent.timeout_ms = plan.timeout_ms;
  intent.roll_back = plan.roll_back;
  intent.requester = plan.requester;
  intent.incident = plan.incident;
  return intent;
}

Result<wire::Intent> intent_after(const model::PlanRecord& plan, const AgentId& agent,
                                  const wire::CommandResult& dry_run) {
  if (dry_run.outcome != wire::ResultOutcome::kDryRun)
    return Error(Errc::kInvalid, "this result is not one of a dry run");
  wire::Intent intent = dry_run_intent(plan, agent);
  intent.state = dry_run.state_before;
  intent.diff = wire::diff_digest(dry_run.diff);
  return intent;
}

Result<Batch> make_batch(const std::vector<wire::Intent>& intents) {
  std::vector<std::string> leaves;
  leaves.reserve(intents.size());
  for (const auto& intent : intents) {
    TRY(auto bytes, wire::encode_intent(intent));
    leaves.push_back(std::move(bytes));
  }
  return batch_of(std::move(leaves));
}

Result<Batch> batch_of(std::vector<std::string> intents) {
  TRY(auto tree, signing::MerkleTree::create(intents));
  return Batch{std::move(intents), std::move(tree)};
}

}  // namespace observeai::controlplane::plan
