// Who said yes, and to what. Pure.
#include <algorithm>
#include <set>

#include "agent/executor/admission.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/signing/merkle.h"
#include "protocol/signing/persons.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/refusals.h"

namespace observeai::agent::executor {
namespace {

namespace refusals = wire::refusals;

// An approver's clock may be ahead; who dates further ahead would have an approval outlive its memory.
constexpr std::int64_t kMaxDatedAheadMs = 3'600'000;

Refusal invalid(const std::string& why) {
  return {refusals::kApprovalInvalid, "an approval " + why};
}

// Of exactly this batch, and in force.
Check check_approval(const wire::Approval& approval, const Received& received) {
  const auto& command = received.command;
  if (approval.plan != received.intent.plan)
    return invalid("is of plan " + approval.plan.value() + ", the command of " +
                   received.intent.plan.value());
  if (approval.tenant != received.intent.tenant) return invalid("is of another tenant");
  if (approval.batch_root != command.batch_root) return invalid("is of another batch");
  if (approval.batch_size != command.batch_size)
    return invalid("is of " + std::to_string(approval.batch_size) + " targets, the batch has " +
                   std::to_string(command.batch_size));
  if (approval.decision != wire::ApprovalDecision::kApprove) return invalid("is a rejection");
  if (approval.expires_ms <= received.now_ms)
    return invalid("expired at " + text::format_time_ms(approval.expires_ms));
  if (approval.issued_ms < 0 || approval.issued_ms > approval.expires_ms ||
      approval.expires_ms - approval.issued_ms > wire::kMaxCommandLifetimeMs)
    return invalid("would last longer than 24 hours");
  if (approval.issued_ms - kMaxDatedAheadMs > received.now_ms)
    return invalid("is dated " + text::format_time_ms(approval.issued_ms) + ", it is " +
                   text::format_time_ms(received.now_ms));
  return std::nullopt;
}

// Adds the persons who signed `envelope`, by fold_person(): two spellings of a name are one person.
Check add_persons(const std::string& envelope, const Received& received,
                  const signing::RootMetadata& root, std::set<std::string>& persons) {
  const auto opened = wire::decode_envelope(envelope);
  if (!opened) return invalid("cannot be read: " + opened.error().message());
  std::vector<signing::VerifyKey> keys;
  for (const auto& approver : root.approvers) keys.push_back(approver.key);
  const auto signed_by = signing::verify(*opened, wire::kApprovalType, 1, keys);
  if (!signed_by)
    return invalid("is not signed by an approver of root metadata " + std::to_string(root.version));
  const auto approval = wire::decode_approval(opened->payload);
  if (!approval) return invalid("cannot be read: " + approval.error().message());
  if (auto refused = check_approval(*approval, received)) return refused;
  for (const auto& approver : root.approvers) {
    if (std::find(signed_by->begin(), signed_by->end(), approver.key) != signed_by->end())
      persons.insert(signing::fold_person(approver.person));
  }
  return std::nullopt;
}

}  // namespace

Check check_approvals(const Received& received, const signing::RootMetadata& root,
                      std::uint32_t needed) {
  if (received.is_dry_run()) return std::nullopt;
  const auto& command = received.command;
  if (!signing::verify_merkle_path(command.intent, command.batch_index, command.batch_size,
                                   command.path, command.batch_root))
    return Refusal{refusals::kNotInBatch, "the command is not number " +
                                              std::to_string(command.batch_index) +
                                              " of the batch that was approved"};
  std::set<std::string> persons;
  for (const auto& envelope : command.approvals) {
    if (auto refused = add_persons(envelope, received, root, persons)) return refused;
  }
  if (persons.contains(signing::fold_person(received.intent.requester)))
    return Refusal{refusals::kRequesterApproves,
                   received.intent.requester + " asked for it and cannot approve it"};
  if (persons.size() < needed)
    return Refusal{refusals::kApprovalMissing,
                   "tier " + std::to_string(received.intent.tier) + " needs the approval of " +
                       std::to_string(needed) + " persons on this host, there are " +
                       std::to_string(persons.size())};
  return std::nullopt;
}

}  // namespace observeai::agent::executor
