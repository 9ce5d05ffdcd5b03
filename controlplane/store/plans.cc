#include "controlplane/store/plans.h"

#include "controlplane/store/audit_log.h"
#include "controlplane/store/commands.h"
#include "controlplane/store/ids.h"
#include "controlplane/store/plan_codec.h"
#include "controlplane/store/rows.h"

namespace observeai::controlplane::store {
namespace {

#define PLAN_COLUMNS \
  "id, tenant, action, created_ms, state, since_ms, deadline_ms, revision, wish, progress"
#define TARGET_COLUMNS                                                                      \
  "plan, agent, place, state, since_ms, target, intent, wave, dry_runs, attempts, policy, " \
  "baseline, done_ms, detail"

constexpr const char* kOpenCount = "SELECT count(*) FROM plans WHERE deadline_ms > 0 AND tenant=?";
constexpr const char* kInsert = "INSERT INTO plans(" PLAN_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kUpdate =
    "UPDATE plans SET state=?, since_ms=?, deadline_ms=?, progress=?, revision=revision+1"
    " WHERE id=? AND revision=?";
constexpr const char* kFind = "SELECT " PLAN_COLUMNS " FROM plans WHERE id=?";
constexpr const char* kList =
    "SELECT " PLAN_COLUMNS
    " FROM plans WHERE tenant=?1 AND (?2=0 OR created_ms<?2) ORDER BY created_ms DESC, id LIMIT ?3";
constexpr const char* kUnfinished =
    "SELECT " PLAN_COLUMNS " FROM plans WHERE deadline_ms > 0 ORDER BY created_ms, id";
constexpr const char* kPutTarget =
    "INSERT OR REPLACE INTO plan_targets(" TARGET_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kTargets =
    "SELECT " TARGET_COLUMNS " FROM plan_targets WHERE plan=? ORDER BY place, agent";
constexpr const char* kPutApproval =
    "INSERT OR REPLACE INTO approvals(plan, person, key_id, decision, reason, envelope, "
    "received_ms, expires_ms) VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kVoidApprovals = "DELETE FROM approvals WHERE plan=?";
constexpr const char* kApprovals =
    "SELECT plan, person, key_id, decision, reason, envelope, received_ms, expires_ms"
    " FROM approvals WHERE plan=? ORDER BY received_ms, person";
constexpr const char* kHistory =
    "SELECT t.state, count(*) FROM plan_targets t JOIN plans p ON p.id=t.plan"
    " WHERE p.tenant=? AND p.action=? AND t.attempts > 0 GROUP BY t.state";
constexpr const char* kTimes =
    "SELECT t.since_ms - min(c.issued_ms) FROM plan_targets t JOIN plans p ON p.id=t.plan"
    " JOIN commands c ON c.plan=t.plan AND c.agent=t.agent AND c.mode=?"
    " WHERE p.tenant=? AND p.action=? AND t.state=? AND t.attempts > 0"
    " GROUP BY t.plan, t.agent ORDER BY t.since_ms DESC LIMIT ?";
constexpr const char* kAttempts =
    "SELECT p.action, t.agent, t.target, t.state, t.since_ms, t.plan FROM plan_targets t"
    " JOIN plans p ON p.id=t.plan WHERE t.attempts > 0 AND t.since_ms>=?1"
    " AND (?2='' OR p.tenant=?2) ORDER BY t.since_ms DESC";
constexpr const char* kFreeze =
    "SELECT active, reason, person, since_ms, until_ms FROM maintenance_freezes WHERE tenant=?";
constexpr const char* kSetFreeze =
    "INSERT OR REPLACE INTO maintenance_freezes(tenant, active, reason, person, since_ms, until_ms)"
    " VALUES(?,?,?,?,?,?)";
constexpr const char* kForget = "DELETE FROM plans WHERE deadline_ms=0 AND since_ms<?";

Result<model::PlanRecord> plan_from(const sql::Statement& row) {
  model::PlanRecord plan;
  TRY(plan.id, id_from<wire::PlanId>(row.text(0)));
  TRY(plan.tenant, id_from<TenantId>(row.text(1)));
  plan.action = row.string(2);
  plan.created_ms = row.integer(3);
  plan.state = static_cast<model::PlanState>(row.integer(4));
  plan.since_ms = row.integer(5);
  plan.deadline_ms = row.integer(6);
  plan.revision = row.unsigned_integer(7);
  TRY_VOID(unpack_wish(row.blob(8), plan));
  TRY_VOID(unpack_progress(row.blob(9), plan));
  return plan;
}

Result<model::PlanTargetRecord> target_from(const sql::Statement& row) {
  model::PlanTargetRecord target;
  TRY(target.plan, id_from<wire::PlanId>(row.text(0)));
  TRY(target.agent, id_from<AgentId>(row.text(1)));
  target.index = row.integer32(2);
  target.state = static_cast<model::TargetState>(row.integer(3));
  target.since_ms = row.integer(4);
  target.target = row.string(5);
  target.intent = std::string(row.blob(6));
  target.wave = row.integer32(7);
  target.dry_runs = row.integer32(8);
  target.attempts = row.integer32(9);
  TRY(target.policy, digest_from(row.blob(10)));
  TRY_VOID(unpack_signals(row.blob(11), target));
  target.done_ms = row.integer(12);
  target.detail = row.string(13);
  return target;
}

Result<model::ApprovalRecord> approval_from(const sql::Statement& row) {
  model::ApprovalRecord approval;
  TRY(approval.plan, id_from<wire::PlanId>(row.text(0)));
  approval.person = row.string(1);
  approval.key_id = row.string(2);
  approval.decision = static_cast<wire::ApprovalDecision>(row.integer(3));
  approval.reason = row.string(4);
  approval.envelope = std::string(row.blob(5));
  approval.received_ms = row.integer(6);
  approval.expires_ms = row.integer(7);
  return approval;
}

Result<void> put_target(sql::Database& db, const model::PlanTargetRecord& target) {
  TRY_VOID(db.run(kPutTarget, target.plan.value(), target.agent.value(), target.index,
                  static_cast<int>(target.state), target.since_ms, target.target,
                  sql::Blob(target.intent), target.wave, target.dry_runs, target.attempts,
                  sql::Blob(target.policy), sql::Blob(pack_signals(target)), target.done_ms,
                  target.detail));
  return {};
}

Result<std::optional<model::PlanRecord>> find_plan(sql::Database& db, const wire::PlanId& id) {
  TRY(auto row, db.query(kFind, id.value()));
  TRY(const bool found, row.step());
  if (!found) return std::optional<model::PlanRecord>();
  TRY(auto plan, plan_from(row));
  return std::optional<model::PlanRecord>(std::move(plan));
}

Result<void> store_change(sql::Database& db, const model::PlanChange& change) {
  const auto& plan = change.plan;
  TRY(const auto changed,
      db.run(kUpdate, static_cast<int>(plan.state), plan.since_ms, plan.deadline_ms,
             sql::Blob(pack_progress(plan)), plan.id.value(), plan.revision));
  if (changed == 0)
    return Error(Errc::kUnavailable,
                 "plan " + plan.id.value() + " was changed meanwhile; try again");
  if (change.void_approvals) {
    TRY_VOID(db.run(kVoidApprovals, plan.id.value()));
  }
  for (const auto& target : change.targets) {
    TRY_VOID(put_target(db, target));
  }
  for (const auto& approval : change.approvals) {
    TRY_VOID(db.run(kPutApproval, approval.plan.value(), approval.person, approval.key_id,
                    static_cast<int>(approval.decision), approval.reason,
                    sql::Blob(approval.envelope), approval.received_ms, approval.expires_ms));
  }
  for (const auto& command : change.commands) {
    TRY_VOID(insert_command(db, command));
  }
  for (const auto& [id, state] : change.closed) {
    TRY_VOID(close_command(db, id, state));
  }
  for (const auto& [no, valid] : change.results) {
    TRY_VOID(mark_result(db, no, valid));
  }
  for (const auto& entry : change.audit) {
    TRY_VOID(append_audit(db, entry));
  }
  return {};
}

Result<std::int64_t> median_time(sql::Database& db, const TenantId& tenant,
                                 const std::string& action) {
  TRY(auto row, db.query(kTimes, static_cast<int>(wire::CommandMode::kExecute), tenant.value(),
                         action, static_cast<int>(model::TargetState::kSucceeded),
                         static_cast<std::uint64_t>(model::kMostTimed)));
  std::vector<std::int64_t> times;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) break;
    times.push_back(row.integer(0));
  }
  if (times.empty()) return 0;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

}  // namespace

