// What was foretold and what became of it (docs/adr/0014). Plain values; the rules: controlplane/predict.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/wire/signals.h"

namespace observeai::model {

// Stored as numbers: append only.
enum class PredictionState : std::uint8_t {
  kOpen = 1,
  kHit = 2,
  kMiss = 3,  // The event was seen, and nothing had been foretold
  kFalseAlarm = 4,
  kPrevented = 5,
  kUnknown = 6,
};

// As people and scripts see it.
inline std::string_view name(PredictionState state) {
  switch (state) {
    case PredictionState::kOpen:
      return "open";
    case PredictionState::kHit:
      return "hit";
    case PredictionState::kMiss:
      return "miss";
    case PredictionState::kFalseAlarm:
      return "false_alarm";
    case PredictionState::kPrevented:
      return "prevented";
    case PredictionState::kUnknown:
      break;
  }
  return "unknown";
}

// What one resource is followed under: a container's memory, one mount of a host.
struct ResourceName {
  AgentId agent;
  std::string kind;  // predict::name(Kind)
  wire::Target target;
  std::string instance;  // Mount point, device, path; "" where a target has one of the kind
  auto operator<=>(const ResourceName&) const = default;
};

// A forecast in absolute terms, as it was made.
struct StatedForecast {
  std::int64_t made_ms = 0;    // Of the newest reading that it knew; 0: there is none
  double p = 0;                // That the limit is reached within the clock's horizon
  std::int64_t early_ms = 0;   // 10 % quantile of when the limit is reached; 0: not in sight
  std::int64_t likely_ms = 0;  // 50 %
  std::int64_t late_ms = 0;    // 90 %
  std::string shape;           // "linear", "exponential", "stairs", "sawtooth", "steady", "unknown"
  double per_hour = 0;         // Growth, in the resource's unit
  double used = 0;             // In the resource's unit
  double limit = 0;
  bool operator==(const StatedForecast&) const = default;
};

// What would help, from the catalogue of actions.
struct SuggestedAction {
  std::string action;
  std::map<std::string, std::string> parameters;  // As people write them
  std::string why;
  bool operator==(const SuggestedAction&) const = default;
};

struct PredictionRecord {
  std::int64_t no = 0;  // Given by the store; people see "pr-<no>"
  TenantId tenant;
  ResourceName resource;
  std::string name;   // What people call the target, when it was opened
  std::string unit;   // Of used and limit: "bytes", "inodes", "handles" ...
  std::string clock;  // "slow", "fast"; "" of a miss
  std::int64_t horizon_ms = 0;
  PredictionState state = PredictionState::kOpen;
  std::int64_t opened_ms = 0;  // First alarm; of a miss: the event
  std::int64_t updated_ms = 0;
  std::int64_t closed_ms = 0;  // 0 exactly while it is open
  StatedForecast first;
  StatedForecast newest;
  // Of "prevented": the last one before the action: when the limit would have been reached.
  StatedForecast before_action;
  std::int64_t acted_ms = 0;
  std::string acted;          // "plan p-1: docker.restart", "the limit was raised"
  std::int64_t event_ms = 0;  // 0: none was seen
  std::string reason;         // Why it was closed: for people
  std::int64_t incident = 0;  // Number of its incident; 0: none
  std::vector<SuggestedAction> suggestions;
  bool operator==(const PredictionRecord&) const = default;
};

// 0 when there was no event after the alarm.
inline std::int64_t lead_ms(const PredictionRecord& prediction) {
  return prediction.state == PredictionState::kHit ? prediction.event_ms - prediction.opened_ms : 0;
}

struct PredictionSample {
  std::int64_t ts_ms = 0;
  double used = 0;
  double limit = 0;
  bool operator==(const PredictionSample&) const = default;
};

// What a person should look at. Of the kind "prediction" there is one for each prediction.
struct IncidentRecord {
  std::int64_t no = 0;  // Given by the store; people see "in-<no>"
  TenantId tenant;
  std::string kind;  // "prediction"
  AgentId agent;
  wire::Target target;
  std::string title;
  std::int64_t opened_ms = 0;
  std::int64_t closed_ms = 0;   // 0 exactly while it is open
  std::string outcome;          // How it ended: "" while it is open
  std::int64_t prediction = 0;  // Number of its prediction
  std::vector<SuggestedAction> suggestions;
  bool operator==(const IncidentRecord&) const = default;
};

// What a followed resource's forecasters have learned: opaque, small (outlook/followed.h).
struct FollowedState {
  ResourceName resource;
  std::int64_t saved_ms = 0;
  std::string bytes;
};

// Running sums of probabilities stated and of what came true, for one kind on one host: opaque
// (predict/accuracy.h).
struct CalibrationState {
  AgentId agent;
  std::string kind;
  std::string bytes;
};

// Whether a tenant wants predictions.
struct PredictionSwitch {
  bool enabled = true;
  std::string by;  // A person; "" = nobody ever changed it
  std::int64_t since_ms = 0;
};

}  // namespace observeai::model
