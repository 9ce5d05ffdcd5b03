// What the interface shows of predictions.
#pragma once

#include "controlplane/model/prediction_desk.h"
#include "controlplane/outlook/outlook.h"

namespace observeai::controlplane::outlook {

class Desk final : public model::PredictionDesk {
 public:
  // `outlook`: null when the configuration says that none runs.
  Desk(World world, Outlook* outlook) : world_(world), outlook_(outlook) {}

  Result<std::vector<model::PredictionRecord>> list(const model::PredictionQuery& query) override;
  Result<model::PredictionView> show(const TenantId& tenant, const std::string& id) override;
  Result<std::vector<model::IncidentRecord>> incidents(const TenantId& tenant) override;
  Result<model::IncidentRecord> incident(const TenantId& tenant, const std::string& id) override;
  Result<model::OutlookView> status(const TenantId& tenant) override;
  Result<model::OutlookView> set_enabled(const TenantId& tenant, const std::string& person,
                                         bool enabled) override;
  Result<std::vector<model::AccuracyView>> accuracy(const TenantId& tenant, const AgentId& agent,
                                                    const std::string& kind) override;

 private:
  World world_;
  Outlook* outlook_;
};

}  // namespace observeai::controlplane::outlook
