// Remediation: plans, approvals, commands, the catalogue, the maintenance freeze. What a host may be told to
// do is decided by hosts and approvers; nothing here signs.
#include <boost/json.hpp>

#include "controlplane/api/body.h"
#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/plans_json.h"
#include "controlplane/api/to_json.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxHosts = 1'000;  // A body has 64 KiB
constexpr std::size_t kMaxHostBytes = 253;
constexpr std::size_t kMaxActionBytes = 128;
constexpr std::size_t kMaxNumberBytes = 40;
constexpr std::size_t kMaxMetricBytes = 256;
constexpr std::size_t kMaxRejectBytes = 500;
constexpr std::size_t kMaxEnvelopeText = 16'384;
constexpr std::int64_t kMaxTimeMs = 253'402'300'800'000;
constexpr std::int64_t kMaxApprovalLifetimeMs = 24 * kHourMs;

Answer<model::PlanDesk*> desk(Call& call) {
  if (call.world.plans == nullptr)
    return Problem(503, Errc::kUnavailable, "this control plane sends no commands");
  return call.world.plans;
}

// kDenied of the desk is about the plan, not about the caller's role.
Problem problem_of(const Error& error) {
  Problem problem(error);
  if (error.code() == Errc::kDenied) {
    problem = Problem(409, Errc::kDenied, error.message(), "`observeai plan show` says how it is");
  } else if (error.code() == Errc::kNotFound) {
    problem = Problem(404, Errc::kNotFound, error.message(),
                      "`observeai plan list` and `observeai hosts` list what there is");
  } else if (error.code() == Errc::kInvalid) {
    problem = Problem(400, Errc::kInvalid, error.message(),
                      "`observeai plan actions` shows every action with its parameters");
  }
  return problem;
}

Answer<Reply> card(Call& call, const Result<model::PlanView>& view, int status = 200) {
  if (!view) return problem_of(view.error());
  json::object out = card_json(*view);
  out["now_ms"] = call.now_ms;
  return json_reply(out, status);
}

Answer<double> number_of(const Body& body, const char* name) {
  TRY(const auto written, body.text_or(name, kMaxNumberBytes, "0"));
  const auto number = text::parse_double(written);
  if (!number) return bad_parameter(name, "must be a number");
  return *number;
}

