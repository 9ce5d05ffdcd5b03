// Why a host executes a command not: the reason in a signed result. Stable, for scripts and tests.
#pragma once

namespace observeai::wire::refusals {

inline constexpr const char* kOversized = "oversized";
inline constexpr const char* kMalformed = "malformed";
inline constexpr const char* kWrongType = "wrong_type";
inline constexpr const char* kBadSignature = "bad_signature";
inline constexpr const char* kOutOfDelegation = "out_of_delegation";
inline constexpr const char* kWrongTenant = "wrong_tenant";
inline constexpr const char* kWrongHost = "wrong_host";
inline constexpr const char* kWrongEnrollment = "wrong_enrollment";
inline constexpr const char* kWrongSession = "wrong_session";
inline constexpr const char* kRootOutdated = "root_outdated";
inline constexpr const char* kRootExpired = "root_expired";
inline constexpr const char* kTimeUnknown = "time_unknown";
inline constexpr const char* kTooEarly = "too_early";
inline constexpr const char* kExpired = "expired";
inline constexpr const char* kLifetime = "lifetime";
// The id is known, with other bytes; or what was approved has been executed.
inline constexpr const char* kReplayed = "replayed";
inline constexpr const char* kSequence = "sequence";
inline constexpr const char* kLedger =
    "ledger";  // It cannot be written: disk full, read-only, damaged
inline constexpr const char* kDisabled = "disabled";
inline constexpr const char* kPolicyUnreadable = "policy_unreadable";
inline constexpr const char* kUnknownAction = "unknown_action";
inline constexpr const char* kWrongManifest = "wrong_manifest";
inline constexpr const char* kBadParameter = "bad_parameter";
inline constexpr const char* kWrongTier = "wrong_tier";
inline constexpr const char* kNotInBatch = "not_in_batch";
inline constexpr const char* kApprovalInvalid = "approval_invalid";
inline constexpr const char* kApprovalMissing = "approval_missing";
inline constexpr const char* kRequesterApproves = "requester_approves";
inline constexpr const char* kPolicy = "policy";
inline constexpr const char* kWindow = "window";
inline constexpr const char* kRate = "rate";
inline constexpr const char* kBusy = "busy";
inline constexpr const char* kCooldown = "cooldown";
inline constexpr const char* kNoTarget = "no_target";  // What the action is about is not there
inline constexpr const char* kPrecondition =
    "precondition";  // It is there, and not as the action needs it
inline constexpr const char* kStale = "stale";
inline constexpr const char* kDiffChanged = "diff_changed";
// The executor ended before it began; nothing was done.
inline constexpr const char* kInterrupted = "interrupted";

}  // namespace observeai::wire::refusals
