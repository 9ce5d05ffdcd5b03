// What an audit entry says was done: every name in one place. docs/events.md lists them, scripts/check
// compares. A new one goes here and there.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "controlplane/model/records.h"

namespace observeai::controlplane::audit {

// No other text passes for a kind.
struct Kind {
  std::string_view name;
};

namespace kinds {
inline constexpr Kind kAgentEnroll{"agent.enroll"};
inline constexpr Kind kAgentEnrollRetry{"agent.enroll.retry"};
inline constexpr Kind kAgentEnrollRefused{"agent.enroll.refused"};
inline constexpr Kind kAgentConfirm{"agent.confirm"};
inline constexpr Kind kAgentConfirmRefused{"agent.confirm.refused"};
inline constexpr Kind kAgentApprove{"agent.approve"};
inline constexpr Kind kAgentRenew{"agent.renew"};
inline constexpr Kind kAgentRenewRefused{"agent.renew.refused"};
inline constexpr Kind kAgentRevoke{"agent.revoke"};
inline constexpr Kind kTokenCreate{"token.create"};
inline constexpr Kind kTokenRevoke{"token.revoke"};
inline constexpr Kind kKeyCreate{"key.create"};
inline constexpr Kind kKeyRevoke{"key.revoke"};
inline constexpr Kind kKeyUse{"key.use"};
inline constexpr Kind kLoginCreate{"login.create"};
inline constexpr Kind kLogin{"login"};
inline constexpr Kind kAuthBlock{"auth.block"};
inline constexpr Kind kAlertResolve{"alert.resolve"};
inline constexpr Kind kRootPublish{"root.publish"};
inline constexpr Kind kSignerRefuse{"signer.refuse"};
inline constexpr Kind kPlanCreate{"plan.create"};
inline constexpr Kind kPlanSimulate{"plan.simulate"};
inline constexpr Kind kPlanApprove{"plan.approve"};
inline constexpr Kind kPlanReject{"plan.reject"};
inline constexpr Kind kPlanCancel{"plan.cancel"};
inline constexpr Kind kPlanExpire{"plan.expire"};
inline constexpr Kind kPlanDispatch{"plan.dispatch"};
inline constexpr Kind kPlanResult{"plan.result"};
inline constexpr Kind kMaintenanceFreeze{"maintenance.freeze"};
inline constexpr Kind kMaintenanceClear{"maintenance.clear"};
inline constexpr Kind kPredictEnable{"predict.enable"};
inline constexpr Kind kPredictDisable{"predict.disable"};
inline constexpr Kind kHostPolicy{"host.policy"};
inline constexpr Kind kResultForged{"result.forged"};
inline constexpr Kind kResultStray{"result.stray"};
}  // namespace kinds

// Whose entry it is stands in the detail as "tenant": without it only the tenant that runs the
// installation sees it.
using Detail = std::map<std::string, std::string>;

// For AuditLog::append. `actor`: "user:<name>", "agent:<id>", "system". Any bytes; made UTF-8.
model::AuditEntry entry_of(Kind kind, std::int64_t now_ms, const std::string& actor,
                           const std::string& object, const Detail& detail);

}  // namespace observeai::controlplane::audit
