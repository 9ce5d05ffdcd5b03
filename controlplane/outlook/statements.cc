#include "controlplane/outlook/statements.h"

#include <cmath>

namespace observeai::controlplane::outlook {
namespace {

constexpr double kHourMs = 3'600'000;
// A forecast beyond a century is no time that anybody writes down.
constexpr double kLongestMs = 3.2e12;

std::string_view word(predict::Shape shape) {
  switch (shape) {
    case predict::Shape::kSteady:
      return "steady";
    case predict::Shape::kLinear:
      return "linear";
    case predict::Shape::kExponential:
      return "exponential";
    case predict::Shape::kStairs:
      return "stairs";
    case predict::Shape::kSawtooth:
      return "sawtooth";
    case predict::Shape::kUnknown:
      break;
  }
  return "unknown";
}

std::int64_t time_of(double left_steps, std::int64_t from_ms, std::int64_t step_ms) {
  const double ms = left_steps * static_cast<double>(step_ms);
  if (!std::isfinite(ms) || ms > kLongestMs) return 0;
  return from_ms + static_cast<std::int64_t>(std::llround(std::max(0.0, ms)));
}

}  // namespace

model::StatedForecast stated(const predict::Forecast& forecast, const predict::Reading& reading,
                             std::int64_t step_ms) {
  model::StatedForecast out;
  out.made_ms = reading.ts_ms;
  out.p = forecast.p_horizon;
  out.early_ms = time_of(forecast.left_p10, reading.ts_ms, step_ms);
  out.likely_ms = time_of(forecast.left_p50, reading.ts_ms, step_ms);
  out.late_ms = time_of(forecast.left_p90, reading.ts_ms, step_ms);
  out.shape = word(forecast.shape);
  out.per_hour = forecast.slope * reading.limit * kHourMs / static_cast<double>(step_ms);
  out.used = reading.used;
  out.limit = reading.limit;
  return out;
}

bool is_slow(const Followed& followed) {
  return followed.slow().alarm || !followed.fast().alarm;
}

model::StatedForecast stated_now(const Followed& followed, const Clocks& clocks) {
  return is_slow(followed) ? stated(followed.slow(), followed.shown(), clocks.slow_ms)
                           : stated(followed.fast(), followed.shown(), clocks.fast_ms);
}

model::PredictionRecord opened(const Named& of, const Followed& followed, const Clocks& clocks) {
  model::PredictionRecord out;
  out.tenant = of.tenant;
  out.resource = of.resource;
  out.name = of.name;
  out.unit = followed.newest().unit;
  out.clock = is_slow(followed) ? "slow" : "fast";
  out.horizon_ms = horizon_of(is_slow(followed) ? clocks.slow_ms : clocks.fast_ms);
  out.opened_ms = out.updated_ms = followed.newest().ts_ms;
  out.first = out.newest = stated_now(followed, clocks);
  return out;
}

model::PredictionRecord missed(const Named& of, const std::string& unit, std::int64_t event_ms,
                               const std::string& text, const std::string& why_unknown) {
  model::PredictionRecord out;
  out.tenant = of.tenant;
  out.resource = of.resource;
  out.name = of.name;
  out.unit = unit;
  out.state =
      why_unknown.empty() ? model::PredictionState::kMiss : model::PredictionState::kUnknown;
  out.opened_ms = out.updated_ms = out.closed_ms = out.event_ms = event_ms;
  out.reason = why_unknown.empty() ? text : text + "; " + why_unknown;
  return out;
}

std::string title_of(const model::ResourceName& resource, const std::string& name,
                     const std::string& hostname) {
  using predict::Kind;
  const auto kind = predict::kind_of(resource.kind).value_or(Kind::kContainerMemory);
  const std::string who =
      resource.target == wire::kHostTarget ? hostname : name + " on " + hostname;
  switch (kind) {
    case Kind::kContainerMemory:
    case Kind::kHostMemory:
      return who + " runs out of memory";
    case Kind::kDiskBytes:
      return resource.instance + " on " + hostname + " fills up";
    case Kind::kDiskInodes:
      return resource.instance + " on " + hostname + " runs out of inodes";
    case Kind::kFileHandles:
      return who + " runs out of file handles";
    case Kind::kPids:
      return who + " runs out of processes";
    case Kind::kConnections:
      return who + " runs out of connections";
    case Kind::kCertificate:
      return "the certificate " + resource.instance + " on " + hostname + " expires";
    case Kind::kErrors:
      break;
  }
  return who + " fails more and more, and will end";
}

model::IncidentRecord incident_of(const model::PredictionRecord& prediction,
                                  const std::string& hostname) {
  model::IncidentRecord out;
  out.tenant = prediction.tenant;
  out.kind = "prediction";
  out.agent = prediction.resource.agent;
  out.target = prediction.resource.target;
  out.title = title_of(prediction.resource, prediction.name, hostname);
  out.opened_ms = prediction.opened_ms;
  out.suggestions = prediction.suggestions;
  return out;
}

}  // namespace observeai::controlplane::outlook
