#include "controlplane/signer/approvals.h"

#include "controlplane/signer/refusal.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/signing/persons.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::controlplane::signer {
namespace {

namespace words = wire::refusals;

// An approver's clock may be ahead of ours by this.
constexpr std::int64_t kMaxAheadMs = 60'000;

// What a known approval says, against the batch it came with. nullptr: it fits.
const char* why_not(const wire::Approval& approval, const wire::Command& command,
                    const wire::Intent& intent, std::int64_t now_ms) {
  if (approval.plan != intent.plan) return "is of another plan";
  if (approval.tenant != intent.tenant) return "is of another tenant";
  if (approval.batch_root != command.batch_root || approval.batch_size != command.batch_size)
    return "is of another batch";
  if (approval.decision != wire::ApprovalDecision::kApprove) return "is a rejection";
  if (now_ms >= approval.expires_ms) return "has expired";
  if (approval.issued_ms > now_ms + kMaxAheadMs) return "is of the future";
  if (approval.expires_ms - approval.issued_ms > wire::kMaxCommandLifetimeMs)
    return "lives for more than 24 h";
  return nullptr;
}

}  // namespace

std::size_t approvals_needed(std::uint32_t tier) {
  return tier;  // 0 reads: nobody; 1 reversible: one; 2 wider or irreversible: two
}

void Approvals::trust(const signing::RootMetadata& root) {
  keys_.clear();
  persons_.clear();
  known_.clear();
  for (const auto& approver : root.approvers) {
    keys_.push_back(approver.key);
    persons_[approver.key] = approver.person;
  }
}

Result<const Approvals::Known*> Approvals::look_up(const std::string& envelope) {
  const auto hash = signing::sha256(envelope);
  std::string name(text::as_text(hash));
  if (const auto found = known_.find(name); found != known_.end()) return &found->second;
  const auto invalid = [](std::string_view why) { return refusal(words::kApprovalInvalid, why); };
  const auto opened = wire::decode_envelope(envelope);
  if (!opened) return invalid(opened.error().message());
  if (opened->signatures.size() != 1) return invalid("an approval has exactly one signature");
  ++verified_;
  const auto signers = signing::verify(*opened, wire::kApprovalType, 1, keys_);
  if (!signers) {
    return invalid("key " + opened->signatures[0].key_id.value() +
                   " is no approver's of the root in force, or its signature does not hold");
  }
  auto approval = wire::decode_approval(opened->payload);
  if (!approval) return invalid(approval.error().message());
  if (known_.size() >= kMaxKnownApprovals) known_.clear();
  const auto added =
      known_.emplace(std::move(name), Known{std::move(*approval), persons_[signers->front()]});
  return &added.first->second;
}

Result<void> Approvals::check(const wire::Command& command, const wire::Intent& intent,
                              std::int64_t now_ms) {
  std::map<std::string, std::string> persons;  // By folded name
  for (const auto& envelope : command.approvals) {
    TRY(const auto* known, look_up(envelope));
    if (const auto* why = why_not(known->approval, command, intent, now_ms)) {
      return refusal(words::kApprovalInvalid, "the approval of " + known->person + " " + why);
    }
    if (signing::is_same_person(known->person, intent.requester)) {
      return refusal(words::kRequesterApproves,
                     known->person + " asked for this and cannot approve it too");
    }
    persons.emplace(signing::fold_person(known->person), known->person);
  }
  const auto needed = approvals_needed(intent.tier);
  if (persons.size() >= needed) return {};
  std::string who;
  for (const auto& [folded, person] : persons) who += (who.empty() ? "" : ", ") + person;
  return refusal(words::kApprovalMissing, "an action of tier " + std::to_string(intent.tier) +
                                              " needs " + std::to_string(needed) +
                                              (needed == 1 ? " person" : " persons") + " beside " +
                                              log::printable(intent.requester, 64) + ", and has " +
                                              (who.empty() ? "none" : who));
}

}  // namespace observeai::controlplane::signer
