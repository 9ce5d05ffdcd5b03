#include "controlplane/api/plans_json.h"

#include <boost/json.hpp>

#include "controlplane/approval/state_machine.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

std::string value_text(const wire::ParameterValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  return std::get<bool>(value) ? "true" : "false";
}

std::string base64(std::string_view bytes) {
  return text::to_base64url(text::as_bytes(bytes));
}

const char* mode_name(wire::CommandMode mode) {
  return mode == wire::CommandMode::kDryRun ? "dry_run" : "execute";
}

const char* state_name(model::CommandState state) {
  switch (state) {
    case model::CommandState::kOpen:
      return "open";
    case model::CommandState::kAnswered:
      return "answered";
    default:
      return "over";
  }
}

json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const auto& one : list) out.emplace_back(one);
  return out;
}

json::array diff_json(const std::vector<wire::Change>& diff) {
  json::array out;
  for (const auto& change : diff) {
    out.push_back(
        json::object{{"what", change.what}, {"before", change.before}, {"after", change.after}});
  }
  return out;
}

json::object result_json(const wire::CommandResult& result) {
  json::array steps;
  for (const auto& step : result.steps) {
    steps.push_back(json::object{
        {"name", step.name}, {"detail", step.detail}, {"duration_ms", step.duration_ms}});
  }
  return {{"outcome", wire::to_string(result.outcome)},
          {"reason", result.reason},
          {"message", result.message},
          {"target", result.target},
          {"diff", diff_json(result.diff)},
          {"steps", std::move(steps)},
          {"output", result.output},
          {"output_truncated", result.output_truncated},
          {"downtime_ms", result.downtime_ms},
          {"started_ms", result.started_ms},
          {"finished_ms", result.finished_ms}};
}

json::array checks_json(const std::vector<model::CheckFinding>& checks) {
  json::array out;
  for (const auto& check : checks) {
    out.push_back(json::object{{"name", check.name},
                               {"verdict", approval::to_string(check.verdict)},
                               {"value", check.value},
                               {"sentence", check.sentence}});
  }
  return out;
}

json::object labels_json(const std::map<std::string, std::string>& labels) {
  json::object out;
  for (const auto& [name, value] : labels) out[name] = value;
  return out;
}

json::array approvers_json(const std::vector<model::Approver>& approvers) {
  json::array out;
  for (const auto& one : approvers)
    out.push_back(json::object{{"person", one.person}, {"key_ids", texts(one.key_ids)}});
  return out;
}

json::array alternatives_json(const std::vector<model::Alternative>& alternatives) {
  json::array out;
  for (const auto& one : alternatives)
    out.push_back(json::object{{"action", one.action}, {"why_not", one.why_not}});
  return out;
}

json::array ways_back_json(const std::vector<model::WayBack>& ways) {
  json::array out;
  for (const auto& one : ways) {
    out.push_back(json::object{{"agent_id", one.agent.value()},
                               {"action", one.action},
                               {"parameters", labels_json(one.parameters)}});
  }
  return out;
}

json::object target_json(const model::TargetView& view) {
  json::object facts;
  if (view.dry_run) {
    for (const auto& fact : view.dry_run->facts) facts[fact.name] = fact.value;
  }
  json::object out{
      {"agent_id", view.record.agent.value()},
      {"hostname", view.hostname},
      {"target", view.record.target},
      {"state", approval::to_string(view.record.state)},
      {"detail", view.record.detail},
      {"wave", view.record.wave},
      {"diff", view.dry_run ? diff_json(view.dry_run->diff) : json::array()},
      {"facts", std::move(facts)},
      {"labels", labels_json(view.labels)},
      {"verification", checks_json(view.record.verification)},
      {"intent", base64(view.record.intent)},
      {"result", nullptr},
  };
  if (view.result) out["result"] = result_json(*view.result);
  return out;
}

json::array approvals_json(const std::vector<model::ApprovalRecord>& approvals) {
  json::array out;
  for (const auto& one : approvals) {
    const bool is_yes = one.decision == wire::ApprovalDecision::kApprove;
    out.push_back(json::object{{"person", one.person},
                               {"key_id", one.key_id},
                               {"decision", is_yes ? "approve" : "reject"},
                               {"reason", one.reason},
                               {"received_ms", one.received_ms},
                               {"expires_ms", one.expires_ms}});
  }
  return out;
}

}  // namespace

