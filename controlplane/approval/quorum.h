// Whose word counts for a plan, and how many are needed: persons of the root metadata in force, each once
// however many keys they have, never the one who asked; large and small letters are no difference. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/model/plans.h"
#include "protocol/base/result.h"
#include "protocol/signing/root_metadata.h"

namespace observeai::controlplane::approval {

// Tier 0: 0, 1: 1, 2 and above: 2.
std::uint32_t approvers_needed(std::uint32_t tier);
// What `plan` needs: its tier's, or more when the policy of one of its hosts asks for more.
std::uint32_t approvers_needed(const model::PlanRecord& plan);
// The fact of a dry run by which a host says so (the executor's facts.h), an integer as text; 0: it says
// nothing, or nothing that is one.
inline constexpr const char* kApprovalsNeededFact = "approvals_needed";
std::uint32_t approvals_asked(const wire::Labels& facts);

// An envelope as it came, against the plan as it is simulated: signed by an approver key of `root`, for
// exactly this plan, tenant, batch root and size, neither over nor longer than the plan's own expiry, and
// not by the requester. kDenied with what is wrong; kCorrupt when it does not decode.
Result<model::ApprovalRecord> check_approval(std::string_view envelope,
                                             const model::PlanRecord& plan,
                                             const signing::RootMetadata& root,
                                             std::int64_t now_ms);

// Whether `root` names who asked: an API user under another name than their own person could approve
// their own plan, and only people can notice.
bool is_person(const signing::RootMetadata& root, std::string_view name);

struct Quorum {
  std::uint32_t needed = 0;
  std::vector<std::string> persons;  // Who approved, ascending
  std::vector<std::string> rejected;
  bool is_reached() const { return rejected.empty() && persons.size() >= needed; }
};
// Each approval is checked again: against the batch as it is now, the root in force now, and the time.
Quorum count_approvals(const std::vector<model::ApprovalRecord>& approvals,
                       const model::PlanRecord& plan, const signing::RootMetadata& root,
                       std::int64_t now_ms);
// The envelopes that make the quorum, one of each person, for the command.
std::vector<std::string> counting_envelopes(const std::vector<model::ApprovalRecord>& approvals,
                                            const model::PlanRecord& plan,
                                            const signing::RootMetadata& root, std::int64_t now_ms);

}  // namespace observeai::controlplane::approval
