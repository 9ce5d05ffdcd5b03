#include "controlplane/approval/quorum.h"

#include <algorithm>
#include <map>

#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/signing/persons.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::controlplane::approval {
namespace {

// Clocks of approvers' machines differ.
constexpr std::int64_t kClockSkewMs = 60'000;

Error denied(const std::string& why) {
  return Error(Errc::kDenied, "this approval does not count: " + why);
}

// The person and key behind an approval; the payload is not looked at before.
Result<const signing::ApproverKey*> signer_of(const signing::SignedEnvelope& envelope,
                                              const signing::RootMetadata& root) {
  std::vector<signing::VerifyKey> trusted;
  trusted.reserve(root.approvers.size());
  for (const auto& approver : root.approvers) trusted.push_back(approver.key);
  const auto signers = signing::verify(envelope, wire::kApprovalType, 1, trusted);
  if (!signers) {
    return denied("it is not signed by an approver of the root metadata in force (version " +
                  std::to_string(root.version) + ")");
  }
  if (signers->size() != 1 || envelope.signatures.size() != 1)
    return denied("it has more than one signature");
  for (const auto& approver : root.approvers) {
    if (approver.key == signers->front()) return &approver;
  }
  return denied("its key is not listed");
}

Result<void> check_content(const wire::Approval& approval, const model::PlanRecord& plan,
                           std::int64_t now_ms) {
  if (approval.plan != plan.id) return denied("it is for another plan");
  if (approval.tenant != plan.tenant) return denied("it is for another tenant");
  if (plan.batch_size == 0) return denied("the plan is not simulated");
  if (approval.batch_root != plan.batch_root || approval.batch_size != plan.batch_size)
    return denied("it is for another batch: the plan was simulated anew since");
  if (approval.issued_ms > now_ms + kClockSkewMs)
    return denied("it was made in the future; compare the clocks");
  if (approval.expires_ms <= now_ms) return denied("it has expired");
  if (approval.expires_ms > plan.expires_ms) return denied("it lasts longer than the plan");
  return {};
}

}  // namespace

std::uint32_t approvers_needed(std::uint32_t tier) {
  return tier == 0 ? 0 : tier == 1 ? 1 : 2;
}

std::uint32_t approvers_needed(const model::PlanRecord& plan) {
  return std::max(approvers_needed(plan.tier), plan.host_approvals);
}

std::uint32_t approvals_asked(const wire::Labels& facts) {
  for (const auto& fact : facts) {
    if (fact.name != kApprovalsNeededFact) continue;
    const auto asked = text::parse_u64(fact.value);
    return asked ? static_cast<std::uint32_t>(std::min<std::uint64_t>(*asked, UINT32_MAX)) : 0;
  }
  return 0;
}

Result<model::ApprovalRecord> check_approval(std::string_view envelope,
                                             const model::PlanRecord& plan,
                                             const signing::RootMetadata& root,
                                             std::int64_t now_ms) {
  if (signing::is_expired(root, now_ms))
    return denied("the root metadata has expired; sign a new version (observeai root sign)");
  TRY(const auto decoded, wire::decode_envelope(envelope));
  TRY(const auto* approver, signer_of(decoded, root));
  TRY(const auto approval, wire::decode_approval(decoded.payload));
  TRY_VOID(check_content(approval, plan, now_ms));
  if (signing::is_same_person(approver->person, plan.requester))
    return denied(approver->person + " asked for this plan; another person must approve it");
  model::ApprovalRecord record;
  record.plan = plan.id;
  record.person = approver->person;
  record.key_id = signing::key_id(approver->key).value();
  record.decision = approval.decision;
  record.reason = approval.reason;
  record.envelope = std::string(envelope);
  record.received_ms = now_ms;
  record.expires_ms = approval.expires_ms;
  return record;
}

namespace {

// By folded name: the newest word of each person.
std::map<std::string, model::ApprovalRecord> valid_by_person(
    const std::vector<model::ApprovalRecord>& approvals, const model::PlanRecord& plan,
    const signing::RootMetadata& root, std::int64_t now_ms) {
  std::map<std::string, model::ApprovalRecord> by_person;
  for (const auto& stored : approvals) {
    auto checked = check_approval(stored.envelope, plan, root, now_ms);
    if (!checked) continue;
    checked->received_ms = stored.received_ms;
    const auto [place, is_new] =
        by_person.try_emplace(signing::fold_person(checked->person), *checked);
    if (!is_new && place->second.received_ms <= checked->received_ms) place->second = *checked;
  }
  return by_person;
}

}  // namespace

bool is_person(const signing::RootMetadata& root, std::string_view name) {
  return std::any_of(root.approvers.begin(), root.approvers.end(), [&](const auto& approver) {
    return signing::is_same_person(approver.person, name);
  });
}

Quorum count_approvals(const std::vector<model::ApprovalRecord>& approvals,
                       const model::PlanRecord& plan, const signing::RootMetadata& root,
                       std::int64_t now_ms) {
  Quorum quorum;
  quorum.needed = approvers_needed(plan);
  for (const auto& [folded, approval] : valid_by_person(approvals, plan, root, now_ms)) {
    if (approval.decision == wire::ApprovalDecision::kApprove) {
      quorum.persons.push_back(approval.person);
    } else {
      quorum.rejected.push_back(approval.person);
    }
  }
  return quorum;
}

std::vector<std::string> counting_envelopes(const std::vector<model::ApprovalRecord>& approvals,
                                            const model::PlanRecord& plan,
                                            const signing::RootMetadata& root,
                                            std::int64_t now_ms) {
  std::vector<std::string> envelopes;
  for (auto& [person, approval] : valid_by_person(approvals, plan, root, now_ms)) {
    if (envelopes.size() == wire::kMaxApprovals) break;
    if (approval.decision == wire::ApprovalDecision::kApprove)
      envelopes.push_back(approval.envelope);
  }
  return envelopes;
}

}  // namespace observeai::controlplane::approval
