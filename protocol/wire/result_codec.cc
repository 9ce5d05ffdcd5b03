#include "observeai/v1/command.pb.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/detail/command_fields.h"
#include "protocol/wire/detail/convert.h"

namespace observeai::wire {
namespace {

using detail::FieldReader;
using detail::is_time;
using detail::is_zero;
using detail::require;

constexpr std::string_view kDiffDomain{"observeai.diff.v1", 18};  // With its 0x00

Result<void> check(const std::vector<Change>& diff) {
  TRY_VOID(detail::check_at_most(diff.size(), kMaxChanges, "result: changes"));
  std::size_t bytes = 0;
  for (const auto& change : diff) {
    TRY_VOID(require(!change.what.empty(), "result", "a change of nothing"));
    for (const auto* part : {&change.what, &change.before, &change.after}) {
      TRY_VOID(detail::check_text(*part, kMaxChangeBytes, "result: change"));
      bytes += part->size();
    }
  }
  return detail::check_at_most(bytes, kMaxDiffBytes, "result: bytes of changes");
}

Result<void> check(const std::vector<ResultStep>& steps) {
  TRY_VOID(detail::check_at_most(steps.size(), kMaxSteps, "result: steps"));
  for (const auto& step : steps) {
    TRY_VOID(require(!step.name.empty(), "result", "a step without a name"));
    TRY_VOID(detail::check_text(step.name, kMaxStepNameBytes, "result: name of a step"));
    TRY_VOID(detail::check_text(step.detail, kMaxReasonBytes, "result: detail of a step"));
  }
  return {};
}

Result<void> check_facts(const Labels& facts) {
  TRY_VOID(detail::check_at_most(facts.size(), kMaxFacts, "result: facts"));
  TRY_VOID(detail::check_labels(facts));
  for (const auto& fact : facts) {
    TRY_VOID(require(!fact.name.empty(), "result", "a fact without a name"));
    TRY_VOID(detail::check_text(fact.name, kMaxFactNameBytes, "result: name of a fact"));
    TRY_VOID(detail::check_text(fact.value, kMaxReasonBytes, "result: value of a fact"));
  }
  return {};
}

bool is_known(ResultOutcome outcome) {
  return outcome >= ResultOutcome::kRefused && outcome <= ResultOutcome::kInterrupted;
}

Result<void> check_reason(const CommandResult& result) {
  if (result.outcome != ResultOutcome::kRefused && result.outcome != ResultOutcome::kFailed) {
    return require(result.reason.empty(), "result", "a reason, and neither refused nor failed");
  }
  return require(detail::is_word(result.reason, kMaxResultReasonBytes, detail::kLowerAndUnderscore),
                 "result", "a reason is [a-z_]{1,64}");
}

// Who answers what.
Result<void> check_names(const CommandResult& result) {
  TRY_VOID(require(!is_zero(result.command_sha256), "result", "of no command"));
  TRY_VOID(require(is_zero(result.command_id) == (result.seq == 0), "result",
                   "half of what names a command"));
  TRY_VOID(require(!is_zero(result.command_id) || result.outcome == ResultOutcome::kRefused,
                   "result", "a command that cannot be read was not refused"));
  TRY_VOID(require(!result.tenant.empty(), "result", "no tenant"));
  return require(!result.agent.empty(), "result", "no agent");
}

Result<void> check(const CommandResult& result) {
  TRY_VOID(require(is_known(result.outcome), "result", "an unknown outcome"));
  TRY_VOID(check_names(result));
  TRY_VOID(check_reason(result));
  TRY_VOID(detail::check_text(result.message, kMaxReasonBytes, "result: message"));
  TRY_VOID(check(result.diff));
  TRY_VOID(check(result.steps));
  TRY_VOID(detail::check_at_most(result.output.size(), kMaxOutputBytes, "result: bytes of output"));
  TRY_VOID(require(
      is_time(result.received_ms) && is_time(result.started_ms) && is_time(result.finished_ms),
      "result", "a time is not in range"));
  TRY_VOID(detail::check_text(result.target, kMaxTargetBytes, "result: target"));
  return check_facts(result.facts);
}

void read(const v1::CommandResult& in, CommandResult& out, FieldReader& reader) {
  reader.bytes(in.command_id(), out.command_id);
  reader.bytes(in.command_sha256(), out.command_sha256);
  reader.id(in.tenant(), out.tenant);
  reader.id(in.agent(), out.agent);
  reader.bytes(in.session(), out.session);
  out.seq = in.seq();
  reader.enumerator(in.outcome(), ResultOutcome::kInterrupted, out.outcome);
  out.reason = in.reason();
  out.message = in.message();
  for (const auto& change : in.diff()) {
    out.diff.push_back({change.what(), change.before(), change.after()});
  }
  for (const auto& step : in.steps()) {
    out.steps.push_back({step.name(), step.detail(), step.duration_ms()});
  }
  reader.bytes(in.state_before(), out.state_before);
  reader.bytes(in.state_after(), out.state_after);
  out.output = in.output();
  out.output_truncated = in.output_truncated();
  out.received_ms = in.received_ms();
  out.started_ms = in.started_ms();
  out.finished_ms = in.finished_ms();
  reader.bytes(in.policy(), out.policy);
  out.target = in.target();
  out.downtime_ms = in.downtime_ms();
  for (const auto& fact : in.facts()) out.facts.push_back({fact.name(), fact.value()});
}

void write_lists(const CommandResult& result, v1::CommandResult& out) {
  for (const auto& change : result.diff) {
    auto& added = *out.add_diff();
    added.set_what(change.what);
    added.set_before(change.before);
    added.set_after(change.after);
  }
  for (const auto& step : result.steps) {
    auto& added = *out.add_steps();
    added.set_name(step.name);
    added.set_detail(step.detail);
    added.set_duration_ms(step.duration_ms);
  }
  for (const auto& fact : result.facts) {
    auto& added = *out.add_facts();
    added.set_name(fact.name);
    added.set_value(fact.value);
  }
}

void put_length(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

Result<std::string> encode_result(const CommandResult& result) {
  TRY_VOID(check(result));
  v1::CommandResult out;
  out.set_command_id(detail::verbatim(result.command_id));
  out.set_command_sha256(detail::verbatim(result.command_sha256));
  out.set_tenant(result.tenant.value());
  out.set_agent(result.agent.value());
  out.set_session(detail::verbatim(result.session));
  out.set_seq(result.seq);
  out.set_outcome(static_cast<v1::ResultOutcome>(result.outcome));
  out.set_reason(result.reason);
  out.set_message(result.message);
  out.set_state_before(detail::optional_bytes(result.state_before));
  out.set_state_after(detail::optional_bytes(result.state_after));
  out.set_output(result.output);
  out.set_output_truncated(result.output_truncated);
  out.set_received_ms(result.received_ms);
  out.set_started_ms(result.started_ms);
  out.set_finished_ms(result.finished_ms);
  out.set_policy(detail::optional_bytes(result.policy));
  out.set_target(result.target);
  out.set_downtime_ms(result.downtime_ms);
  write_lists(result, out);
  return detail::serialize(out, kMaxResultBytes, "result");
}

Result<CommandResult> decode_result(std::string_view bytes) {
  return detail::decode_exactly<v1::CommandResult, CommandResult>(
      bytes, kMaxResultBytes, detail::kResultShape, "result",
      [](const v1::CommandResult& in, CommandResult& out, FieldReader& reader) {
        read(in, out, reader);
      },
      encode_result);
}

Digest diff_digest(const std::vector<Change>& diff) {
  std::string bytes(kDiffDomain);
  put_length(bytes, diff.size());
  for (const auto& change : diff) {
    for (const auto* part : {&change.what, &change.before, &change.after}) {
      put_length(bytes, part->size());
      bytes.append(*part);
    }
  }
  return digest_of(bytes);
}

std::string_view to_string(ResultOutcome outcome) {
  switch (outcome) {
    case ResultOutcome::kRefused:
      return "refused";
    case ResultOutcome::kDryRun:
      return "dry_run";
    case ResultOutcome::kSucceeded:
      return "succeeded";
    case ResultOutcome::kFailed:
      return "failed";
    case ResultOutcome::kRolledBack:
      return "rolled_back";
    case ResultOutcome::kInterrupted:
      return "interrupted";
  }
  return "unknown";
}

}  // namespace observeai::wire
