#include "controlplane/dispatch/plan_runner.h"

#include <algorithm>

#include "controlplane/dispatch/results.h"
#include "protocol/base/log.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::dispatch {
namespace {

using approval::PlanEvent;
using approval::TargetEvent;
using P = model::PlanState;
using T = model::TargetState;

constexpr std::chrono::seconds kSendAgainAfter(10);
std::string of_all(std::size_t count, const PlanEdit& edit) {
  return std::to_string(count) + " of " + std::to_string(edit.targets().size());
}

}  // namespace

Result<bool> PlanRunner::advance(const wire::PlanId& id) {
  TRY(const auto plan, world_.plans.find(id));
  if (!plan || approval::is_over(plan->state)) return false;
  TRY(auto targets, world_.plans.targets(id));
  PlanEdit edit(*plan, std::move(targets), world_.clock.unix_ms());
  TRY_VOID(step(edit));
  if (!edit.is_changed()) return false;
  if (approval::is_over(edit.plan().state)) {
    TRY_VOID(close_open_commands(edit));
  }
  const auto before = plan->state;
  const auto change = edit.take();
  TRY_VOID(world_.plans.apply(change));
  if (change.plan.state != before) {
    constexpr std::size_t kMostShown = 300;
    log::info("plan " + id.value() + ": " + std::string(approval::to_string(change.plan.state)) +
              " " + log::printable(change.plan.detail, kMostShown));
  }
  for (const auto& command : change.commands) send(command);
  if (approval::is_over(change.plan.state)) forget(id);
  return true;
}

Result<void> PlanRunner::step(PlanEdit& edit) {
  if (world_.clock.unix_ms() >= edit.plan().deadline_ms) return meet_deadline(edit);
  switch (edit.plan().state) {
    case P::kSimulating:
      return simulate(edit);
    case P::kSimulated:
      return await_approval(edit);
    case P::kApproved:
      return begin(edit);
    case P::kDispatching:
      return dispatch(edit);
    case P::kExecuting:
      return await_answers(edit);
    case P::kVerifying:
      return verify(edit);
    default:
      return {};
  }
}

Result<void> PlanRunner::meet_deadline(PlanEdit& edit) {
  const auto state = edit.plan().state;
  std::string why = edit.plan().detail;
  if (state == P::kSimulating) {
    for (auto& target : edit.targets())
      edit.fire(target, TargetEvent::kDeadline,
                target.detail.empty() ? "no answer to the dry run" : target.detail);
    why = of_all(edit.count(T::kSilent), edit) + " hosts did not answer the dry run";
  } else if (state == P::kProposed) {
    why = "nobody simulated it";
  } else if (state == P::kSimulated) {
    why = "nobody approved it in time";
  } else if (state == P::kApproved && why.empty()) {
    why = "it could not begin in time";
  } else if (state == P::kExecuting || state == P::kVerifying) {
    const bool executing = state == P::kExecuting;
    for (auto& target : edit.targets()) {
      // Who answered in time is verified, whoever else is silent.
      if (target.state == (executing ? T::kDispatched : T::kVerifying))
        edit.fire(target, TargetEvent::kDeadline,
                  executing ? "no answer; it may have been done" : target.detail);
    }
    why = executing ? "not every host answered in time" : "it cannot be told whether it worked";
  }
  edit.fire(PlanEvent::kDeadline, why);
  return {};
}

Result<void> PlanRunner::close_open_commands(PlanEdit& edit) {
  TRY(const auto commands, world_.commands.of_plan(edit.plan().id));
  for (const auto& command : commands) {
    if (command.state == model::CommandState::kOpen)
      edit.close(command.id, model::CommandState::kOver);
  }
  return {};
}

// ---- commands out, answers in ------------------------------------------------------------------

void PlanRunner::heard(const AgentId& agent) {
  heard_ms_[agent] = world_.clock.unix_ms();
}

void PlanRunner::send(const model::CommandRecord& command) {
  sent_[command.plan][command.id] = world_.clock.steady_now();
  const auto agent = world_.agents.find(command.agent);
  if (!agent || !*agent) return;  // It is sent again
  auto message = command_message(world_, **agent, command.envelope);
  if (!message) {
    log::warning("command for " + command.agent.value() + ": " + message.error().message());
    return;
  }
  send_roots_before(**agent);
  world_.down.send(std::move(*message));
}

