// Dry runs, and the batch that is made of them.
#include <algorithm>

#include "controlplane/approval/quorum.h"
#include "controlplane/dispatch/gather.h"
#include "controlplane/dispatch/plan_runner.h"
#include "controlplane/dispatch/results.h"
#include "controlplane/plan/simulation.h"
#include "controlplane/plan/waves.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::dispatch {

namespace {

using approval::PlanEvent;
using approval::TargetEvent;
using T = model::TargetState;

// What each wave may take beyond the wait for approval: approvals last that long.
constexpr std::int64_t kWaveMs = 20LL * 60'000;

}  // namespace

bool PlanRunner::may_ask(const model::PlanTargetRecord& target, std::uint32_t asked) const {
  if (asked == 0) return true;
  if (asked >= kMaxAttempts) return false;
  const auto heard = heard_ms_.find(target.agent);
  return (heard != heard_ms_.end() && heard->second > target.since_ms) ||
         world_.clock.unix_ms() - target.since_ms >= kAskAgainMs;
}

Result<std::vector<WantedCommand>> PlanRunner::wanted_dry_runs(PlanEdit& edit) {
  std::vector<WantedCommand> wanted;
  for (auto& target : edit.targets()) {
    // Counted anew by each simulation: those before are answered or over.
    if (target.state != T::kPlanned || !may_ask(target, target.dry_runs % kMaxAttempts)) continue;
    TRY(auto agent, world_.agents.find(target.agent));
    const auto why_not = agent ? why_unreachable(*agent) : "there is no such agent";
    if (!why_not.empty()) {
      if (target.detail != why_not) {
        target.detail = why_not;
        edit.touch(target);
      }
      continue;
    }
    WantedCommand one;
    TRY(one.intent, wire::encode_intent(plan::dry_run_intent(edit.plan(), target.agent)));
    one.agent = std::move(*agent);
    one.attempt = target.dry_runs;
    one.plan = edit.plan().id;
    one.expires_ms = world_.clock.unix_ms() + kDryRunLifetimeMs;
    wanted.push_back(std::move(one));
  }
  return wanted;
}

void PlanRunner::note(PlanEdit& edit, const std::string& detail) {
  if (edit.plan().detail != detail) edit.edit().detail = detail;
}

Result<void> PlanRunner::simulate(PlanEdit& edit) {
  TRY(const auto wanted, wanted_dry_runs(edit));
  auto made = make_commands(world_, wanted);
  if (!made) {
    note(edit, made.error().message());
    return {};
  }
  for (std::size_t i = 0; i < made->size(); ++i) {
    auto& command = (*made)[i];
    if (!command && command.error().code() == Errc::kDenied) {
      edit.audit(kSystem, audit::kinds::kSignerRefuse,
                 wanted[i].agent.id.value() + ": " + command.error().message());
      edit.fire(PlanEvent::kDryRunsBad, "the signer refuses: " + command.error().message());
      return {};
    }
    if (!command) {
      note(edit, command.error().message());
      continue;
    }
    auto* target = edit.target_of(command->agent);
    ++target->dry_runs;
    edit.fire(*target, TargetEvent::kDryRunSent, "");
    edit.add(std::move(*command));
  }
  if ((edit.count(T::kPlanned) > 0) || (edit.count(T::kSimulating) > 0)) return {};
  return finish_simulation(edit);
}

Result<void> PlanRunner::finish_simulation(PlanEdit& edit) {
  TRY(const auto facts, gather_facts(world_, edit.plan(), edit.targets()));
  edit.edit().checks = plan::run_checks(facts);
  if (!plan::may_go_on(edit.plan().checks)) {
    edit.fire(PlanEvent::kDryRunsBad, plan::why_not(edit.plan().checks));
    return {};
  }
  TRY(const auto commands, world_.commands.of_plan(edit.plan().id));
  const auto waves = plan::assign_waves(edit.targets().size(), edit.plan().all_at_once);
  std::vector<wire::Intent> intents;
  std::uint32_t host_approvals = 0;
  for (std::size_t i = 0; i < edit.targets().size(); ++i) {
    auto& target = edit.targets()[i];
    const auto* asked = newest_command(commands, target.agent, wire::CommandMode::kDryRun);
    if (asked == nullptr) return Error(Errc::kInternal, "a dry run without its command");
    TRY(const auto result, valid_result(world_, asked->id));
    if (!result) return Error(Errc::kInternal, "a dry run without its result");
    host_approvals = std::max(host_approvals, approval::approvals_asked(result->facts));
    TRY(auto intent, plan::intent_after(edit.plan(), target.agent, *result));
    TRY(target.intent, wire::encode_intent(intent));
    intents.push_back(std::move(intent));
    TRY(const auto signals, signals_of(world_, target.agent, target.target));
    target.baseline = baseline_of(signals);
    target.index = static_cast<std::uint32_t>(i);
    target.wave = waves[i];
    edit.touch(target);
  }
  if (host_approvals > wire::kMaxApprovals) {
    edit.fire(PlanEvent::kDryRunsBad, "a host's policy asks for " + std::to_string(host_approvals) +
                                          " approvers; a command carries at most " +
                                          std::to_string(wire::kMaxApprovals));
    return {};
  }
  TRY(const auto batch, plan::make_batch(intents));
  auto& plan = edit.edit();
  plan.host_approvals = host_approvals;
  plan.batch_root = batch.tree.root();
  plan.batch_size = static_cast<std::uint32_t>(batch.tree.size());
  edit.fire(PlanEvent::kDryRunsOk, "");
  const auto waves_ms =
      kWaveMs * static_cast<std::int64_t>(plan::wave_count(intents.size(), plan.all_at_once));
  plan.expires_ms = std::min(plan.deadline_ms + waves_ms,
                             world_.clock.unix_ms() + approval::kMaxApprovalLifetimeMs);
  plan.detail = "";
  return {};
}

Result<void> PlanRunner::await_approval(PlanEdit& edit) {
  if (approval::approvers_needed(edit.plan()) == 0)
    edit.fire(PlanEvent::kQuorum, "it only reads: nobody has to approve");
  return {};
}

}  // namespace observeai::controlplane::dispatch
