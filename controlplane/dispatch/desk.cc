#include "controlplane/dispatch/desk.h"

#include <algorithm>

#include "controlplane/approval/quorum.h"
#include "controlplane/dispatch/new_plan.h"
#include "controlplane/dispatch/plan_runner.h"
#include "controlplane/dispatch/results.h"
#include "controlplane/dispatch/target_names.h"
#include "controlplane/plan/alternatives.h"
#include "controlplane/plan/checks.h"
#include "controlplane/plan/waves.h"
#include "controlplane/plan/way_back.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/text.h"
#include "protocol/signing/persons.h"

namespace observeai::controlplane::dispatch {
namespace {

namespace kinds = audit::kinds;
using approval::PlanEvent;
using approval::TargetEvent;
using P = model::PlanState;

constexpr int kMostTries = 5;
constexpr std::int64_t kAlternativesWindowMs = 24LL * 3'600'000;

std::string user(const std::string& person) {
  return "user:" + person;
}

Error not_in_state(const model::PlanRecord& plan, const char* what) {
  return Error(Errc::kDenied, "plan " + plan.id.value() + " is " +
                                  std::string(approval::to_string(plan.state)) + ": " + what);
}

std::string rollback_sentence(const model::PlanRecord& plan) {
  const auto* manifest = actions::find(plan.action);
  if (plan.tier == 0) return "none: nothing changes";
  if (manifest == nullptr || !manifest->undo) {
    return plan.tier > 1 ? "none: this cannot be undone" : "none: it needs none";
  }
  const auto undo = plan::undo_of(plan.action);
  return plan.roll_back ? "when the host's own check right after it fails, the host " + undo +
                              "; what is found later is told, with the plan that takes it back"
                        : "by hand, in another plan, which is proposed when it does not help; with "
                          "--roll-back the host " +
                              undo + " when its own check right after it fails";
}

// Whose keys the root in force has, without the requester.
std::vector<model::Approver> who_may_approve(const signing::RootMetadata& root,
                                             const std::string& requester) {
  std::map<std::string, std::vector<std::string>> keys;
  for (const auto& one : root.approvers) {
    if (!signing::is_same_person(one.person, requester))
      keys[one.person].push_back(signing::key_id(one.key).value());
  }
  std::vector<model::Approver> out;
  for (auto& [person, ids] : keys) out.push_back({person, std::move(ids)});
  return out;
}

const char* kind_name(actions::Kind kind) {
  switch (kind) {
    case actions::Kind::kInteger:
      return "integer";
    case actions::Kind::kFlag:
      return "flag";
    default:
      return "text";
  }
}

}  // namespace

Result<model::PlanRecord> Desk::find(const TenantId& tenant, const std::string& id) {
  const auto parsed = wire::PlanId::parse(id);
  auto plan = parsed ? world_.plans.find(*parsed) : std::optional<model::PlanRecord>();
  if (!plan) return std::move(plan).error();
  if (!*plan || (*plan)->tenant != tenant)
    return Error(Errc::kNotFound, "no plan " + text::escape_unprintable(id, 80));
  return std::move(**plan);
}

Result<model::PlanView> Desk::create(const model::NewPlan& wanted, const TenantId& tenant,
                                     const std::string& person, bool simulate) {
  const auto now_ms = world_.clock.unix_ms();
  TRY(auto plan, make_plan(wanted, tenant, person, now_ms));
  for (const auto& agent : wanted.agents) {
    TRY(const auto record, world_.agents.find(agent));
    if (!record || record->tenant != tenant)
      return Error(Errc::kNotFound, "no host " + agent.value());
  }
  TRY_VOID(use_hosts_names(world_, wanted.agents, plan));
  const auto targets = make_targets(plan, wanted.agents);
  if (simulate) {
    // The first event of every plan: not worth a change of its own.
    plan.state = *approval::next(plan.state, PlanEvent::kSimulate);
    plan.deadline_ms = now_ms + approval::patience_ms(plan.state);
  }
  std::string what = plan.action;
  for (const auto& [name, value] : plan.parameters)
    what += " " + name + "=" + actions::format_value(value);
  TRY_VOID(world_.plans.insert(
      plan, targets,
      audit_entry(user(person), kinds::kPlanCreate, plan.id.value(), tenant,
                  what + " on " + std::to_string(targets.size()) + " hosts", now_ms)));
  wake_();
  return view(plan);
}

Result<std::vector<model::PlanRecord>> Desk::list(const TenantId& tenant) {
  return world_.plans.list(tenant, 0, model::kMaxListedPlans);
}

Result<model::PlanView> Desk::show(const TenantId& tenant, const std::string& id) {
  TRY(const auto plan, find(tenant, id));
  return view(plan);
}

Result<model::PlanView> Desk::view(const model::PlanRecord& plan) {
  model::PlanView out;
  out.plan = plan;
  TRY(const auto targets, world_.plans.targets(plan.id));
  TRY(const auto commands, world_.commands.of_plan(plan.id));
  for (const auto& target : targets) {
    model::TargetView one;
    one.record = target;
    TRY(const auto agent, world_.agents.find(target.agent));
    if (agent) {
      one.hostname = agent->hostname;
      one.labels = agent->labels;
    }
    if (const auto* asked = newest_command(commands, target.agent, wire::CommandMode::kDryRun)) {
      TRY(one.dry_run, valid_result(world_, asked->id));
    }
    if (const auto* asked = newest_command(commands, target.agent, wire::CommandMode::kExecute)) {
      TRY(one.result, valid_result(world_, asked->id));
    }
    if (one.dry_run) out.downtime_ms = std::max(out.downtime_ms, one.dry_run->downtime_ms);
    if (approval::is_over(plan.state)) {
      if (auto back = plan::way_back(plan, one)) out.ways_back.push_back(std::move(*back));
    }
    out.targets.push_back(std::move(one));
  }
  TRY(out.approvals, world_.plans.approvals(plan.id));
  const auto root = world_.roots.newest();
  auto quorum = approval::count_approvals(out.approvals, plan, root, world_.clock.unix_ms());
  out.may_approve = who_may_approve(root, plan.requester);
  out.approvers_needed = quorum.needed;
  out.approved_by = std::move(quorum.persons);
  out.why_approval = plan::why_approval(plan);
  if (plan.host_approvals > approval::approvers_needed(plan.tier)) {
    out.why_approval.push_back("host-policy/approvals: the policy of a host asks for " +
                               std::to_string(plan.host_approvals) + " approvers");
  }
  if (plan.tier > 0 && !approval::is_person(root, plan.requester)) {
    out.why_approval.push_back("requested by API user " + plan.requester +
                               ", who is no person of the root metadata: make sure that it is "
                               "not who approves");
  }
  out.rollback = rollback_sentence(plan);
  TRY(out.history, world_.plans.history(plan.tenant, plan.action));
  out.waves = plan::wave_count(targets.size(), plan.all_at_once);
  TRY(auto attempts,
      world_.plans.attempts(plan.tenant, world_.clock.unix_ms() - kAlternativesWindowMs));
  std::erase_if(attempts, [&](const auto& one) { return one.plan == plan.id; });
  out.alternatives = plan::alternatives(plan, targets, attempts);
  TRY(out.audit, world_.audit.newest_about(plan.id.value()));
  return out;
}

Result<model::PlanView> Desk::change(const TenantId& tenant, const std::string& id,
                                     const Change& change) {
  for (int i = 0;; ++i) {
    TRY(const auto plan, find(tenant, id));
    TRY(auto targets, world_.plans.targets(plan.id));
    PlanEdit edit(plan, std::move(targets), world_.clock.unix_ms());
    TRY_VOID(change(edit));
    if (approval::is_over(edit.plan().state)) {
      TRY(const auto commands, world_.commands.of_plan(plan.id));
      for (const auto& command : commands) {
        if (command.state == model::CommandState::kOpen)
          edit.close(command.id, model::CommandState::kOver);
      }
    }
    const auto stored = world_.plans.apply(edit.take());
    if (stored) {
      wake_();
      return view(*stored);
    }
    if (stored.error().code() != Errc::kUnavailable || i + 1 == kMostTries) return stored.error();
  }
}

Result<model::PlanView> Desk::simulate(const TenantId& tenant, const std::string& id,
                                       const std::string& person) {
  return change(tenant, id, [&](PlanEdit& edit) -> Result<void> {
    if (!edit.fire(PlanEvent::kSimulate, "", user(person)))
      return not_in_state(edit.plan(), "it cannot be simulated now; make a new plan");
    for (auto& target : edit.targets()) {
      edit.fire(target, TargetEvent::kSimulateAnew, "");
      // Whole rounds of attempts: this simulation has its own (PlanRunner::kMaxAttempts).
      constexpr auto kRound = PlanRunner::kMaxAttempts;
      target.dry_runs = (target.dry_runs + kRound - 1) / kRound * kRound;
      edit.touch(target);
    }
    auto& plan = edit.edit();
    plan.batch_root = {};
    plan.batch_size = 0;
    plan.host_approvals = 0;
    plan.expires_ms = 0;
    plan.checks.clear();
    plan.detail.clear();
    edit.void_approvals();
    return {};
  });
}

Result<void> Desk::take_approval(PlanEdit& edit, const std::string& person,
                                 std::string_view envelope) {
  const auto& plan = edit.plan();
  if (plan.state != P::kSimulated) return not_in_state(plan, "it does not wait for an approval");
  const auto root = world_.roots.newest();
  const auto now_ms = world_.clock.unix_ms();
  TRY(const auto record, approval::check_approval(envelope, plan, root, now_ms));
  const bool is_yes = record.decision == wire::ApprovalDecision::kApprove;
  edit.audit(user(person), is_yes ? kinds::kPlanApprove : kinds::kPlanReject,
             record.person + " with key " + record.key_id +
                 (record.reason.empty() ? "" : ": " + record.reason));
  edit.add(record);
  if (!is_yes) {
    edit.edit().decided_by = record.person;
    edit.fire(PlanEvent::kReject, record.reason, user(person));
    return {};
  }
  TRY(auto approvals, world_.plans.approvals(plan.id));
  std::erase_if(approvals, [&](const auto& one) {
    return signing::is_same_person(one.person, record.person);
  });
  approvals.push_back(record);
  if (approval::count_approvals(approvals, plan, root, now_ms).is_reached())
    edit.fire(PlanEvent::kQuorum, "", user(person));
  return {};
}

Result<model::PlanView> Desk::approve(const TenantId& tenant, const std::string& id,
                                      const std::string& person, std::string_view envelope) {
  return change(tenant, id, [&](PlanEdit& edit) { return take_approval(edit, person, envelope); });
}

Result<model::PlanView> Desk::reject(const TenantId& tenant, const std::string& id,
                                     const std::string& person, const std::string& reason) {
  return change(tenant, id, [&](PlanEdit& edit) -> Result<void> {
    if (!edit.fire(PlanEvent::kReject, reason, user(person)))
      return not_in_state(edit.plan(), "it does not wait for an approval; `cancel` may stop it");
    edit.edit().decided_by = person;
    return {};
  });
}

Result<model::PlanView> Desk::cancel(const TenantId& tenant, const std::string& id,
                                     const std::string& person) {
  return change(tenant, id, [&](PlanEdit& edit) -> Result<void> {
    const std::string why = "cancelled by " + person;
    if (!edit.fire(PlanEvent::kCancel, why, user(person)))
      return not_in_state(edit.plan(), "it is over");
    auto& plan = edit.edit();
    plan.decided_by = person;
    if (approval::is_over(plan.state)) return {};
    plan.is_stopping = true;
    plan.stop_reason = why;
    edit.audit(user(person), kinds::kPlanCancel, "no further hosts");
    return {};
  });
}

Result<std::vector<model::CommandRecord>> Desk::commands(const TenantId& tenant) {
  return world_.commands.list(tenant, 0, model::kMaxListedCommands);
}

Result<model::CommandView> Desk::command(const TenantId& tenant, const std::string& id_hex) {
  wire::Bytes16 id{};
  const auto bytes = text::from_hex(id_hex);
  if (!bytes || bytes->size() != id.size())
    return Error(Errc::kNotFound, "no command " + text::escape_unprintable(id_hex, 80));
  std::copy(bytes->begin(), bytes->end(), id.begin());
  TRY(auto command, world_.commands.find(id));
  if (!command || command->tenant != tenant) return Error(Errc::kNotFound, "no command " + id_hex);
  model::CommandView out;
  out.command = std::move(*command);
  TRY(out.results, world_.commands.results(id));
  return out;
}

Result<model::MaintenanceFreeze> Desk::freeze(const TenantId& tenant) {
  TRY(auto freeze, world_.plans.freeze(tenant));
  if (freeze.until_ms != 0 && freeze.until_ms <= world_.clock.unix_ms()) freeze.active = false;
  return freeze;
}

Result<model::MaintenanceFreeze> Desk::set_freeze(const TenantId& tenant, const std::string& person,
                                                  bool active, const std::string& reason,
                                                  std::int64_t until_ms) {
  model::MaintenanceFreeze freeze;
  freeze.active = active;
  freeze.reason = reason;
  freeze.by = person;
  freeze.since_ms = world_.clock.unix_ms();
  freeze.until_ms = until_ms;
  TRY_VOID(world_.plans.set_freeze(
      tenant, freeze,
      audit_entry(user(person), active ? kinds::kMaintenanceFreeze : kinds::kMaintenanceClear,
                  "freeze", tenant, reason, freeze.since_ms)));
  wake_();
  return freeze;
}

std::vector<model::ActionView> Desk::actions() {
  std::vector<model::ActionView> out;
  for (const auto& manifest : actions::catalogue()) {
    auto& one = out.emplace_back();
    one.name = manifest.name;
    one.version = manifest.version;
    one.tier = manifest.tier;
    one.undo = manifest.undo;
    one.target = manifest.target;
    one.summary = manifest.summary;
    one.manifest_sha256 = text::to_hex(actions::manifest_hash(manifest));
    for (const auto& spec : manifest.parameters) {
      one.parameters.push_back({std::string(spec.name), kind_name(spec.kind), spec.required,
                                spec.min, spec.max, std::string(spec.unit),
                                std::string(spec.help)});
    }
  }
  return out;
}

}  // namespace observeai::controlplane::dispatch
