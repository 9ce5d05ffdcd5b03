#include "agent/executor/results.h"

#include <algorithm>

#include "agent/executor/facts.h"
#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/refusals.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kEllipsis = 3;  // What escape_unprintable() adds to what it cuts

std::string shown(const std::string& text, std::size_t limit) {
  return text::escape_unprintable(text, limit - kEllipsis);
}

void clean(wire::CommandResult& result) {
  result.message = shown(result.message, wire::kMaxReasonBytes);
  for (auto& step : result.steps) {
    step.name = shown(step.name, wire::kMaxStepNameBytes);
    step.detail = shown(step.detail, wire::kMaxReasonBytes);
  }
}

// No more than who answers what, and why the rest is missing.
wire::CommandResult shortened(const wire::CommandResult& whole, const std::string& why) {
  wire::CommandResult out = whole;
  out.diff.clear();
  out.steps.clear();
  out.facts.clear();
  out.output.clear();
  out.target.clear();
  out.output_truncated = !whole.output.empty();
  if (out.outcome == wire::ResultOutcome::kDryRun) {
    // Nobody could approve what nobody can be shown.
    out.outcome = wire::ResultOutcome::kRefused;
    out.reason = wire::refusals::kPrecondition;
  }
  out.message =
      shown("the details cannot be told (" + why + "); " + whole.message, wire::kMaxReasonBytes);
  return out;
}

}  // namespace

wire::CommandResult begin_result(const Received& received, const Trust& trust) {
  wire::CommandResult result;
  if (received.readable) {
    result.command_id = received.command.id;
    result.seq = received.command.seq;
  }
  result.command_sha256 = received.sha256;
  result.tenant = trust.tenant();
  result.agent = trust.agent();
  result.session = received.session;
  result.received_ms = received.received_ms;
  result.target = received.target;
  if (received.policy) result.policy = received.policy->hash;
  return result;
}

void set_refused(wire::CommandResult& result, const Refusal& refusal) {
  result.outcome = wire::ResultOutcome::kRefused;
  result.reason = refusal.reason;
  result.message = refusal.message;
}

void set_assessed(wire::CommandResult& result, const Assessment& seen) {
  result.diff = seen.diff;
  result.state_before = wire::digest_of(seen.state);
  result.facts = seen.facts;
}

void add_approvals_needed(wire::CommandResult& result, std::uint32_t persons) {
  const auto behind = std::find_if(result.facts.begin(), result.facts.end(), [](const auto& fact) {
    return fact.name >= facts::kApprovalsNeeded;
  });
  result.facts.insert(behind, {facts::kApprovalsNeeded, std::to_string(persons)});
}

void set_run(wire::CommandResult& result, const Run& run) {
  result.steps = run.steps();
  result.output = run.text();
  result.output_truncated = run.truncated();
}

Result<wire::CommandResult> interrupted_result(std::string_view draft, bool started) {
  TRY(auto result, wire::decode_result(draft));
  if (!started) return result;
  result.outcome = wire::ResultOutcome::kInterrupted;
  result.reason.clear();
  result.message =
      "the executor ended while the command was at work; it is not known how far it came, and it "
      "is "
      "not run again";
  return result;
}

std::string sign_result(wire::CommandResult result, const signing::SigningKeyPair& key) {
  clean(result);
  auto payload = wire::encode_result(result);
  if (!payload) payload = wire::encode_result(shortened(result, payload.error().message()));
  CHECK(payload.has_value());
  signing::SignedEnvelope envelope;
  envelope.type = wire::kResultType;
  envelope.payload = std::move(*payload);
  signing::add_signature(envelope, key);
  return wire::encode_envelope(envelope);
}

Refusal refusal_of(const Error& error) {
  switch (error.code()) {
    case Errc::kNotFound:
      return {wire::refusals::kNoTarget, error.message()};
    case Errc::kDenied:
      return {wire::refusals::kPolicy, error.message()};
    case Errc::kInvalid:
      return {wire::refusals::kBadParameter, error.message()};
    default:
      return {wire::refusals::kPrecondition, error.message()};
  }
}

}  // namespace observeai::agent::executor
