// A desk with one plan in every detail, for tests of what shows and carries plans. Remembers what it was
// asked.
#pragma once

#include <string>
#include <vector>

#include "controlplane/model/plan_desk.h"

namespace observeai::test {

class FakePlanDesk final : public model::PlanDesk {
 public:
  FakePlanDesk() {
    auto& plan = view.plan;
    plan.id = wire::PlanId::parse("p-1").value();
    plan.tenant = TenantId::parse("default").value();
    plan.action = "docker.restart";
    plan.action_version = 1;
    plan.tier = 1;
    plan.parameters = {{"container", std::string("web")}, {"stop_timeout_s", std::int64_t{10}}};
    plan.state = model::PlanState::kSimulated;
    plan.requester = "carol";
    plan.batch_size = 1;
    plan.checks = {{"downtime", model::Verdict::kWarn, "about 4 s", "no other replica"}};
    auto& target = view.targets.emplace_back();
    target.record.agent = AgentId::parse("web1-aaaaaaaa").value();
    target.record.target = "container/web";
    target.record.state = model::TargetState::kSimulated;
    target.record.intent = "intent";
    target.record.verification = {{"state", model::Verdict::kPass, "running", "it should run"}};
    target.labels = {{"owner", "shop"}};
    wire::CommandResult result;
    result.outcome = wire::ResultOutcome::kDryRun;
    result.diff = {{"container/web: started", "12:00", "now"}};
    result.facts = {{"replicas", "1"}};
    result.steps = {{"inspect", "", 3}};
    target.dry_run = result;
    result.outcome = wire::ResultOutcome::kSucceeded;
    target.result = result;
    model::ApprovalRecord approval;
    approval.person = "ann";
    view.approvals = {approval};
    view.approved_by = {"ann"};
    view.approvers_needed = 1;
    view.may_approve = {{"ann", {"0011223344556677"}}};
    view.alternatives = {{"collect.diagnostics", "only reads"}};
    view.ways_back = {{target.record.agent, "docker.start", {{"container", "web"}}}};
    view.why_approval = {"catalogue/tier-1"};
    view.audit.seq = 1;
    command_view.command.plan = plan.id;
    command_view.command.agent = target.record.agent;
    model::ResultRecord answer;
    answer.envelope = "rubbish";
    command_view.results = {answer};
  }

  Result<model::PlanView> create(const model::NewPlan& wanted, const TenantId&,
                                 const std::string& person, bool) override {
    asked.push_back("create " + wanted.action + " by " + person);
    newest = wanted;
    if (refusal) return *refusal;
    return view;
  }
  Result<std::vector<model::PlanRecord>> list(const TenantId& tenant) override {
    if (tenant != view.plan.tenant) return std::vector<model::PlanRecord>();
    return std::vector<model::PlanRecord>{view.plan};
  }
  Result<model::PlanView> show(const TenantId& tenant, const std::string& id) override {
    return answer("show", tenant, id);
  }
  Result<model::PlanView> simulate(const TenantId& tenant, const std::string& id,
                                   const std::string&) override {
    return answer("simulate", tenant, id);
  }
  Result<model::PlanView> approve(const TenantId& tenant, const std::string& id, const std::string&,
                                  std::string_view envelope) override {
    return answer("approve " + std::string(envelope), tenant, id);
  }
  Result<model::PlanView> reject(const TenantId& tenant, const std::string& id, const std::string&,
                                 const std::string& reason) override {
    return answer("reject " + reason, tenant, id);
  }
  Result<model::PlanView> cancel(const TenantId& tenant, const std::string& id,
                                 const std::string&) override {
    return answer("cancel", tenant, id);
  }
  Result<std::vector<model::CommandRecord>> commands(const TenantId& tenant) override {
    if (tenant != view.plan.tenant) return std::vector<model::CommandRecord>();
    return std::vector<model::CommandRecord>{command_view.command};
  }
  Result<model::CommandView> command(const TenantId& tenant, const std::string& id) override {
    if (tenant != view.plan.tenant || id != std::string(32, '0'))
      return Error(Errc::kNotFound, "no command " + id);
    return command_view;
  }
  Result<model::MaintenanceFreeze> freeze(const TenantId&) override { return held; }
  Result<model::MaintenanceFreeze> set_freeze(const TenantId&, const std::string& person,
                                              bool active, const std::string& reason,
                                              std::int64_t until_ms) override {
    held = {active, reason, person, 1, until_ms};
    return held;
  }
  std::vector<model::ActionView> actions() override {
    model::ActionView action;
    action.name = "docker.restart";
    action.parameters = {{"container", "text", true, 1, 255, "", "name or id"}};
    return {action};
  }

  model::PlanView view;
  model::CommandView command_view;
  model::MaintenanceFreeze held;
  model::NewPlan newest;
  std::optional<Error> refusal;
  std::vector<std::string> asked;

 private:
  Result<model::PlanView> answer(std::string what, const TenantId& tenant, const std::string& id) {
    asked.push_back(std::move(what));
    if (tenant != view.plan.tenant || id != view.plan.id.value())
      return Error(Errc::kNotFound, "no plan " + id);
    if (refusal) return *refusal;
    return view;
  }
};

}  // namespace observeai::test
