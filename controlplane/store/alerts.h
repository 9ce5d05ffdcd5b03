// Open alerts and the audit log. Internal to controlplane/store.
#pragma once

#include "controlplane/model/repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Inside a transaction of the caller: an alert that belongs to what is committed.
Result<void> raise_alert(sql::Database& db, const model::Alert& alert);

class AlertStore final : public model::AlertRepository {
 public:
  explicit AlertStore(StateDb& state) : state_(state) {}
  Result<void> raise(const model::Alert& alert) override;
  Result<void> clear(const std::string& kind, const AgentId& agent,
                     const std::string& object) override;
  Result<std::vector<model::Alert>> open() override;

 private:
  StateDb& state_;
};

class AuditStore final : public model::AuditLog {
 public:
  explicit AuditStore(StateDb& state) : state_(state) {}
  Result<void> append(const model::AuditEntry& entry) override;
  Result<std::vector<model::AuditEntry>> list(std::uint64_t after_seq, std::size_t limit) override;

 private:
  StateDb& state_;
};

}  // namespace observeai::controlplane::store
