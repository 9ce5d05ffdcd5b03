// What people do with plans, for the HTTPS interface. controlplane/dispatch implements it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/plans.h"
#include "controlplane/model/records.h"
#include "protocol/base/result.h"

namespace observeai::model {

struct NewPlan {
  std::string action;
  std::vector<AgentId> agents;                    // Of the tenant
  std::map<std::string, std::string> parameters;  // As people write them; checked by the schema
  std::string reason;
  std::string incident;
  bool accept_downtime = false;
  bool accept_blast_radius = false;
  bool roll_back = false;
  bool all_at_once = false;
  std::int64_t timeout_ms = 0;            // 0: the default
  std::int64_t approval_lifetime_ms = 0;  // 0: the default
  Symptom symptom;
};

// What was passed over for the plan's action.
struct Alternative {
  std::string action;
  std::string why_not;
};

// A plan that would take back what was done to one host: the opposite action, or the value from before.
struct WayBack {
  AgentId agent;
  std::string action;
  std::map<std::string, std::string> parameters;  // As people write them
  bool operator==(const WayBack&) const = default;
};

// Somebody whose word would count: of the root in force, not the requester.
struct Approver {
  std::string person;
  std::vector<std::string> key_ids;
};

struct TargetView {
  PlanTargetRecord record;
  std::string hostname;
  std::map<std::string, std::string> labels;   // Of the host: "environment", "owner" ...
  std::optional<wire::CommandResult> dry_run;  // The newest valid one
  std::optional<wire::CommandResult> result;   // Of the newest command to execute
};

// The approval card.
struct PlanView {
  PlanRecord plan;
  std::vector<TargetView> targets;  // In the order of the batch
  std::vector<ApprovalRecord> approvals;
  std::uint32_t approvers_needed = 0;
  std::vector<std::string> approved_by;  // Whose word counts now
  std::vector<Approver> may_approve;
  std::vector<std::string>
      why_approval;  // Each begins with the id of the rule: "catalogue/tier-1: ..."
  std::vector<Alternative> alternatives;
  std::string rollback;  // A sentence
  ActionHistory history;
  std::vector<WayBack> ways_back;  // Of hosts where it was done and is not well, once it is over
  std::uint32_t waves = 0;
  std::uint32_t downtime_ms = 0;  // Expected, of one host
  AuditPoint audit;               // The newest entry about it; seq 0: none
};

struct CommandView {
  CommandRecord command;
  std::vector<ResultRecord> results;
};

struct ActionView {
  struct Parameter {
    std::string name;
    std::string kind;  // "text", "integer", "flag"
    bool required = false;
    std::int64_t min = 0;
    std::int64_t max = 0;
    std::string unit;
    std::string help;
  };
  std::string name;
  std::uint32_t version = 0;
  std::uint32_t tier = 0;
  bool undo = false;
  std::string target;
  std::string summary;
  std::string manifest_sha256;
  std::vector<Parameter> parameters;
};

// Thread-safe; blocks on the store. Everything is limited to the tenant: another one's is kNotFound.
// `person` is who holds the API key. kDenied: that does not go in the plan's state, or the approval
// does not count; kInvalid: a parameter, named.
class PlanDesk {
 public:
  virtual ~PlanDesk() = default;
  // Begins with the simulation unless `simulate` is false.
  virtual Result<PlanView> create(const NewPlan& wanted, const TenantId& tenant,
                                  const std::string& person, bool simulate) = 0;
  virtual Result<std::vector<PlanRecord>> list(const TenantId& tenant) = 0;  // Newest first
  virtual Result<PlanView> show(const TenantId& tenant, const std::string& id) = 0;
  virtual Result<PlanView> simulate(const TenantId& tenant, const std::string& id,
                                    const std::string& person) = 0;
  // `envelope`: as the approver's machine signed it.
  virtual Result<PlanView> approve(const TenantId& tenant, const std::string& id,
                                   const std::string& person, std::string_view envelope) = 0;
  virtual Result<PlanView> reject(const TenantId& tenant, const std::string& id,
                                  const std::string& person, const std::string& reason) = 0;
  virtual Result<PlanView> cancel(const TenantId& tenant, const std::string& id,
                                  const std::string& person) = 0;

  virtual Result<std::vector<CommandRecord>> commands(const TenantId& tenant) = 0;
  virtual Result<CommandView> command(const TenantId& tenant, const std::string& id_hex) = 0;

  virtual Result<MaintenanceFreeze> freeze(const TenantId& tenant) = 0;
  virtual Result<MaintenanceFreeze> set_freeze(const TenantId& tenant, const std::string& person,
                                               bool active, const std::string& reason,
                                               std::int64_t until_ms) = 0;
  virtual std::vector<ActionView> actions() = 0;
};

// Of one list.
inline constexpr std::size_t kMaxListedPlans = 1'000;
inline constexpr std::size_t kMaxListedCommands = 10'000;

}  // namespace observeai::model
