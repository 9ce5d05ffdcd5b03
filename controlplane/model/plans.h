// From a wish to a proven outcome, as the control plane remembers it: plans, their hosts, approvals,
// commands and results (docs/adr/0013). Plain values; what follows what: controlplane/approval.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/wire/command.h"

namespace observeai::model {

// Stored as numbers: append only.
enum class PlanState : std::uint8_t {
  kProposed = 1,
  kSimulating = 2,  // Dry runs are under way
  kSimulated = 3,   // Waits for approval
  kApproved = 4,
  kDispatching = 5,  // Commands of a wave are signed and sent
  kExecuting = 6,    // Results of the wave are awaited
  kVerifying = 7,    // The targets' own signals are looked at
  kSucceeded = 8,
  kFailed = 9,
  kRolledBack = 10,
  kInconclusive = 11,
  kRejected = 12,
  kExpired = 13,
  kCancelled = 14,
};

// Of one host of a plan.
enum class TargetState : std::uint8_t {
  kPlanned = 1,
  kSimulating = 2,
  kSimulated = 3,   // Also: waits for its wave, or to be sent anew after a refusal
  kDispatched = 4,  // A command to execute exists: from here on it may have been done
  kVerifying = 5,   // The host says it is done
  kSucceeded = 6,
  kFailed = 7,
  kRolledBack = 8,
  kInconclusive = 9,
  kRefused = 10,  // By the host: nothing was done
  kSilent = 11,   // No answer to the dry run
  kSkipped = 12,  // Never sent: the plan ended before
};

enum class Verdict : std::uint8_t { kPass = 1, kWarn = 2, kFail = 3, kNotApplicable = 4 };

// One line of the safety list.
struct CheckFinding {
  std::string name;  // "blast_radius"
  Verdict verdict = Verdict::kPass;
  std::string value;     // What was measured: "1 of 3 replicas"
  std::string sentence;  // What it means
  bool operator==(const CheckFinding&) const = default;
};

// What should be back in its band when the fix has worked: a metric of the target.
struct Symptom {
  std::string metric;  // "" = none named
  double low = 0;
  double high = 0;
  bool operator==(const Symptom&) const = default;
};

struct PlanRecord {
  wire::PlanId id;
  TenantId tenant;
  std::string action;
  std::uint32_t action_version = 0;
  wire::Digest manifest{};
  std::uint32_t tier = 0;
  wire::Parameters parameters;
  std::string reason;
  std::string incident;
  std::string requester;  // A person
  bool accept_downtime = false;
  bool accept_blast_radius = false;
  bool roll_back = false;
  bool all_at_once = false;  // One wave
  std::uint32_t timeout_ms = 60'000;
  Symptom symptom;

  PlanState state = PlanState::kProposed;
  std::int64_t created_ms = 0;
  std::int64_t since_ms = 0;     // Of this state
  std::int64_t deadline_ms = 0;  // Of this state; 0 exactly when it is over
  std::int64_t approval_lifetime_ms = 0;
  std::int64_t expires_ms = 0;  // No approval lasts longer; set by the simulation
  wire::Digest batch_root{};    // Zeros until simulated
  std::uint32_t batch_size = 0;
  std::uint32_t host_approvals =
      0;                     // The most persons that a host's own policy asks for, of all dry runs
  std::uint32_t wave = 0;    // The one under way, from 0
  bool is_stopping = false;  // Cancelled while hosts act: no further wave
  std::string stop_reason;   // Why no further wave: for people
  std::string detail;        // Why it is in this state: for people
  std::string decided_by;    // Who rejected or cancelled
  std::vector<CheckFinding> checks;
  std::uint64_t revision = 0;  // Grows with each change
  bool operator==(const PlanRecord&) const = default;
};

// What the target looked like before: verification compares with it.
struct Baseline {
  std::string state;  // Of the container or unit; "" = not known
  std::string health;
  std::int64_t started_ms = 0;
  std::uint32_t restarts = 0;
  std::uint32_t main_pid = 0;  // Of a unit; 0 = not known
  bool operator==(const Baseline&) const = default;
};

struct PlanTargetRecord {
  wire::PlanId plan;
  AgentId agent;
  std::uint32_t index = 0;  // Its leaf in the batch
  TargetState state = TargetState::kPlanned;
  std::int64_t since_ms = 0;
  std::string target;  // "container/web", as the host named it
  std::string intent;  // wire::encode_intent(), once simulated
  std::uint32_t wave = 0;
  std::uint32_t dry_runs = 0;  // Commands made so far
  std::uint32_t attempts = 0;  // The same, to execute
  wire::Digest policy{};       // Of the host, as simulation saw it
  Baseline baseline;
  std::int64_t done_ms = 0;                // When its result arrived
  std::string detail;                      // Why it is in this state
  std::vector<CheckFinding> verification;  // What was looked at since, the newest look
  bool operator==(const PlanTargetRecord&) const = default;
};

// As received, checked before it was stored.
struct ApprovalRecord {
  wire::PlanId plan;
  std::string person;
  std::string key_id;
  wire::ApprovalDecision decision = wire::ApprovalDecision::kApprove;
  std::string reason;
  std::string envelope;
  std::int64_t received_ms = 0;
  std::int64_t expires_ms = 0;
  bool operator==(const ApprovalRecord&) const = default;
};

enum class CommandState : std::uint8_t {
  kOpen = 1,      // Sent again until it is answered or over
  kAnswered = 2,  // A valid result is here
  kOver = 3,      // Expired or no longer wanted, without an answer
};

struct CommandRecord {
  wire::Bytes16 id{};
  wire::PlanId plan;
  TenantId tenant;
  AgentId agent;
  wire::CommandMode mode = wire::CommandMode::kDryRun;
  std::uint32_t attempt = 0;  // (plan, agent, mode, attempt) is unique
  std::uint64_t seq = 0;
  std::string envelope;  // As signed
  wire::Digest sha256{};
  std::int64_t issued_ms = 0;
  std::int64_t expires_ms = 0;
  CommandState state = CommandState::kOpen;
  bool operator==(const CommandRecord&) const = default;
};

// Stored with the batch that brought it; believed only once `valid`.
struct ResultRecord {
  std::int64_t no = 0;  // In order of arrival
  wire::Bytes16 command{};
  AgentId agent;
  std::string envelope;
  std::int64_t received_ms = 0;
  std::optional<bool> valid;  // Empty: not looked at yet
  bool operator==(const ResultRecord&) const = default;
};

// How this action fared before, from verified outcomes.
struct ActionHistory {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;  // Failed, rolled back
  std::uint64_t unclear = 0;
  // Of the newest kMostTimed that succeeded: from the command to the proof. 0 = none.
  std::int64_t median_ms = 0;
};
inline constexpr std::size_t kMostTimed = 101;

// One earlier attempt to execute.
struct Attempt {
  std::string action;
  AgentId agent;
  std::string target;
  TargetState state = TargetState::kDispatched;
  std::int64_t since_ms = 0;
  wire::PlanId plan;
};

struct MaintenanceFreeze {
  bool active = false;
  std::string reason;
  std::string by;
  std::int64_t since_ms = 0;
  std::int64_t until_ms = 0;  // 0 = until it is cleared
};

}  // namespace observeai::model
