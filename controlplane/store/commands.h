// Commands and their results. Internal to controlplane/store.
#pragma once

#include "controlplane/model/plan_repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Inside a transaction of the caller.
Result<void> insert_command(sql::Database& db, const model::CommandRecord& command);
Result<void> close_command(sql::Database& db, const wire::Bytes16& id, model::CommandState state);
Result<void> mark_result(sql::Database& db, std::int64_t no, bool valid);
// What a batch of lane 0 brought, unverified: kept once when this agent was sent the command, and only
// kMaxResultsOfCommand of each; or another one was sent these very bytes, kMaxResultsOfStranger. Anything
// else is an alert.
Result<void> store_results(sql::Database& db, const AgentId& agent,
                           const std::vector<std::string>& envelopes, std::int64_t now_ms);

class CommandStore final : public model::CommandRepository {
 public:
  explicit CommandStore(StateDb& state) : state_(state) {}
  Result<std::vector<std::uint64_t>> reserve(
      const std::vector<std::pair<AgentId, std::uint64_t>>& agents) override;
  Result<std::optional<model::CommandRecord>> find(const wire::Bytes16& id) override;
  Result<std::vector<model::CommandRecord>> of_plan(const wire::PlanId& plan) override;
  Result<std::vector<model::CommandRecord>> open(const AgentId& agent) override;
  Result<std::vector<model::CommandRecord>> list(const TenantId& tenant, std::int64_t before_ms,
                                                 std::size_t limit) override;
  Result<std::vector<model::ResultRecord>> results(const wire::Bytes16& command) override;
  Result<std::vector<model::ResultRecord>> unchecked(std::size_t limit) override;
  Result<void> mark(const model::ResultRecord& result, bool valid) override;

 private:
  StateDb& state_;
};

}  // namespace observeai::controlplane::store
