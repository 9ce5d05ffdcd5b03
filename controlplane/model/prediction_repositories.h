// What prediction needs of the store. Thread-safe; blocks briefly; kUnavailable when the store cannot be
// reached.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/predictions.h"
#include "controlplane/model/records.h"
#include "protocol/base/result.h"

namespace observeai::model {

// Of one prediction: at one a minute a day. Beyond it every second one goes, so that what is left covers
// its whole life.
inline constexpr std::size_t kMaxSamplesOfPrediction = 1'440;
// Closed ones of a tenant; the oldest go first. A hundred hosts with three a day each keep a month.
inline constexpr std::size_t kMaxClosedPredictions = 10'000;
// How long closed ones are kept at most, with their samples and incidents.
inline constexpr std::int64_t kKeepPredictionsMs = 90LL * 86'400'000;
// Of one list.
inline constexpr std::size_t kMaxListedPredictions = 10'000;
// Bytes of FollowedState, CalibrationState each.
inline constexpr std::size_t kMaxOutlookStateBytes = 4'096;

struct PredictionStep {
  PredictionRecord prediction;  // no = 0: a new one
  // Of a new one, numbered and named in it. How an incident ends follows its prediction.
  std::optional<IncidentRecord> incident;
  std::vector<PredictionSample> samples;  // Added to those that it has
};

// All of it or nothing, durable on return.
struct PredictionChange {
  std::vector<PredictionStep> steps;
  std::optional<std::uint64_t> seen_event;  // The newest event that was looked at
};

struct PredictionQuery {
  TenantId tenant;
  AgentId agent;                        // Empty = all
  std::string kind;                     // "" = all
  std::vector<PredictionState> states;  // Empty = all
  std::size_t limit = kMaxListedPredictions;
};

class PredictionRepository {
 public:
  virtual ~PredictionRepository() = default;
  // Returns the predictions of the steps as stored. A new one that is no hit, of an event of
  // the resource that another one tells of, is left out: its number is 0.
  virtual Result<std::vector<PredictionRecord>> apply(const PredictionChange& change) = 0;
  virtual Result<std::vector<PredictionRecord>> open() = 0;  // Of every tenant, oldest first
  // Newest first (by when they were opened).
  virtual Result<std::vector<PredictionRecord>> list(const PredictionQuery& query) = 0;
  virtual Result<std::optional<PredictionRecord>> find(std::int64_t no) = 0;
  virtual Result<std::vector<PredictionSample>> samples(std::int64_t no) = 0;  // Ascending

  virtual Result<std::vector<IncidentRecord>> incidents(const TenantId& tenant,
                                                        std::size_t limit) = 0;  // Newest first
  virtual Result<std::optional<IncidentRecord>> find_incident(std::int64_t no) = 0;

  // kLimit: one has more than kMaxOutlookStateBytes; nothing is stored.
  virtual Result<void> save(const std::vector<FollowedState>& followed,
                            const std::vector<CalibrationState>& calibration) = 0;
  virtual Result<std::vector<FollowedState>> followed() = 0;
  virtual Result<std::vector<CalibrationState>> calibration(const TenantId& tenant) = 0;  // "": all
  virtual Result<void> forget(const std::vector<ResourceName>& followed) = 0;
  virtual Result<std::optional<std::uint64_t>> seen_event() = 0;

  virtual Result<PredictionSwitch> prediction_switch(const TenantId& tenant) = 0;
  virtual Result<void> set_prediction_switch(const TenantId& tenant, const PredictionSwitch& wanted,
                                             const AuditEntry& audit) = 0;
};

}  // namespace observeai::model
