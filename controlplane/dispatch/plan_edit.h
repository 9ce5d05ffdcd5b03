// One change of one plan: events of the two tables (controlplane/approval) in, a PlanChange out. Internal to
// controlplane/dispatch.
#pragma once

#include <string>
#include <vector>

#include "controlplane/approval/state_machine.h"
#include "controlplane/audit/kinds.h"
#include "controlplane/model/plan_repositories.h"

namespace observeai::controlplane::dispatch {

inline constexpr const char* kSystem = "system";

class PlanEdit {
 public:
  PlanEdit(model::PlanRecord plan, std::vector<model::PlanTargetRecord> targets,
           std::int64_t now_ms);

  const model::PlanRecord& plan() const { return change_.plan; }
  // For what no event decides: checks, root, wave.
  model::PlanRecord& edit();
  std::vector<model::PlanTargetRecord>& targets() { return targets_; }
  const std::vector<model::PlanTargetRecord>& targets() const { return targets_; }
  model::PlanTargetRecord* target_of(const AgentId& agent);
  std::size_t count(model::TargetState state) const;
  void touch(const model::PlanTargetRecord& target);  // It was edited

  // False, and nothing changed: this does not happen in that state.
  bool fire(approval::PlanEvent event, const std::string& detail,
            const std::string& actor = kSystem);
  bool fire(model::PlanTargetRecord& target, approval::TargetEvent event,
            const std::string& detail);
  // Commands were made again: kExecuting waits for these too.
  void await_answers();

  void add(model::CommandRecord command) { change_.commands.push_back(std::move(command)); }
  void add(model::ApprovalRecord approval) { change_.approvals.push_back(std::move(approval)); }
  void void_approvals() { change_.void_approvals = true; }
  void close(const wire::Bytes16& command, model::CommandState state);
  void checked(const model::ResultRecord& result, bool valid);
  void audit(const std::string& actor, audit::Kind kind, const std::string& detail);

  bool is_changed() const { return changed_; }
  model::PlanChange take();

 private:
  model::PlanChange change_;
  std::vector<model::PlanTargetRecord> targets_;
  std::vector<bool> touched_;
  const std::int64_t now_ms_;
  bool changed_ = false;
};

model::AuditEntry audit_entry(const std::string& actor, audit::Kind kind, const std::string& object,
                              const TenantId& tenant, const std::string& detail,
                              std::int64_t now_ms);

}  // namespace observeai::controlplane::dispatch
