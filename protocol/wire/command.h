// Signed remediation as plain values: docs/adr/0013 tells the story, command.proto the form. Nothing
// here is trusted before its signature holds; bytes and limits: command_codec.h.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/wire/signals.h"

namespace observeai::wire {

inline constexpr const char* kCommandType = "observeai/v1/command";
inline constexpr const char* kApprovalType = "observeai/v1/approval";
inline constexpr const char* kResultType = "observeai/v1/result";
inline constexpr const char* kTimeType = "observeai/v1/time";
inline constexpr const char* kAuditHeadType = "observeai/v1/audit-head";

using Bytes16 = std::array<std::uint8_t, 16>;
using Digest = std::array<std::uint8_t, 32>;  // sha256; all zeros: none

using PlanId = StringId<struct PlanIdTag>;

using ParameterValue = std::variant<std::string, std::int64_t, bool>;
using Parameters = std::map<std::string, ParameterValue>;  // Names [a-z0-9_]{1,64}

// What is to happen on one host. Its encoded bytes are the leaf of a batch.
struct Intent {
  PlanId plan;
  TenantId tenant;
  AgentId agent;
  std::string action;
  std::uint32_t action_version = 0;
  Digest manifest{};
  Parameters parameters;
  Digest state{};  // Of the target as the dry run saw it; zeros in a dry run
  Digest diff{};   // diff_digest() of the dry run; zeros in a dry run
  std::uint32_t tier = 0;
  std::uint32_t timeout_ms = 60'000;
  std::uint32_t output_limit = 64U << 10;
  bool roll_back = false;
  std::string requester;  // A person
  std::string incident;
  bool operator==(const Intent&) const = default;
};

enum class CommandMode : std::uint8_t { kDryRun = 1, kExecute = 2 };

struct Command {
  Bytes16 id{};
  std::string intent;  // encode_intent(), verbatim
  CommandMode mode = CommandMode::kDryRun;
  Bytes16 enrollment{};
  Bytes16 session{};
  std::uint64_t seq = 0;
  std::int64_t issued_ms = 0;
  std::int64_t not_before_ms = 0;
  std::int64_t expires_ms = 0;
  // Zeros and empty exactly in a dry run.
  Digest batch_root{};
  std::uint32_t batch_size = 0;
  std::uint32_t batch_index = 0;
  std::vector<Digest> path;
  std::vector<std::string> approvals;  // Envelopes as received
  std::uint64_t root_version = 0;
  Digest policy{};  // Zeros: any
  std::uint64_t audit_seq = 0;
  Digest audit_hash{};
  bool operator==(const Command&) const = default;
};

enum class ApprovalDecision : std::uint8_t { kApprove = 1, kReject = 2 };

struct Approval {
  PlanId plan;
  TenantId tenant;
  Digest batch_root{};
  std::uint32_t batch_size = 0;
  ApprovalDecision decision = ApprovalDecision::kApprove;
  std::int64_t issued_ms = 0;
  std::int64_t expires_ms = 0;
  std::string reason;
  bool operator==(const Approval&) const = default;
};

enum class ResultOutcome : std::uint8_t {
  kRefused = 1,      // Nothing was done
  kDryRun = 2,       // What would be done
  kSucceeded = 3,    // Done, and the post-condition holds
  kFailed = 4,       // Done in part or not at all, and not undone
  kRolledBack = 5,   // The state from before is back
  kInterrupted = 6,  // The executor ended meanwhile
};
std::string_view to_string(ResultOutcome outcome);  // "refused", "dry_run", "succeeded" ...

struct Change {
  std::string what;
  std::string before;
  std::string after;
  bool operator==(const Change&) const = default;
};
struct ResultStep {
  std::string name;
  std::string detail;
  std::uint32_t duration_ms = 0;
  bool operator==(const ResultStep&) const = default;
};

struct CommandResult {
  Bytes16 command_id{};
  Digest command_sha256{};
  TenantId tenant;
  AgentId agent;
  Bytes16 session{};
  std::uint64_t seq = 0;
  ResultOutcome outcome = ResultOutcome::kRefused;
  std::string reason;   // refusals.h, or why it failed
  std::string message;  // For people
  std::vector<Change> diff;
  std::vector<ResultStep> steps;
  Digest state_before{};
  Digest state_after{};
  std::string output;
  bool output_truncated = false;
  std::int64_t received_ms = 0;
  std::int64_t started_ms = 0;
  std::int64_t finished_ms = 0;
  Digest policy{};
  std::string target;
  std::uint32_t downtime_ms = 0;
  Labels facts;  // What safety checks need of the host; names ascend strictly
  bool operator==(const CommandResult&) const = default;
};

struct TimeStatement {
  AgentId agent;
  Bytes16 challenge{};
  std::int64_t unix_ms = 0;
  bool operator==(const TimeStatement&) const = default;
};

struct AuditHead {
  std::uint64_t seq = 0;
  Digest hash{};
  std::int64_t unix_ms = 0;
  bool operator==(const AuditHead&) const = default;
};

// down/meta: envelopes as signed.
struct Meta {
  std::vector<std::string> roots;  // Versions ascending
  std::string time;                // Or empty
  std::string audit_head;          // Or empty
  bool operator==(const Meta&) const = default;
};

}  // namespace observeai::wire
