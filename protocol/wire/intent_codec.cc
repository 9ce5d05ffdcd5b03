#include "observeai/v1/command.pb.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/detail/command_fields.h"

namespace observeai::wire {
namespace {

using detail::FieldReader;
using detail::require;

Result<void> check(const Parameters& parameters) {
  TRY_VOID(detail::check_at_most(parameters.size(), kMaxParameters, "intent: parameters"));
  for (const auto& [name, value] : parameters) {
    TRY_VOID(require(detail::is_word(name, kMaxParameterNameBytes, detail::kParameterName),
                     "intent", "a parameter's name is not [a-z0-9_]{1,64}"));
    if (const auto* text = std::get_if<std::string>(&value)) {
      TRY_VOID(detail::check_text(*text, kMaxParameterBytes, "intent: parameter " + name));
    }
  }
  return {};
}

Result<void> check(const Intent& intent) {
  TRY_VOID(require(!intent.plan.empty(), "intent", "no plan"));
  TRY_VOID(require(!intent.tenant.empty(), "intent", "no tenant"));
  TRY_VOID(require(!intent.agent.empty(), "intent", "no agent"));
  TRY_VOID(require(detail::is_word(intent.action, detail::kMaxActionBytes, detail::kActionName),
                   "intent", "an action's name is [a-z0-9_.-]{1,64}"));
  TRY_VOID(require(intent.action_version > 0, "intent", "versions of actions count from 1"));
  TRY_VOID(require(!detail::is_zero(intent.manifest), "intent", "no manifest"));
  TRY_VOID(check(intent.parameters));
  TRY_VOID(require(intent.tier <= kMaxTier, "intent", "tiers are 0, 1 and 2"));
  TRY_VOID(require(intent.timeout_ms >= kMinTimeoutMs && intent.timeout_ms <= kMaxTimeoutMs,
                   "intent", "the time limit is not in range"));
  TRY_VOID(detail::check_at_most(intent.output_limit, kMaxOutputBytes, "intent: bytes of output"));
  TRY_VOID(detail::check_person(intent.requester, "intent: requester"));
  return detail::check_text(intent.incident, detail::kMaxIncidentBytes, "intent: incident");
}

void write(const std::string& name, const ParameterValue& value, v1::Parameter& out) {
  out.set_name(name);
  if (const auto* text = std::get_if<std::string>(&value)) out.set_text(*text);
  if (const auto* integer = std::get_if<std::int64_t>(&value)) out.set_integer(*integer);
  if (const auto* flag = std::get_if<bool>(&value)) out.set_flag(*flag);
}

void read(const v1::Parameter& in, Parameters& out, FieldReader& reader) {
  switch (in.value_case()) {
    case v1::Parameter::kText:
      out[in.name()] = in.text();
      return;
    case v1::Parameter::kInteger:
      out[in.name()] = std::int64_t{in.integer()};
      return;
    case v1::Parameter::kFlag:
      out[in.name()] = in.flag();
      return;
    case v1::Parameter::VALUE_NOT_SET:
      return reader.fail("a parameter without a value");
  }
}

void read(const v1::Intent& in, Intent& out, FieldReader& reader) {
  reader.id(in.plan(), out.plan);
  reader.id(in.tenant(), out.tenant);
  reader.id(in.agent(), out.agent);
  out.action = in.action();
  out.action_version = in.action_version();
  reader.bytes(in.manifest(), out.manifest);
  for (const auto& parameter : in.parameters()) read(parameter, out.parameters, reader);
  reader.bytes(in.state(), out.state);
  reader.bytes(in.diff(), out.diff);
  out.tier = in.tier();
  out.timeout_ms = in.timeout_ms();
  out.output_limit = in.output_limit();
  out.roll_back = in.roll_back();
  out.requester = in.requester();
  out.incident = in.incident();
}

}  // namespace

Result<std::string> encode_intent(const Intent& intent) {
  TRY_VOID(check(intent));
  v1::Intent out;
  out.set_plan(intent.plan.value());
  out.set_tenant(intent.tenant.value());
  out.set_agent(intent.agent.value());
  out.set_action(intent.action);
  out.set_action_version(intent.action_version);
  out.set_manifest(detail::verbatim(intent.manifest));
  for (const auto& [name, value] : intent.parameters) write(name, value, *out.add_parameters());
  out.set_state(detail::optional_bytes(intent.state));
  out.set_diff(detail::optional_bytes(intent.diff));
  out.set_tier(intent.tier);
  out.set_timeout_ms(intent.timeout_ms);
  out.set_output_limit(intent.output_limit);
  out.set_roll_back(intent.roll_back);
  out.set_requester(intent.requester);
  out.set_incident(intent.incident);
  return detail::serialize(out, kMaxIntentBytes, "intent");
}

Result<Intent> decode_intent(std::string_view bytes) {
  return detail::decode_exactly<v1::Intent, Intent>(
      bytes, kMaxIntentBytes, detail::kIntentShape, "intent",
      [](const v1::Intent& in, Intent& out, FieldReader& reader) { read(in, out, reader); },
      encode_intent);
}

}  // namespace observeai::wire
