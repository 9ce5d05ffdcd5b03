// What the outlook needs of the rest of the control plane.
#pragma once

#include "controlplane/model/plan_repositories.h"
#include "controlplane/model/prediction_repositories.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"

namespace observeai::controlplane::outlook {

// References that outlive what they are given to.
struct World {
  const Clock& clock;
  model::AgentRegistry& agents;
  model::TelemetryReader& telemetry;
  model::AlertRepository& alerts;
  model::PlanRepository& plans;
  model::PredictionRepository& predictions;
};

}  // namespace observeai::controlplane::outlook