json::object plan_json(const model::PlanRecord& plan) {
  json::object parameters;
  for (const auto& [name, value] : plan.parameters) parameters[name] = value_text(value);
  return {{"id", plan.id.value()},
          {"action", plan.action},
          {"action_version", plan.action_version},
          {"tier", plan.tier},
          {"parameters", std::move(parameters)},
          {"state", approval::to_string(plan.state)},
          {"is_over", approval::is_over(plan.state)},
          {"detail", plan.detail},
          {"reason", plan.reason},
          {"incident", plan.incident},
          {"requester", plan.requester},
          {"decided_by", plan.decided_by},
          {"created_ms", plan.created_ms},
          {"since_ms", plan.since_ms},
          {"deadline_ms", plan.deadline_ms}};
}

json::object card_json(const model::PlanView& view) {
  const auto& plan = view.plan;
  json::array targets;
  for (const auto& target : view.targets) targets.push_back(target_json(target));
  json::object out = plan_json(plan);
  out["tenant"] = plan.tenant.value();
  out["accept_downtime"] = plan.accept_downtime;
  out["accept_blast_radius"] = plan.accept_blast_radius;
  out["roll_back"] = plan.roll_back;
  out["all_at_once"] = plan.all_at_once;
  out["timeout_ms"] = plan.timeout_ms;
  out["why_approval"] = texts(view.why_approval);
  out["approvers_needed"] = view.approvers_needed;
  out["approved_by"] = texts(view.approved_by);
  out["may_approve"] = approvers_json(view.may_approve);
  out["alternatives"] = alternatives_json(view.alternatives);
  out["approvals"] = approvals_json(view.approvals);
  out["ways_back"] = ways_back_json(view.ways_back);
  out["checks"] = checks_json(plan.checks);
  out["downtime_ms"] = view.downtime_ms;
  out["rollback"] = view.rollback;
  out["history"] = json::object{{"succeeded", view.history.succeeded},
                                {"failed", view.history.failed},
                                {"inconclusive", view.history.unclear},
                                {"median_ms", view.history.median_ms}};
  out["waves"] = view.waves;
  out["wave"] = plan.wave;
  out["expires_ms"] = plan.expires_ms;
  out["batch_root"] = plan.batch_size == 0 ? "" : text::to_hex(plan.batch_root);
  out["batch_size"] = plan.batch_size;
  out["audit"] = json::object{{"seq", view.audit.seq},
                              {"hash", view.audit.seq == 0 ? "" : text::to_hex(view.audit.hash)}};
  out["symptom"] = json::object{
      {"metric", plan.symptom.metric}, {"low", plan.symptom.low}, {"high", plan.symptom.high}};
  out["targets"] = std::move(targets);
  return out;
}

json::object command_json(const model::CommandRecord& command) {
  return {{"id", text::to_hex(command.id)},
          {"plan", command.plan.value()},
          {"agent_id", command.agent.value()},
          {"mode", mode_name(command.mode)},
          {"attempt", command.attempt},
          {"seq", command.seq},
          {"sha256", text::to_hex(command.sha256)},
          {"issued_ms", command.issued_ms},
          {"expires_ms", command.expires_ms},
          {"state", state_name(command.state)}};
}

json::object command_detail_json(const model::CommandView& view) {
  json::object out = command_json(view.command);
  out["envelope"] = base64(view.command.envelope);
  json::array results;
  for (const auto& one : view.results) {
    json::object result{{"received_ms", one.received_ms},
                        {"valid", nullptr},
                        {"envelope", base64(one.envelope)},
                        {"result", nullptr}};
    if (one.valid) result["valid"] = *one.valid;
    const auto envelope = wire::decode_envelope(one.envelope);
    // What no key of the host stands behind is not shown as its word.
    if (one.valid == true && envelope) {
      if (const auto decoded = wire::decode_result(envelope->payload))
        result["result"] = result_json(*decoded);
    }
    results.push_back(std::move(result));
  }
  out["results"] = std::move(results);
  return out;
}

json::object action_json(const model::ActionView& action) {
  json::array parameters;
  for (const auto& one : action.parameters) {
    parameters.push_back(json::object{{"name", one.name},
                                      {"kind", one.kind},
                                      {"required", one.required},
                                      {"min", one.min},
                                      {"max", one.max},
                                      {"unit", one.unit},
                                      {"help", one.help}});
  }
  return {{"name", action.name},
          {"version", action.version},
          {"tier", action.tier},
          {"undo", action.undo},
          {"target", action.target},
          {"summary", action.summary},
          {"manifest_sha256", action.manifest_sha256},
          {"parameters", std::move(parameters)}};
}

json::object freeze_json(const model::MaintenanceFreeze& freeze) {
  return {{"active", freeze.active},
          {"reason", freeze.reason},
          {"by", freeze.by},
          {"since_ms", freeze.since_ms},
          {"until_ms", freeze.until_ms}};
}

}  // namespace observeai::controlplane::api
