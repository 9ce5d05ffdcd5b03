#include "controlplane/dispatch/plan_edit.h"

#include <algorithm>

#include "controlplane/dispatch/command_maker.h"
#include "protocol/base/check.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::dispatch {
namespace {

namespace kinds = audit::kinds;
using P = model::PlanState;

// What is said of a plan that gets into this state; approvals and commands have entries of their own.
std::optional<audit::Kind> kind_of(P state) {
  switch (state) {
    case P::kSimulating:
    case P::kSimulated:
      return kinds::kPlanSimulate;
    case P::kDispatching:
      return kinds::kPlanDispatch;
    case P::kRejected:
      return kinds::kPlanReject;
    case P::kExpired:
      return kinds::kPlanExpire;
    case P::kCancelled:
      return kinds::kPlanCancel;
    case P::kSucceeded:
    case P::kFailed:
    case P::kRolledBack:
    case P::kInconclusive:
      return kinds::kPlanResult;
    default:
      return std::nullopt;
  }
}

}  // namespace

PlanEdit::PlanEdit(model::PlanRecord plan, std::vector<model::PlanTargetRecord> targets,
                   std::int64_t now_ms)
    : targets_(std::move(targets)), touched_(targets_.size(), false), now_ms_(now_ms) {
  change_.plan = std::move(plan);
}

model::PlanRecord& PlanEdit::edit() {
  changed_ = true;
  return change_.plan;
}

model::PlanTargetRecord* PlanEdit::target_of(const AgentId& agent) {
  for (auto& target : targets_) {
    if (target.agent == agent) return &target;
  }
  return nullptr;
}

std::size_t PlanEdit::count(model::TargetState state) const {
  return static_cast<std::size_t>(std::count_if(
      targets_.begin(), targets_.end(), [state](const auto& one) { return one.state == state; }));
}

void PlanEdit::touch(const model::PlanTargetRecord& target) {
  const auto place = static_cast<std::size_t>(&target - targets_.data());
  CHECK(place < targets_.size());
  touched_[place] = true;
  changed_ = true;
}

bool PlanEdit::fire(approval::PlanEvent event, const std::string& detail,
                    const std::string& actor) {
  auto& plan = change_.plan;
  const auto to = approval::next(plan.state, event);
  if (!to) return false;
  changed_ = true;
  if (!detail.empty()) plan.detail = detail;
  if (*to == plan.state) return true;
  plan.state = *to;
  plan.since_ms = now_ms_;
  plan.deadline_ms = 0;
  if (!approval::is_over(*to)) {
    plan.deadline_ms = now_ms_ + approval::patience_ms(*to);
    if (*to == model::PlanState::kSimulated) plan.deadline_ms += plan.approval_lifetime_ms;
    if (*to == model::PlanState::kExecuting) plan.deadline_ms = answers_by_ms(plan, now_ms_);
  }
  const std::string word(approval::to_string(*to));
  if (const auto kind = kind_of(*to))
    audit(actor, *kind, detail.empty() ? word : word + ": " + detail);
  if (!approval::is_over(*to)) return true;
  for (auto& target : targets_) fire(target, approval::TargetEvent::kGivenUp, "the plan is over");
  return true;
}

bool PlanEdit::fire(model::PlanTargetRecord& target, approval::TargetEvent event,
                    const std::string& detail) {
  const auto to = approval::next(target.state, event);
  if (!to) return false;
  target.state = *to;
  target.since_ms = now_ms_;
  target.detail = detail;
  touch(target);
  return true;
}

void PlanEdit::await_answers() {
  change_.plan.deadline_ms =
      std::max(change_.plan.deadline_ms, answers_by_ms(change_.plan, now_ms_));
  changed_ = true;
}

void PlanEdit::close(const wire::Bytes16& command, model::CommandState state) {
  change_.closed.emplace_back(command, state);
  changed_ = true;
}

void PlanEdit::checked(const model::ResultRecord& result, bool valid) {
  change_.results.emplace_back(result.no, valid);
  changed_ = true;
}

void PlanEdit::audit(const std::string& actor, audit::Kind kind, const std::string& detail) {
  change_.audit.push_back(
      audit_entry(actor, kind, change_.plan.id.value(), change_.plan.tenant, detail, now_ms_));
  changed_ = true;
}

model::PlanChange PlanEdit::take() {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (touched_[i]) change_.targets.push_back(targets_[i]);
  }
  return std::move(change_);
}

model::AuditEntry audit_entry(const std::string& actor, audit::Kind kind, const std::string& object,
                              const TenantId& tenant, const std::string& detail,
                              std::int64_t now_ms) {
  constexpr std::size_t kMostDetail = 500;
  audit::Detail told{{"tenant", tenant.value()}};
  if (!detail.empty()) told["detail"] = text::escape_unprintable(detail, kMostDetail);
  return audit::entry_of(kind, now_ms, actor, object, told);
}

}  // namespace observeai::controlplane::dispatch
