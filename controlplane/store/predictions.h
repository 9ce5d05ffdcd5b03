// Predictions, their samples and incidents, and what the forecasters have learned. Internal to
// controlplane/store.
#pragma once

#include "controlplane/model/prediction_repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Inside a transaction of the caller. In outlook_memory.cc.
Result<void> note_seen_event(sql::Database& db, std::uint64_t event);

class PredictionStore final : public model::PredictionRepository {
 public:
  explicit PredictionStore(StateDb& state) : state_(state) {}
  Result<std::vector<model::PredictionRecord>> apply(
      const model::PredictionChange& change) override;
  Result<std::vector<model::PredictionRecord>> open() override;
  Result<std::vector<model::PredictionRecord>> list(const model::PredictionQuery& query) override;
  Result<std::optional<model::PredictionRecord>> find(std::int64_t no) override;
  Result<std::vector<model::PredictionSample>> samples(std::int64_t no) override;
  Result<std::vector<model::IncidentRecord>> incidents(const TenantId& tenant,
                                                       std::size_t limit) override;
  Result<std::optional<model::IncidentRecord>> find_incident(std::int64_t no) override;

  // outlook_memory.cc
  Result<void> save(const std::vector<model::FollowedState>& followed,
                    const std::vector<model::CalibrationState>& calibration) override;
  Result<std::vector<model::FollowedState>> followed() override;
  Result<std::vector<model::CalibrationState>> calibration(const TenantId& tenant) override;
  Result<void> forget(const std::vector<model::ResourceName>& followed) override;
  Result<std::optional<std::uint64_t>> seen_event() override;
  Result<model::PredictionSwitch> prediction_switch(const TenantId& tenant) override;
  Result<void> set_prediction_switch(const TenantId& tenant, const model::PredictionSwitch& wanted,
                                     const model::AuditEntry& audit) override;

  // Closed ones that are older, and the oldest of a tenant beyond model::kMaxClosedPredictions, go with
  // their samples and incidents.
  Result<void> forget_closed(std::int64_t before_ms);

 private:
  StateDb& state_;
};

}  // namespace observeai::controlplane::store