// A command names the root metadata in force: a host that has not heard of it since its last hello is told
// first. That it comes again with a later command does no harm.
void PlanRunner::send_roots_before(const model::AgentRecord& agent) {
  if (!agent.last_hello || !agent.last_hello->executor) return;
  wire::Meta meta;
  meta.roots = world_.roots.envelopes_after(agent.last_hello->executor->root_version);
  if (meta.roots.empty()) return;
  if (meta.roots.size() > wire::kMaxMetaRoots) meta.roots.resize(wire::kMaxMetaRoots);
  if (auto message = meta_message(world_, agent, meta)) world_.down.send(std::move(*message));
}

void PlanRunner::send_again(const wire::PlanId& id) {
  const auto commands = world_.commands.of_plan(id);
  if (!commands) return;
  auto& sent = sent_[id];
  const auto now = world_.clock.steady_now();
  for (const auto& command : *commands) {
    if (command.state != model::CommandState::kOpen || command.expires_ms <= world_.clock.unix_ms())
      continue;
    const auto before = sent.find(command.id);
    if (before == sent.end() || now - before->second >= kSendAgainAfter) send(command);
  }
}

void PlanRunner::forget(const wire::PlanId& id) {
  sent_.erase(id);
}

Result<void> PlanRunner::take(const wire::PlanId& id, const std::vector<Answer>& answers) {
  TRY(const auto plan, world_.plans.find(id));
  if (!plan) return Error(Errc::kInternal, "a command without its plan");
  TRY(auto targets, world_.plans.targets(id));
  PlanEdit edit(*plan, std::move(targets), world_.clock.unix_ms());
  for (const auto& answer : answers) {
    edit.checked(answer.record, true);
    edit.close(answer.command.id, model::CommandState::kAnswered);
    apply_answer(edit, answer);
  }
  TRY_VOID(world_.plans.apply(edit.take()));
  return {};
}

void PlanRunner::apply_answer(PlanEdit& edit, const Answer& answer) {
  const auto& result = answer.result;
  std::string why = result.reason;
  if (!result.message.empty()) why += (why.empty() ? "" : ": ") + result.message;
  edit.audit("agent:" + answer.command.agent.value(), audit::kinds::kPlanResult,
             std::string(wire::to_string(result.outcome)) + (why.empty() ? "" : " " + why));
  auto* target = edit.target_of(answer.command.agent);
  if (target == nullptr) return;
  const bool is_dry_run = answer.command.mode == wire::CommandMode::kDryRun;
  if (target->state != (is_dry_run ? T::kSimulating : T::kDispatched)) return;
  if (!result.target.empty()) target->target = result.target;
  const auto asked = is_dry_run ? (target->dry_runs - 1) % kMaxAttempts + 1 : target->attempts;
  const auto refused = is_passing(result.reason) && asked < kMaxAttempts
                           ? TargetEvent::kRefusedForNow
                           : TargetEvent::kRefused;
  if (is_dry_run) {
    const bool is_ok = result.outcome == wire::ResultOutcome::kDryRun;
    if (is_ok) target->policy = result.policy;
    edit.fire(*target, is_ok ? TargetEvent::kDryRunOk : refused, is_ok ? "" : why);
    return;
  }
  target->done_ms = world_.clock.unix_ms();
  switch (result.outcome) {
    case wire::ResultOutcome::kSucceeded:
      edit.fire(*target, TargetEvent::kDone, "the host says it is done");
      break;
    case wire::ResultOutcome::kRolledBack:
      edit.fire(*target, TargetEvent::kUndone, why);
      break;
    case wire::ResultOutcome::kInterrupted:
      edit.fire(*target, TargetEvent::kInterrupted,
                why.empty() ? "its executor ended meanwhile" : why);
      break;
    case wire::ResultOutcome::kRefused:
      target->done_ms = 0;
      edit.fire(*target, refused, why);
      break;
    default:
      edit.fire(*target, TargetEvent::kFailed, why);
  }
}

}  // namespace observeai::controlplane::dispatch