Answer<model::NewPlan> new_plan(Call& call, const Body& body) {
  model::NewPlan plan;
  TRY(plan.action, body.text("action", 1, kMaxActionBytes));
  TRY(const auto hosts, body.texts("hosts", kMaxHosts, kMaxHostBytes));
  if (hosts.empty()) return bad_parameter("hosts", "must name one host at least");
  for (const auto& host : hosts) {
    TRY(const auto agent, call.directory.host(host));
    plan.agents.push_back(agent.id);
  }
  TRY(plan.parameters, body.text_map("parameters", wire::kMaxParameters, wire::kMaxParameterBytes));
  TRY(plan.reason, body.text_or("reason", wire::kMaxReasonBytes, ""));
  TRY(plan.incident, body.text_or("incident", kMaxIdLength, ""));
  TRY(plan.accept_downtime, body.boolean_or("accept_downtime", false));
  TRY(plan.accept_blast_radius, body.boolean_or("accept_blast_radius", false));
  TRY(plan.roll_back, body.boolean_or("roll_back", false));
  TRY(plan.all_at_once, body.boolean_or("all_at_once", false));
  TRY(plan.timeout_ms, body.integer_or("timeout_ms", wire::kMinTimeoutMs, wire::kMaxTimeoutMs, 0));
  TRY(plan.approval_lifetime_ms,
      body.integer_or("approval_lifetime_ms", 60'000, kMaxApprovalLifetimeMs, 0));
  TRY(plan.symptom.metric, body.text_or("symptom_metric", kMaxMetricBytes, ""));
  TRY(plan.symptom.low, number_of(body, "symptom_low"));
  TRY(plan.symptom.high, number_of(body, "symptom_high"));
  return plan;
}

}  // namespace

Answer<Reply> post_plan(Call& call) {
  TRY(auto* plans, desk(call));
  TRY(const auto body, Body::parse(call.request.body,
                                   {"action", "hosts", "parameters", "reason", "incident",
                                    "accept_downtime", "accept_blast_radius", "roll_back",
                                    "all_at_once", "timeout_ms", "approval_lifetime_ms",
                                    "symptom_metric", "symptom_low", "symptom_high", "simulate"}));
  TRY(const auto wanted, new_plan(call, body));
  TRY(const bool simulate, body.boolean_or("simulate", true));
  return card(call, plans->create(wanted, call.identity.tenant, call.identity.user, simulate), 201);
}

Answer<Reply> get_plans(Call& call) {
  TRY(auto* plans, desk(call));
  TRY(const auto list, plans->list(call.identity.tenant));
  TRY(auto page, Listing::create(call.params));
  // Newest first: keys ascend with age.
  for (const auto& plan : list) {
    if (page.wants(list_key(kMaxTimeMs - plan.created_ms, plan.id.value())))
      page.add(plan_json(plan));
  }
  return page.reply({{"now_ms", call.now_ms}}, "plans");
}

Answer<Reply> get_plan(Call& call) {
  TRY(auto* plans, desk(call));
  return card(call, plans->show(call.identity.tenant, call.path_argument));
}

Answer<Reply> post_plan_simulate(Call& call) {
  TRY(auto* plans, desk(call));
  TRY_VOID(Body::parse(call.request.body, {}));
  return card(call, plans->simulate(call.identity.tenant, call.path_argument, call.identity.user));
}

Answer<Reply> post_plan_approval(Call& call) {
  TRY(auto* plans, desk(call));
  TRY(const auto body, Body::parse(call.request.body, {"envelope"}));
  TRY(const auto written, body.text("envelope", 1, kMaxEnvelopeText));
  const auto envelope = text::from_base64url(written);
  if (!envelope) return bad_parameter("envelope", "must be base64url without padding");
  return card(call, plans->approve(call.identity.tenant, call.path_argument, call.identity.user,
                                   text::as_text(*envelope)));
}

Answer<Reply> post_plan_reject(Call& call) {
  TRY(auto* plans, desk(call));
  TRY(const auto body, Body::parse(call.request.body, {"reason"}));
  TRY(const auto reason, body.text("reason", 1, kMaxRejectBytes));
  return card(call,
              plans->reject(call.identity.tenant, call.path_argument, call.identity.user, reason));
}

Answer<Reply> post_plan_cancel(Call& call) {
  TRY(auto* plans, desk(call));
  TRY_VOID(Body::parse(call.request.body, {}));
  return card(call, plans->cancel(call.identity.tenant, call.path_argument, call.identity.user));
}

Answer<Reply> get_commands(Call& call) {
  TRY(auto* plans, desk(call));
  TRY(const auto list, plans->commands(call.identity.tenant));
  TRY(auto page, Listing::create(call.params));
  for (const auto& command : list) {
    const auto key = list_key(kMaxTimeMs - command.issued_ms, text::to_hex(command.id));
    if (page.wants(key)) page.add(command_json(command));
  }
  return page.reply({{"now_ms", call.now_ms}}, "commands");
}

Answer<Reply> get_command(Call& call) {
  TRY(auto* plans, desk(call));
  const auto view = plans->command(call.identity.tenant, call.path_argument);
  if (!view) return problem_of(view.error());
  return json_reply(command_detail_json(*view));
}

Answer<Reply> get_actions(Call& call) {
  TRY(auto* plans, desk(call));
  json::array out;
  for (const auto& action : plans->actions()) out.push_back(action_json(action));
  return json_reply({{"actions", std::move(out)}});
}

Answer<Reply> get_maintenance(Call& call) {
  TRY(auto* plans, desk(call));
  TRY(const auto freeze, plans->freeze(call.identity.tenant));
  return json_reply(freeze_json(freeze));
}

Answer<Reply> post_maintenance(Call& call) {
  TRY(auto* plans, desk(call));
  TRY(const auto body, Body::parse(call.request.body, {"active", "reason", "until_ms"}));
  TRY(const bool active, body.boolean_or("active", true));
  // Holding everybody's plans back needs a reason; letting them go on does not.
  TRY(const auto reason, active ? body.text("reason", 1, wire::kMaxReasonBytes)
                                : body.text_or("reason", wire::kMaxReasonBytes, ""));
  TRY(const auto until_ms, body.integer_or("until_ms", 0, kMaxTimeMs, 0));
  if (active && until_ms != 0 && until_ms <= call.now_ms)
    return bad_parameter("until_ms", "must lie in the future: it is compared with this clock");
  const auto freeze =
      plans->set_freeze(call.identity.tenant, call.identity.user, active, reason, until_ms);
  if (!freeze) return problem_of(freeze.error());
  return json_reply(freeze_json(*freeze));
}

}  // namespace observeai::controlplane::api
