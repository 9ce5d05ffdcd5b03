#include "controlplane/dispatch/new_plan.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "controlplane/approval/state_machine.h"
#include "controlplane/model/plan_repositories.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::dispatch {
namespace {

constexpr std::int64_t kMinApprovalLifetimeMs = 60'000;

std::string action_names() {
  std::string out;
  for (const auto& one : actions::catalogue())
    out += (out.empty() ? "" : ", ") + std::string(one.name);
  return out;
}

const actions::ParameterSpec* spec_of(const actions::Manifest& manifest, const std::string& name) {
  for (const auto& spec : manifest.parameters) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

// One target has one name: "/web" is how the engine writes web, and systemd takes nginx for nginx.service.
std::string in_one_form(const actions::Manifest& manifest, const actions::ParameterSpec& spec,
                        const std::string& text) {
  if (spec.form == actions::Form::kContainer && text.starts_with('/')) return text.substr(1);
  if (!manifest.target.starts_with("unit/") || spec.name != "unit") return text;
  constexpr std::array<std::string_view, 11> kSuffixes{".service",   ".socket", ".device", ".mount",
                                                       ".automount", ".swap",   ".target", ".path",
                                                       ".timer",     ".slice",  ".scope"};
  const bool has_one = std::any_of(kSuffixes.begin(), kSuffixes.end(),
                                   [&](std::string_view one) { return text.ends_with(one); });
  return has_one ? text : text + ".service";
}

// What a host's policy declares for its runbooks is not known here: a number written as one is sent as one,
// and the host, which has the schema, takes it for a text where a text is declared.
wire::ParameterValue runbook_value(const std::string& text) {
  const auto number = text::parse_i64(text);
  if (number && std::to_string(*number) == text) return *number;
  return text;
}

Result<wire::Parameters> parameters_of(const actions::Manifest& manifest,
                                       const std::map<std::string, std::string>& texts) {
  wire::Parameters out;
  for (const auto& [name, text] : texts) {
    const auto* spec = spec_of(manifest, name);
    if (spec != nullptr) {
      TRY(auto value, actions::parse_value(*spec, in_one_form(manifest, *spec, text)));
      out.emplace(name, std::move(value));
    } else if (manifest.name == actions::kRunbook) {
      out.emplace(name, runbook_value(text));
    } else {
      std::vector<std::string> known;
      for (const auto& one : manifest.parameters) known.emplace_back(one.name);
      const auto near = text::nearest(name, known);
      return Error(Errc::kInvalid, std::string(manifest.name) + " has no parameter " +
                                       text::escape_unprintable(name, 80) +
                                       (near ? "; did you mean " + *near + "?" : ""));
    }
  }
  TRY_VOID(actions::check_parameters(manifest, out));
  return out;
}

// What cannot stand in a plan; nullptr when all can.
const char* why_not(const model::NewPlan& wanted, const std::string& person) {
  const auto is_bad = [](const std::string& text, std::size_t most) {
    return text.size() > most || !text::is_valid_utf8(text) ||
           text::escape_unprintable(text, most) != text;
  };
  constexpr std::size_t kMaxMetricBytes = 256;
  const auto& symptom = wanted.symptom;
  if (is_bad(wanted.reason, wire::kMaxReasonBytes))
    return "the reason is too long, or has control characters";
  if (is_bad(wanted.incident, kMaxIdLength))
    return "the incident is too long, or has control characters";
  if (person.empty() || is_bad(person, wire::kMaxPersonBytes))
    return "the requester's name cannot stand in a command";
  if (is_bad(symptom.metric, kMaxMetricBytes) || !std::isfinite(symptom.low) ||
      !std::isfinite(symptom.high) || symptom.low > symptom.high)
    return "the symptom needs a metric and a band, low to high";
  if (wanted.timeout_ms != 0 &&
      (wanted.timeout_ms < wire::kMinTimeoutMs || wanted.timeout_ms > wire::kMaxTimeoutMs))
    return "the timeout must be 1 s to 10 min";
  if (wanted.approval_lifetime_ms != 0 &&
      (wanted.approval_lifetime_ms < kMinApprovalLifetimeMs ||
       wanted.approval_lifetime_ms > approval::kMaxApprovalLifetimeMs))
    return "an approval may be waited for from 1 min to 24 h";
  return nullptr;
}

wire::PlanId new_id() {
  std::array<std::uint8_t, 8> random{};
  signing::random_bytes(random);
  return wire::PlanId::parse("p-" + text::to_hex(random)).value();
}

}  // namespace

Result<model::PlanRecord> make_plan(const model::NewPlan& wanted, const TenantId& tenant,
                                    const std::string& person, std::int64_t now_ms) {
  const auto* manifest = actions::find(wanted.action);
  if (manifest == nullptr) {
    return Error(Errc::kInvalid, "there is no action " +
                                     text::escape_unprintable(wanted.action, 80) + "; there are " +
                                     action_names());
  }
  if (const char* why = why_not(wanted, person)) return Error(Errc::kInvalid, why);
  model::PlanRecord plan;
  plan.id = new_id();
  plan.tenant = tenant;
  plan.action = wanted.action;
  plan.action_version = manifest->version;
  plan.manifest = actions::manifest_hash(*manifest);
  plan.tier = manifest->tier;
  TRY(plan.parameters, parameters_of(*manifest, wanted.parameters));
  plan.reason = wanted.reason;
  plan.incident = wanted.incident;
  plan.requester = person;
  plan.accept_downtime = wanted.accept_downtime;
  plan.accept_blast_radius = wanted.accept_blast_radius;
  if (wanted.roll_back && !manifest->undo)
    return Error(Errc::kInvalid, wanted.action + " cannot be undone: leave --roll-back away");
  plan.roll_back = wanted.roll_back;
  plan.all_at_once = wanted.all_at_once;
  if (wanted.timeout_ms != 0) plan.timeout_ms = static_cast<std::uint32_t>(wanted.timeout_ms);
  plan.approval_lifetime_ms = wanted.approval_lifetime_ms == 0
                                  ? approval::kDefaultApprovalLifetimeMs
                                  : wanted.approval_lifetime_ms;
  plan.symptom = wanted.symptom;
  plan.created_ms = plan.since_ms = now_ms;
  plan.deadline_ms = now_ms + approval::patience_ms(plan.state);
  return plan;
}

std::vector<model::PlanTargetRecord> make_targets(const model::PlanRecord& plan,
                                                  std::vector<AgentId> agents) {
  std::sort(agents.begin(), agents.end());
  agents.erase(std::unique(agents.begin(), agents.end()), agents.end());
  std::vector<model::PlanTargetRecord> out;
  for (const auto& agent : agents) {
    auto& target = out.emplace_back();
    target.plan = plan.id;
    target.agent = agent;
    target.index = static_cast<std::uint32_t>(out.size() - 1);
    target.since_ms = plan.created_ms;
  }
  return out;
}

}  // namespace observeai::controlplane::dispatch
