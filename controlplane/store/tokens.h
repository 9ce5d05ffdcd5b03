// Enrollment tokens and the enrollment transaction. Internal to controlplane/store.
#pragma once

#include "controlplane/model/repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

class TokenStore final : public model::TokenRepository {
 public:
  explicit TokenStore(StateDb& state) : state_(state) {}
  Result<void> insert(const model::TokenRecord& token) override;
  Result<std::optional<model::TokenRecord>> find(const std::string& id) override;
  Result<std::vector<model::TokenRecord>> list(const TenantId& tenant) override;
  Result<void> revoke(const std::string& id, std::int64_t now_ms) override;
  Result<model::AgentRecord> consume(const std::string& token_id, const model::AgentRecord& agent,
                                     std::int64_t now_ms) override;

 private:
  StateDb& state_;
};

}  // namespace observeai::controlplane::store
