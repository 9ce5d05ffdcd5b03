// Approved plans: waves of commands, and the answers to them.
#include <algorithm>

#include "controlplane/approval/quorum.h"
#include "controlplane/dispatch/gather.h"
#include "controlplane/dispatch/plan_runner.h"
#include "controlplane/dispatch/results.h"
#include "controlplane/plan/simulation.h"

namespace observeai::controlplane::dispatch {

namespace {

using approval::PlanEvent;
using approval::TargetEvent;
using T = model::TargetState;

}  // namespace

Result<void> PlanRunner::begin(PlanEdit& edit) {
  TRY(const auto approvals, world_.plans.approvals(edit.plan().id));
  const auto quorum = approval::count_approvals(approvals, edit.plan(), world_.roots.newest(),
                                                world_.clock.unix_ms());
  if (!quorum.is_reached()) {
    note(edit, "its approvals do not count any more");
    return {};
  }
  TRY(const auto facts, gather_facts(world_, edit.plan(), edit.targets()));
  const auto checks = plan::run_checks(facts);
  if (!plan::may_go_on(checks)) {
    const auto why = plan::why_not(checks);
    if (edit.plan().detail != why) {
      edit.edit().checks = checks;
      note(edit, why);
    }
    return {};
  }
  edit.edit().checks = checks;
  edit.fire(PlanEvent::kDispatch, "");
  edit.edit().detail = "";
  return {};
}

Result<void> PlanRunner::dispatch(PlanEdit& edit) {
  TRY_VOID(send_wave(edit));
  const auto wave = edit.plan().wave;
  const bool all_sent =
      edit.plan().is_stopping ||
      std::none_of(edit.targets().begin(), edit.targets().end(), [wave](const auto& one) {
        return one.wave == wave && one.state == T::kSimulated;
      });
  if (all_sent) edit.fire(PlanEvent::kAllSent, "");
  return {};
}

// A signer that refuses will refuse the next time too; one that does not answer is waited for. `of`:
// what it was asked for.
void PlanRunner::stop_or_wait(PlanEdit& edit, const Error& error, const std::string& of) {
  if (error.code() != Errc::kDenied && error.code() != Errc::kInvalid) {
    note(edit, error.message());
    return;
  }
  edit.audit(kSystem, audit::kinds::kSignerRefuse, of + ": " + error.message());
  edit.edit().is_stopping = true;
  edit.edit().stop_reason = "the signer refuses: " + error.message();
}

Result<void> PlanRunner::send_wave(PlanEdit& edit) {
  const auto& plan = edit.plan();
  if (plan.is_stopping) return {};
  TRY(const auto approvals, world_.plans.approvals(plan.id));
  const auto now_ms = world_.clock.unix_ms();
  const auto root = world_.roots.newest();
  if (!approval::count_approvals(approvals, plan, root, now_ms).is_reached()) {
    edit.edit().is_stopping = true;
    edit.edit().stop_reason = "its approvals do not count any more";
    return {};
  }
  std::vector<std::string> leaves;
  for (const auto& target : edit.targets()) leaves.push_back(target.intent);
  TRY(const auto batch, plan::batch_of(std::move(leaves)));
  if (batch.tree.root() != plan.batch_root)
    return Error(Errc::kInternal,
                 "plan " + plan.id.value() + ": the stored intents are not the approved ones");

  std::vector<WantedCommand> wanted;
  for (auto& target : edit.targets()) {
    if (target.wave != plan.wave || target.state != T::kSimulated ||
        !may_ask(target, target.attempts))
      continue;
    TRY(auto agent, world_.agents.find(target.agent));
    const auto why_not = agent ? why_unreachable(*agent) : "there is no such agent";
    if (!why_not.empty()) {
      note(edit, target.agent.value() + ": " + why_not);
      continue;
    }
    WantedCommand one;
    one.agent = std::move(*agent);
    one.intent = target.intent;
    one.mode = wire::CommandMode::kExecute;
    one.attempt = target.attempts;
    one.plan = plan.id;
    one.expires_ms = std::min(now_ms + kCommandLifetimeMs, plan.expires_ms);
    one.policy = target.policy;
    one.batch_root = plan.batch_root;
    one.batch_size = plan.batch_size;
    one.batch_index = target.index;
    one.path = batch.tree.path(target.index);
    one.approvals = approval::counting_envelopes(approvals, plan, root, now_ms);
    wanted.push_back(std::move(one));
  }
  auto made = make_commands(world_, wanted);
  if (!made) {
    stop_or_wait(edit, made.error(), "all");
    return {};
  }
  for (std::size_t i = 0; i < made->size(); ++i) {
    auto& command = (*made)[i];
    if (!command) {
      stop_or_wait(edit, command.error(), wanted[i].agent.id.value());
      continue;
    }
    auto* target = edit.target_of(command->agent);
    ++target->attempts;
    edit.fire(*target, TargetEvent::kCommandMade, "");
    edit.audit(kSystem, audit::kinds::kPlanDispatch, target->agent.value() + " " + target->target);
    edit.add(std::move(*command));
  }
  return {};
}

Result<void> PlanRunner::await_answers(PlanEdit& edit) {
  const auto wave = edit.plan().wave;
  const auto of_wave = [&](auto wanted) {
    return std::any_of(edit.targets().begin(), edit.targets().end(),
                       [&](const auto& one) { return one.wave == wave && wanted(one); });
  };
  const auto waits = [](const auto& one) { return one.state == T::kDispatched; };
  const auto is_to_be_asked_again = [](const auto& one) {
    return one.state == T::kSimulated && one.attempts > 0;
  };
  if (of_wave(is_to_be_asked_again)) {
    const auto before = edit.count(T::kDispatched);
    TRY_VOID(send_wave(edit));
    if (edit.count(T::kDispatched) > before) edit.await_answers();
  }
  if (of_wave(waits)) return {};
  if (of_wave(is_to_be_asked_again) && !edit.plan().is_stopping) return {};
  const bool acted = std::any_of(edit.targets().begin(), edit.targets().end(), [](const auto& one) {
    return approval::may_have_acted(one.state);
  });
  for (const auto& target : edit.targets()) {
    if (acted || target.state != T::kRefused) continue;
    const auto reason = target.detail.substr(0, target.detail.find(':'));
    if (!says_changed(reason)) continue;
    edit.fire(PlanEvent::kTargetMoved,
              "the target changed since the dry run: the approval is void; simulate it anew in "
              "another plan");
    return {};
  }
  edit.fire(PlanEvent::kAllAnswered, "");
  return {};
}

}  // namespace observeai::controlplane::dispatch
