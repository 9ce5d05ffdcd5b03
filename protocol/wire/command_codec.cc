#include "protocol/wire/command_codec.h"

#include "observeai/v1/command.pb.h"
#include "protocol/wire/detail/command_fields.h"

namespace observeai::wire {
namespace {

using detail::FieldReader;
using detail::is_time;
using detail::is_zero;
using detail::require;

Result<void> check_batch(const Digest& root, std::uint32_t size, std::string_view what) {
  TRY_VOID(require(!is_zero(root), what, "no batch"));
  return require(size > 0 && size <= kMaxBatchSize, what, "the batch's size is not in range");
}

// A dry run reads: there is nothing to approve yet, and nothing that a dry run saw.
Result<void> check_dry_run(const Command& command, const Intent& intent) {
  const bool batch = !is_zero(command.batch_root) || command.batch_size > 0 ||
                     command.batch_index > 0 || !command.path.empty();
  TRY_VOID(require(!batch, "command", "a dry run with a batch"));
  TRY_VOID(require(command.approvals.empty(), "command", "a dry run with approvals"));
  return require(is_zero(intent.state) && is_zero(intent.diff), "command",
                 "a dry run with the findings of a dry run");
}

Result<void> check_execute(const Command& command, const Intent& intent) {
  TRY_VOID(check_batch(command.batch_root, command.batch_size, "command"));
  TRY_VOID(require(command.batch_index < command.batch_size, "command", "outside of its batch"));
  TRY_VOID(
      detail::check_at_most(command.path.size(), detail::kMaxPathHashes, "command: path hashes"));
  TRY_VOID(detail::check_at_most(command.approvals.size(), kMaxApprovals, "command: approvals"));
  for (const auto& approval : command.approvals) {
    TRY_VOID(require(!approval.empty(), "command", "an empty approval"));
    TRY_VOID(
        detail::check_at_most(approval.size(), kMaxApprovalBytes, "command: bytes of approval"));
  }
  return require(!is_zero(intent.diff), "command", "nothing was shown to whoever approved");
}

Result<void> check(const Command& command) {
  TRY_VOID(require(!is_zero(command.id), "command", "no id"));
  TRY_VOID(require(!is_zero(command.enrollment), "command", "no enrollment"));
  TRY_VOID(require(!is_zero(command.session), "command", "no session"));
  TRY_VOID(require(command.seq > 0, "command", "sequences count from 1"));
  TRY_VOID(require(
      is_time(command.issued_ms) && is_time(command.not_before_ms) && is_time(command.expires_ms),
      "command", "a time is not in range"));
  TRY_VOID(require(command.root_version > 0, "command", "no root version"));
  TRY_VOID(require((command.audit_seq == 0) == is_zero(command.audit_hash), "command",
                   "half an audit head"));
  TRY(const auto intent, decode_intent(command.intent));
  switch (command.mode) {
    case CommandMode::kDryRun:
      return check_dry_run(command, intent);
    case CommandMode::kExecute:
      return check_execute(command, intent);
  }
  return detail::invalid("command", "of an unknown mode");
}

void read(const v1::Command& in, Command& out, FieldReader& reader) {
  reader.bytes(in.id(), out.id);
  out.intent = in.intent();
  reader.enumerator(in.mode(), CommandMode::kExecute, out.mode);
  reader.bytes(in.enrollment(), out.enrollment);
  reader.bytes(in.session(), out.session);
  out.seq = in.seq();
  out.issued_ms = in.issued_ms();
  out.not_before_ms = in.not_before_ms();
  out.expires_ms = in.expires_ms();
  reader.bytes(in.batch_root(), out.batch_root);
  out.batch_size = in.batch_size();
  out.batch_index = in.batch_index();
  for (const auto& hash : in.path()) reader.bytes(hash, out.path.emplace_back());
  out.approvals.assign(in.approvals().begin(), in.approvals().end());
  out.root_version = in.root_version();
  reader.bytes(in.policy(), out.policy);
  out.audit_seq = in.audit_seq();
  reader.bytes(in.audit_hash(), out.audit_hash);
}

Result<void> check(const Approval& approval) {
  TRY_VOID(require(!approval.plan.empty(), "approval", "no plan"));
  TRY_VOID(require(!approval.tenant.empty(), "approval", "no tenant"));
  TRY_VOID(check_batch(approval.batch_root, approval.batch_size, "approval"));
  TRY_VOID(require(is_time(approval.issued_ms) && is_time(approval.expires_ms), "approval",
                   "a time is not in range"));
  TRY_VOID(require(approval.expires_ms > approval.issued_ms &&
                       approval.expires_ms - approval.issued_ms <= kMaxCommandLifetimeMs,
                   "approval", "holds for no time, or for more than 24 h"));
  TRY_VOID(detail::check_text(approval.reason, kMaxReasonBytes, "approval: reason"));
  switch (approval.decision) {
    case ApprovalDecision::kApprove:
      return {};
    case ApprovalDecision::kReject:
      return require(!approval.reason.empty(), "approval", "a rejection without a reason");
  }
  return detail::invalid("approval", "an unknown decision");
}

void read(const v1::Approval& in, Approval& out, FieldReader& reader) {
  reader.id(in.plan(), out.plan);
  reader.id(in.tenant(), out.tenant);
  reader.bytes(in.batch_root(), out.batch_root);
  out.batch_size = in.batch_size();
  reader.enumerator(in.decision(), ApprovalDecision::kReject, out.decision);
  out.issued_ms = in.issued_ms();
  out.expires_ms = in.expires_ms();
  out.reason = in.reason();
}

}  // namespace

Result<std::string> encode_command(const Command& command) {
  TRY_VOID(check(command));
  v1::Command out;
  out.set_id(detail::verbatim(command.id));
  out.set_intent(command.intent);
  out.set_mode(static_cast<v1::CommandMode>(command.mode));
  out.set_enrollment(detail::verbatim(command.enrollment));
  out.set_session(detail::verbatim(command.session));
  out.set_seq(command.seq);
  out.set_issued_ms(command.issued_ms);
  out.set_not_before_ms(command.not_before_ms);
  out.set_expires_ms(command.expires_ms);
  out.set_batch_root(detail::optional_bytes(command.batch_root));
  out.set_batch_size(command.batch_size);
  out.set_batch_index(command.batch_index);
  for (const auto& hash : command.path) out.add_path(detail::verbatim(hash));
  for (const auto& approval : command.approvals) out.add_approvals(approval);
  out.set_root_version(command.root_version);
  out.set_policy(detail::optional_bytes(command.policy));
  out.set_audit_seq(command.audit_seq);
  out.set_audit_hash(detail::optional_bytes(command.audit_hash));
  return detail::serialize(out, kMaxCommandPayloadBytes, "command");
}

Result<Command> decode_command(std::string_view bytes) {
  return detail::decode_exactly<v1::Command, Command>(
      bytes, kMaxCommandPayloadBytes, detail::kCommandShape, "command",
      [](const v1::Command& in, Command& out, FieldReader& reader) { read(in, out, reader); },
      encode_command);
}

Result<std::string> encode_approval(const Approval& approval) {
  TRY_VOID(check(approval));
  v1::Approval out;
  out.set_plan(approval.plan.value());
  out.set_tenant(approval.tenant.value());
  out.set_batch_root(detail::verbatim(approval.batch_root));
  out.set_batch_size(approval.batch_size);
  out.set_decision(static_cast<v1::ApprovalDecision>(approval.decision));
  out.set_issued_ms(approval.issued_ms);
  out.set_expires_ms(approval.expires_ms);
  out.set_reason(approval.reason);
  return detail::serialize(out, kMaxApprovalBytes, "approval");
}

Result<Approval> decode_approval(std::string_view bytes) {
  return detail::decode_exactly<v1::Approval, Approval>(
      bytes, kMaxApprovalBytes, detail::kFlatShape, "approval",
      [](const v1::Approval& in, Approval& out, FieldReader& reader) { read(in, out, reader); },
      encode_approval);
}

}  // namespace observeai::wire