Result<void> PlanStore::insert(const model::PlanRecord& plan,
                               const std::vector<model::PlanTargetRecord>& targets,
                               const model::AuditEntry& audit) {
  if (targets.empty() || targets.size() > model::kMaxTargetsOfPlan) {
    return Error(Errc::kLimit, "a plan has 1 to " + std::to_string(model::kMaxTargetsOfPlan) +
                                   " hosts, not " + std::to_string(targets.size()));
  }
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(const auto open, db.scalar(0, kOpenCount, plan.tenant.value()));
    if (static_cast<std::size_t>(open) >= model::kMaxOpenPlans) {
      return Error(Errc::kLimit, std::to_string(open) +
                                     " plans are open; cancel some first (observeai plan list)");
    }
    TRY_VOID(db.run(kInsert, plan.id.value(), plan.tenant.value(), plan.action, plan.created_ms,
                    static_cast<int>(plan.state), plan.since_ms, plan.deadline_ms, plan.revision,
                    sql::Blob(pack_wish(plan)), sql::Blob(pack_progress(plan))));
    for (const auto& target : targets) {
      TRY_VOID(put_target(db, target));
    }
    return append_audit(db, audit);
  });
}

Result<model::PlanRecord> PlanStore::apply(const model::PlanChange& change) {
  return state_.write([&](sql::Database& db) -> Result<model::PlanRecord> {
    TRY_VOID(store_change(db, change));
    model::PlanRecord stored = change.plan;
    ++stored.revision;
    return stored;
  });
}

