#include "controlplane/api/predictions_json.h"

#include <algorithm>
#include <cmath>

#include <boost/json.hpp>

#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

template <class T>
json::value known(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}
// 0: not in sight, never.
json::value time_json(std::int64_t ms) {
  return ms == 0 ? json::value(nullptr) : json::value(ms);
}
// JSON has no infinity.
double finite(double value) {
  return std::isfinite(value) ? value : 0;
}

json::value forecast_json(const model::StatedForecast& forecast) {
  if (forecast.made_ms == 0) return nullptr;
  return json::object{{"made_ms", forecast.made_ms},
                      {"p", finite(forecast.p)},
                      {"early_ms", time_json(forecast.early_ms)},
                      {"likely_ms", time_json(forecast.likely_ms)},
                      {"late_ms", time_json(forecast.late_ms)},
                      {"shape", forecast.shape},
                      {"per_hour", finite(forecast.per_hour)},
                      {"used", finite(forecast.used)},
                      {"limit", finite(forecast.limit)}};
}

// What a person can paste into a terminal.
std::string command_line(const model::SuggestedAction& action, const std::string& hostname,
                         std::int64_t incident) {
  std::string out =
      "observeai plan create " + shell_word(action.action) + " --host " + shell_word(hostname);
  for (const auto& [name, value] : action.parameters)
    out += " --set " + shell_word(name + "=" + value);
  if (incident != 0) out += " --incident " + model::incident_id(incident);
  return out;
}

json::array actions_json(const std::vector<model::SuggestedAction>& actions,
                         const std::string& hostname, std::int64_t incident) {
  json::array out;
  for (const auto& one : actions) {
    json::object parameters;
    for (const auto& [name, value] : one.parameters)
      parameters[name] = text::replace_invalid_utf8(value);
    out.push_back(json::object{
        {"action", one.action},
        {"parameters", std::move(parameters)},
        {"why", one.why},
        {"command_line", text::replace_invalid_utf8(command_line(one, hostname, incident))}});
  }
  return out;
}

}  // namespace

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:@,+";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

json::object prediction_json(const model::PredictionRecord& prediction,
                             const std::string& hostname) {
  const auto& of = prediction.resource;
  const bool is_hit = prediction.state == model::PredictionState::kHit;
  const bool has_error = is_hit && prediction.first.likely_ms != 0;
  return {{"id", model::prediction_id(prediction.no)},
          {"agent_id", of.agent.value()},
          {"hostname", hostname},
          {"kind", of.kind},
          {"target", text::replace_invalid_utf8(of.target)},
          {"name", text::replace_invalid_utf8(prediction.name)},
          {"instance", text::replace_invalid_utf8(of.instance)},
          {"unit", prediction.unit},
          {"clock", prediction.clock},
          {"horizon_ms", prediction.horizon_ms},
          {"state", std::string(name(prediction.state))},
          {"opened_ms", prediction.opened_ms},
          {"updated_ms", prediction.updated_ms},
          {"closed_ms", prediction.closed_ms},
          {"first", forecast_json(prediction.first)},
          {"newest", forecast_json(prediction.newest)},
          {"before_action", prediction.acted.empty() ? json::value(nullptr)
                                                     : forecast_json(prediction.before_action)},
          {"acted_ms", prediction.acted.empty() ? 0 : prediction.acted_ms},
          {"acted", prediction.acted},
          {"event_ms", prediction.event_ms},
          {"lead_ms", is_hit ? json::value(lead_ms(prediction)) : json::value(nullptr)},
          {"error_ms", has_error ? json::value(prediction.first.likely_ms - prediction.event_ms)
                                 : json::value(nullptr)},
          {"reason", text::replace_invalid_utf8(prediction.reason)},
          {"incident", prediction.incident == 0 ? "" : model::incident_id(prediction.incident)},
          {"actions", actions_json(prediction.suggestions, hostname, prediction.incident)}};
}

json::object prediction_detail_json(const model::PredictionView& view,
                                    const std::string& hostname) {
  json::array samples;
  for (const auto& one : view.samples) {
    samples.push_back(json::object{
        {"ts_ms", one.ts_ms}, {"used", finite(one.used)}, {"limit", finite(one.limit)}});
  }
  return {{"prediction", prediction_json(view.prediction, hostname)},
          {"samples", std::move(samples)}};
}

json::object incident_json(const model::IncidentRecord& incident, const std::string& hostname,
                           const std::string& name) {
  return {{"id", model::incident_id(incident.no)},
          {"kind", incident.kind},
          {"agent_id", incident.agent.value()},
          {"hostname", hostname},
          {"target", text::replace_invalid_utf8(incident.target)},
          {"name", text::replace_invalid_utf8(name)},
          {"title", text::replace_invalid_utf8(incident.title)},
          {"state", incident.closed_ms == 0 ? "open" : "closed"},
          {"opened_ms", incident.opened_ms},
          {"closed_ms", incident.closed_ms},
          {"outcome", incident.outcome},
          {"prediction", model::prediction_id(incident.prediction)},
          {"actions", actions_json(incident.suggestions, hostname, incident.no)}};
}

json::object outlook_json(const model::OutlookView& view) {
  json::object followed;
  for (const auto& [kind, count] : view.followed) followed[kind] = count;
  json::object counters;
  for (const auto& [name, count] : view.counters) counters[name] = count;
  json::array cold;
  for (const auto& one : view.cold) {
    cold.push_back(json::object{{"agent_id", one.resource.agent.value()},
                                {"kind", one.resource.kind},
                                {"target", text::replace_invalid_utf8(one.resource.target)},
                                {"instance", text::replace_invalid_utf8(one.resource.instance)},
                                {"missing_steps", one.missing_steps},
                                {"missing_ms", one.missing_ms}});
  }
  return {{"running", view.is_running},     {"enabled", view.wanted.enabled},
          {"by", view.wanted.by},           {"since_ms", view.wanted.since_ms},
          {"step_ms", view.step_ms},        {"fast_step_ms", view.fast_step_ms},
          {"open", view.open_count},        {"followed", std::move(followed)},
          {"cold", std::move(cold)},        {"cold_count", view.cold_count},
          {"counters", std::move(counters)}};
}

json::object accuracy_json(const model::AccuracyView& view) {
  json::array bins;
  for (const auto& bin : view.bins) {
    bins.push_back(json::object{
        {"stated", bin.stated}, {"happened", bin.happened}, {"mean_p", known(bin.mean_p)}});
  }
  return {{"kind", view.kind},
          {"hits", view.hits},
          {"misses", view.misses},
          {"false_alarms", view.false_alarms},
          {"prevented", view.prevented},
          {"unknown", view.unknown},
          {"precision", known(view.precision)},
          {"recall", known(view.recall)},
          {"useful_recall", known(view.useful_recall)},
          {"lead_median_ms", known(view.lead_median_ms)},
          {"lead_p10_ms", known(view.lead_p10_ms)},
          {"error_median_ms", known(view.error_median_ms)},
          {"brier", known(view.brier)},
          {"skill", known(view.skill)},
          {"stated", view.stated},
          {"bins", std::move(bins)}};
}

}  // namespace observeai::controlplane::api
