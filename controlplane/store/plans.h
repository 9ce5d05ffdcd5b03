// Plans, their hosts and approvals. Internal to controlplane/store.
#pragma once

#include "controlplane/model/plan_repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

class PlanStore final : public model::PlanRepository {
 public:
  explicit PlanStore(StateDb& state) : state_(state) {}
  Result<void> insert(const model::PlanRecord& plan,
                      const std::vector<model::PlanTargetRecord>& targets,
                      const model::AuditEntry& audit) override;
  Result<model::PlanRecord> apply(const model::PlanChange& change) override;
  Result<std::optional<model::PlanRecord>> find(const wire::PlanId& id) override;
  Result<std::vector<model::PlanTargetRecord>> targets(const wire::PlanId& id) override;
  Result<std::vector<model::ApprovalRecord>> approvals(const wire::PlanId& id) override;
  Result<std::vector<model::PlanRecord>> list(const TenantId& tenant, std::int64_t before_ms,
                                              std::size_t limit) override;
  Result<std::vector<model::PlanRecord>> unfinished() override;
  Result<model::ActionHistory> history(const TenantId& tenant, const std::string& action) override;
  Result<std::vector<model::Attempt>> attempts(const TenantId& tenant,
                                               std::int64_t since_ms) override;
  Result<model::MaintenanceFreeze> freeze(const TenantId& tenant) override;
  Result<void> set_freeze(const TenantId& tenant, const model::MaintenanceFreeze& freeze,
                          const model::AuditEntry& audit) override;

  // Plans that are over since before then go, with all that belongs to them.
  Result<void> forget(std::int64_t before_ms);

 private:
  StateDb& state_;
};

}  // namespace observeai::controlplane::store