Result<std::optional<model::PlanRecord>> PlanStore::find(const wire::PlanId& id) {
  return state_.read([&](sql::Database& db) { return find_plan(db, id); });
}

Result<std::vector<model::PlanTargetRecord>> PlanStore::targets(const wire::PlanId& id) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::PlanTargetRecord>> {
    TRY(auto row, db.query(kTargets, id.value()));
    return all<model::PlanTargetRecord>(row, target_from);
  });
}

Result<std::vector<model::ApprovalRecord>> PlanStore::approvals(const wire::PlanId& id) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::ApprovalRecord>> {
    TRY(auto row, db.query(kApprovals, id.value()));
    return all<model::ApprovalRecord>(row, approval_from);
  });
}

Result<std::vector<model::PlanRecord>> PlanStore::list(const TenantId& tenant,
                                                       std::int64_t before_ms, std::size_t limit) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::PlanRecord>> {
    TRY(auto row, db.query(kList, tenant.value(), before_ms, static_cast<std::uint64_t>(limit)));
    return all<model::PlanRecord>(row, plan_from);
  });
}

Result<std::vector<model::PlanRecord>> PlanStore::unfinished() {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::PlanRecord>> {
    TRY(auto row, db.query(kUnfinished));
    return all<model::PlanRecord>(row, plan_from);
  });
}

Result<model::ActionHistory> PlanStore::history(const TenantId& tenant, const std::string& action) {
  using T = model::TargetState;
  return state_.read([&](sql::Database& db) -> Result<model::ActionHistory> {
    TRY(auto row, db.query(kHistory, tenant.value(), action));
    model::ActionHistory out;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) break;
      const auto state = static_cast<T>(row.integer(0));
      const auto count = row.unsigned_integer(1);
      if (state == T::kSucceeded) out.succeeded += count;
      if (state == T::kFailed || state == T::kRolledBack) out.failed += count;
      if (state == T::kInconclusive) out.unclear += count;
    }
    TRY(out.median_ms, median_time(db, tenant, action));
    return out;
  });
}

Result<std::vector<model::Attempt>> PlanStore::attempts(const TenantId& tenant,
                                                        std::int64_t since_ms) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::Attempt>> {
    TRY(auto row, db.query(kAttempts, since_ms, tenant.value()));
    return all<model::Attempt>(row, [](const sql::Statement& one) -> Result<model::Attempt> {
      model::Attempt out;
      out.action = one.string(0);
      TRY(out.agent, id_from<AgentId>(one.text(1)));
      out.target = one.string(2);
      out.state = static_cast<model::TargetState>(one.integer(3));
      out.since_ms = one.integer(4);
      TRY(out.plan, id_from<wire::PlanId>(one.text(5)));
      return out;
    });
  });
}

Result<model::MaintenanceFreeze> PlanStore::freeze(const TenantId& tenant) {
  return state_.read([&](sql::Database& db) -> Result<model::MaintenanceFreeze> {
    TRY(auto row, db.query(kFreeze, tenant.value()));
    TRY(const bool found, row.step());
    if (!found) return model::MaintenanceFreeze();
    return model::MaintenanceFreeze{row.integer(0) != 0, row.string(1), row.string(2),
                                    row.integer(3), row.integer(4)};
  });
}

Result<void> PlanStore::set_freeze(const TenantId& tenant, const model::MaintenanceFreeze& freeze,
                                   const model::AuditEntry& audit) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY_VOID(db.run(kSetFreeze, tenant.value(), freeze.active, freeze.reason, freeze.by,
                    freeze.since_ms, freeze.until_ms));
    return append_audit(db, audit);
  });
}

Result<void> PlanStore::forget(std::int64_t before_ms) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY_VOID(db.run(kForget, before_ms));
    return {};
  });
}

}  // namespace observeai::controlplane::store
