// What is written down of a prediction. Pure.
#pragma once

#include <optional>
#include <string>

#include "controlplane/model/predictions.h"
#include "controlplane/outlook/followed.h"
#include "controlplane/outlook/happenings.h"

namespace observeai::controlplane::outlook {

// In absolute times and units. Steps are counted from the reading.
model::StatedForecast stated(const predict::Forecast& forecast, const predict::Reading& reading,
                             std::int64_t step_ms);

// The clock that speaks: the fast one when it alone has an alarm, else the slow one.
bool is_slow(const Followed& followed);
model::StatedForecast stated_now(const Followed& followed, const Clocks& clocks);

struct Named {
  TenantId tenant;
  model::ResourceName resource;
  std::string name;  // Of the target
  std::string hostname;
};

model::PredictionRecord opened(const Named& of, const Followed& followed, const Clocks& clocks);
model::IncidentRecord incident_of(const model::PredictionRecord& prediction,
                                  const std::string& hostname);
// It happened, and nothing had been foretold. `why_unknown`: it could not have been.
model::PredictionRecord missed(const Named& of, const std::string& unit, std::int64_t event_ms,
                               const std::string& text, const std::string& why_unknown);

// "web on db1 runs out of memory"
std::string title_of(const model::ResourceName& resource, const std::string& name,
                     const std::string& hostname);

}  // namespace observeai::controlplane::outlook
