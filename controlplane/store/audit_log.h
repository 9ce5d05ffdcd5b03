// The audit log and its signed heads. Internal to controlplane/store.
#pragma once

#include "controlplane/model/repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Chains the entries of a log from before the chain. A log in which any entry has a hash is left as it is:
// an entry without one is then no entry of this program.
Result<void> chain_old_entries(StateDb& state);

// Inside a transaction of the caller, with what it is about: both or neither.
Result<void> append_audit(sql::Database& db, model::AuditEntry entry);

// Numbers go on behind the highest ever given (SQLite's AUTOINCREMENT keeps it, within the transaction):
// a failed append leaves no hole, and entries that were deleted leave one for good.
class AuditStore final : public model::AuditLog {
 public:
  explicit AuditStore(StateDb& state) : state_(state) {}
  Result<void> append(const model::AuditEntry& entry) override;
  Result<std::vector<model::AuditEntry>> list(std::uint64_t after_seq, std::size_t limit) override;
  Result<model::AuditPoint> newest() override;
  Result<model::AuditPoint> newest_about(const std::string& object) override;

 private:
  StateDb& state_;
};

class AuditHeadStore final : public model::AuditHeadRepository {
 public:
  explicit AuditHeadStore(StateDb& state) : state_(state) {}
  Result<void> insert(const model::SignedAuditHead& head) override;
  Result<std::vector<model::SignedAuditHead>> list(std::uint64_t after_seq,
                                                   std::size_t limit) override;
  Result<std::optional<model::SignedAuditHead>> newest() override;

 private:
  StateDb& state_;
};

}  // namespace observeai::controlplane::store
