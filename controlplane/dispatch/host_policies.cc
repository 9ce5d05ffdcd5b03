#include "controlplane/dispatch/host_policies.h"

#include "controlplane/dispatch/plan_edit.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::dispatch {
namespace {

std::string shown(const std::string& policy) {
  constexpr std::size_t kEnough = 12;
  return policy.empty() ? "unreadable" : policy.substr(0, kEnough);
}

}  // namespace

HostPolicies::HostPolicies(World& world) : world_(world) {
  const auto agents = world_.agents.list(TenantId());
  if (!agents) {
    log::warning("policies of hosts: " + agents.error().message());
    return;
  }
  for (const auto& agent : *agents) {
    if (!agent.last_hello || !agent.last_hello->executor) continue;
    const auto& executor = *agent.last_hello->executor;
    told_[agent.id] = {executor.policy_hash, executor.state, std::nullopt};
  }
}

void HostPolicies::heard(const model::AgentRecord& agent) {
  const auto& executor = *agent.last_hello->executor;
  const auto [place, is_new] =
      told_.try_emplace(agent.id, Told{executor.policy_hash, executor.state, std::nullopt});
  auto& told = place->second;
  if (is_new || (told.policy == executor.policy_hash && told.state == executor.state)) return;
  const auto now = world_.clock.steady_now();
  if (told.at && now - *told.at < kAtMostEvery) return;
  std::string detail;
  if (told.policy != executor.policy_hash)
    detail = "policy " + shown(told.policy) + " -> " + shown(executor.policy_hash);
  if (told.state != executor.state) {
    detail += (detail.empty() ? "executor " : "; executor ") + log::printable(told.state, 150) +
              " -> " + log::printable(executor.state, 150);
  }
  const auto written = world_.audit.append(
      audit_entry("agent:" + agent.id.value(), audit::kinds::kHostPolicy, agent.id.value(),
                  agent.tenant, detail, world_.clock.unix_ms()));
  if (!written) {
    log::warning("audit host.policy: " + written.error().message());
    return;  // The next hello says it again
  }
  told = {executor.policy_hash, executor.state, now};
}

}  // namespace observeai::controlplane::dispatch
