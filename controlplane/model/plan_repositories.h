// What remediation needs of the store. Thread-safe; blocks briefly; kUnavailable when the store cannot be
// reached.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/plans.h"
#include "controlplane/model/records.h"
#include "protocol/base/result.h"

namespace observeai::model {

// All of it or nothing, durable on return.
struct PlanChange {
  PlanRecord plan;                        // As it shall be; revision as it was read
  std::vector<PlanTargetRecord> targets;  // Those that change
  std::vector<CommandRecord> commands;    // New ones
  std::vector<ApprovalRecord> approvals;  // New ones; a person's earlier one is replaced
  bool void_approvals = false;            // The earlier ones are forgotten
  std::vector<std::pair<wire::Bytes16, CommandState>> closed;
  std::vector<std::pair<std::int64_t, bool>> results;  // ResultRecord::no, valid
  std::vector<AuditEntry> audit;                       // What is said of it
};

// Open plans of one tenant; a person can look after no more.
inline constexpr std::size_t kMaxOpenPlans = 1'000;
inline constexpr std::size_t kMaxTargetsOfPlan = 10'000;
// Of one command: a host signs one, and repeats it byte by byte.
inline constexpr std::size_t kMaxResultsOfCommand = 8;
// Of one command, by each host that it was not sent to: enough to know that it was delivered there.
inline constexpr std::size_t kMaxResultsOfStranger = 1;
// How long plans that are over are kept, with all that belongs to them.
inline constexpr std::int64_t kKeepPlansMs = 90LL * 86'400'000;

class PlanRepository {
 public:
  virtual ~PlanRepository() = default;
  // kLimit: the tenant has kMaxOpenPlans that are not over, or the plan has too many targets.
  virtual Result<void> insert(const PlanRecord& plan, const std::vector<PlanTargetRecord>& targets,
                              const AuditEntry& audit) = 0;
  // kUnavailable when somebody else changed the plan since it was read: read it again. Returns the plan
  // as stored.
  virtual Result<PlanRecord> apply(const PlanChange& change) = 0;
  virtual Result<std::optional<PlanRecord>> find(const wire::PlanId& id) = 0;
  virtual Result<std::vector<PlanTargetRecord>> targets(const wire::PlanId& id) = 0;  // By index
  virtual Result<std::vector<ApprovalRecord>> approvals(const wire::PlanId& id) = 0;
  // Newest first, created before `before_ms` (0 = any).
  virtual Result<std::vector<PlanRecord>> list(const TenantId& tenant, std::int64_t before_ms,
                                               std::size_t limit) = 0;
  virtual Result<std::vector<PlanRecord>> unfinished() = 0;  // Of every tenant, oldest first
  virtual Result<ActionHistory> history(const TenantId& tenant, const std::string& action) = 0;
  // Commands to execute since then, newest first.
  virtual Result<std::vector<Attempt>> attempts(const TenantId& tenant, std::int64_t since_ms) = 0;

  virtual Result<MaintenanceFreeze> freeze(const TenantId& tenant) = 0;
  virtual Result<void> set_freeze(const TenantId& tenant, const MaintenanceFreeze& freeze,
                                  const AuditEntry& audit) = 0;
};

class CommandRepository {
 public:
  virtual ~CommandRepository() = default;
  // The next sequence for each of these agents, above what it says it has seen. Never given out twice,
  // whatever happens next.
  virtual Result<std::vector<std::uint64_t>> reserve(
      const std::vector<std::pair<AgentId, std::uint64_t>>& agents) = 0;
  virtual Result<std::optional<CommandRecord>> find(const wire::Bytes16& id) = 0;
  virtual Result<std::vector<CommandRecord>> of_plan(const wire::PlanId& plan) = 0;  // Oldest first
  virtual Result<std::vector<CommandRecord>> open(const AgentId& agent) = 0;         // By seq
  // Newest first, without envelopes; issued before `before_ms` (0 = any).
  virtual Result<std::vector<CommandRecord>> list(const TenantId& tenant, std::int64_t before_ms,
                                                  std::size_t limit) = 0;
  virtual Result<std::vector<ResultRecord>> results(const wire::Bytes16& command) = 0;
  virtual Result<std::vector<ResultRecord>> unchecked(std::size_t limit) = 0;  // Oldest first
  // Outside of a plan's change: it is over, or the result is of no command that waits.
  virtual Result<void> mark(const ResultRecord& result, bool valid) = 0;
};

}  // namespace observeai::model
