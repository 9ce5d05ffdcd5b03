// Plans as people handle them: model::PlanDesk on the store and the catalogue. What takes time is the
// dispatcher's, which is woken.
#pragma once

#include <functional>

#include "controlplane/dispatch/plan_edit.h"
#include "controlplane/dispatch/ports.h"
#include "controlplane/model/plan_desk.h"

namespace observeai::controlplane::dispatch {

// Thread-safe.
class Desk final : public model::PlanDesk {
 public:
  Desk(World world, std::function<void()> wake)
      : world_(std::move(world)), wake_(std::move(wake)) {}

  Result<model::PlanView> create(const model::NewPlan& wanted, const TenantId& tenant,
                                 const std::string& person, bool simulate) override;
  Result<std::vector<model::PlanRecord>> list(const TenantId& tenant) override;
  Result<model::PlanView> show(const TenantId& tenant, const std::string& id) override;
  Result<model::PlanView> simulate(const TenantId& tenant, const std::string& id,
                                   const std::string& person) override;
  Result<model::PlanView> approve(const TenantId& tenant, const std::string& id,
                                  const std::string& person, std::string_view envelope) override;
  Result<model::PlanView> reject(const TenantId& tenant, const std::string& id,
                                 const std::string& person, const std::string& reason) override;
  Result<model::PlanView> cancel(const TenantId& tenant, const std::string& id,
                                 const std::string& person) override;
  Result<std::vector<model::CommandRecord>> commands(const TenantId& tenant) override;
  Result<model::CommandView> command(const TenantId& tenant, const std::string& id_hex) override;
  Result<model::MaintenanceFreeze> freeze(const TenantId& tenant) override;
  Result<model::MaintenanceFreeze> set_freeze(const TenantId& tenant, const std::string& person,
                                              bool active, const std::string& reason,
                                              std::int64_t until_ms) override;
  std::vector<model::ActionView> actions() override;

 private:
  using Change = std::function<Result<void>(PlanEdit&)>;
  Result<model::PlanRecord> find(const TenantId& tenant, const std::string& id);
  // Again when the dispatcher was faster.
  Result<model::PlanView> change(const TenantId& tenant, const std::string& id,
                                 const Change& change);
  Result<model::PlanView> view(const model::PlanRecord& plan);
  Result<void> take_approval(PlanEdit& edit, const std::string& person, std::string_view envelope);

  World world_;
  const std::function<void()> wake_;
};

}  // namespace observeai::controlplane::dispatch
