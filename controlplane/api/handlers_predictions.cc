// What is foretold, how good that was, and the incidents that come of it.
#include <array>

#include <boost/json.hpp>

#include "controlplane/api/body.h"
#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/predictions_json.h"
#include "controlplane/api/to_json.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxTimeMs = 253'402'300'800'000;
const std::array<std::string, 8> kStates = {"open", "closed",      "all",       "hit",
                                            "miss", "false_alarm", "prevented", "unknown"};
const std::array<std::string, 10> kKinds = {
    "",     "container_memory", "host_memory", "disk",  "inodes", "file_handles",
    "pids", "connections",      "certificate", "errors"};

Answer<model::PredictionDesk*> desk(Call& call) {
  if (call.world.predictions == nullptr)
    return Problem(503, Errc::kUnavailable, "this control plane foretells nothing");
  return call.world.predictions;
}

Problem problem_of(const Error& error, const char* list) {
  if (error.code() != Errc::kNotFound) return error;
  return {404, Errc::kNotFound, error.message(),
          std::string("`observeai ") + list + " --all` lists what there is"};
}

std::vector<model::PredictionState> states_of(const std::string& state) {
  using State = model::PredictionState;
  if (state == "all") return {};
  std::vector<State> out;
  for (const auto one : {State::kOpen, State::kHit, State::kMiss, State::kFalseAlarm,
                         State::kPrevented, State::kUnknown}) {
    if (name(one) == state || (state == "closed" && one != State::kOpen)) out.push_back(one);
  }
  return out;
}

Answer<AgentId> one_host(Call& call) {
  const auto text = call.params.text("host");
  if (text.empty()) return AgentId();
  TRY(const auto agent, call.directory.host(text));
  return agent.id;
}

}  // namespace

Answer<Reply> get_predictions(Call& call) {
  TRY(auto* predictions, desk(call));
  model::PredictionQuery query;
  query.tenant = call.identity.tenant;
  TRY(query.agent, one_host(call));
  TRY(const auto state, call.params.choice("state", kStates));
  query.states = states_of(state);
  TRY(query.kind, call.params.choice("kind", kKinds));
  TRY(const auto list, predictions->list(query));
  TRY(auto page, Listing::create(call.params));
  // Newest first: keys ascend with age.
  for (const auto& one : list) {
    if (page.wants(list_key(kMaxTimeMs - one.opened_ms, model::prediction_id(one.no))))
      page.add(prediction_json(one, call.directory.hostname(one.resource.agent)));
  }
  return page.reply({{"now_ms", call.now_ms}}, "predictions");
}

Answer<Reply> get_prediction(Call& call) {
  TRY(auto* predictions, desk(call));
  const auto view = predictions->show(call.identity.tenant, call.path_argument);
  if (!view) return problem_of(view.error(), "predictions");
  auto out =
      prediction_detail_json(*view, call.directory.hostname(view->prediction.resource.agent));
  out["now_ms"] = call.now_ms;
  return json_reply(out);
}

Answer<Reply> get_predict(Call& call) {
  TRY(auto* predictions, desk(call));
  TRY(const auto view, predictions->status(call.identity.tenant));
  return json_reply(outlook_json(view));
}

Answer<Reply> post_predict(Call& call) {
  TRY(auto* predictions, desk(call));
  TRY(const auto body, Body::parse(call.request.body, {"enabled"}));
  TRY(const bool enabled, body.boolean_or("enabled", true));
  TRY(const auto view, predictions->set_enabled(call.identity.tenant, call.identity.user, enabled));
  return json_reply(outlook_json(view));
}

Answer<Reply> get_predict_accuracy(Call& call) {
  TRY(auto* predictions, desk(call));
  TRY(const auto agent, one_host(call));
  TRY(const auto kind, call.params.choice("kind", kKinds));
  TRY(const auto rows, predictions->accuracy(call.identity.tenant, agent, kind));
  json::array out;
  for (const auto& one : rows) out.push_back(accuracy_json(one));
  return json_reply({{"accuracy", std::move(out)}});
}

Answer<Reply> get_incidents(Call& call) {
  TRY(auto* predictions, desk(call));
  TRY(const auto list, predictions->incidents(call.identity.tenant));
  TRY(auto page, Listing::create(call.params));
  for (const auto& one : list) {
    if (page.wants(list_key(kMaxTimeMs - one.opened_ms, model::incident_id(one.no)))) {
      page.add(incident_json(one, call.directory.hostname(one.agent),
                             call.directory.name(one.agent, one.target)));
    }
  }
  return page.reply({{"now_ms", call.now_ms}}, "incidents");
}

Answer<Reply> get_incident(Call& call) {
  TRY(auto* predictions, desk(call));
  const auto found = predictions->incident(call.identity.tenant, call.path_argument);
  if (!found) return problem_of(found.error(), "incidents");
  auto out = incident_json(*found, call.directory.hostname(found->agent),
                           call.directory.name(found->agent, found->target));
  out["now_ms"] = call.now_ms;
  return json_reply(out);
}

}  // namespace observeai::controlplane::api
