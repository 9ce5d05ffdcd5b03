// API keys and login codes. Internal to controlplane/store.
#pragma once

#include "controlplane/model/repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

class AccessStore final : public model::AccessRepository {
 public:
  explicit AccessStore(StateDb& state) : state_(state) {}
  Result<void> insert_key(const model::ApiKeyRecord& key) override;
  Result<std::optional<model::ApiKeyRecord>> find_key(const std::string& id) override;
  Result<std::vector<model::ApiKeyRecord>> list_keys() override;
  Result<void> revoke_key(const std::string& id, std::int64_t now_ms) override;
  Result<void> key_used(const std::string& id, std::int64_t now_ms) override;
  Result<void> insert_login(const model::LoginCodeRecord& login) override;
  Result<model::LoginCodeRecord> use_login(const std::string& code_sha256,
                                           std::int64_t now_ms) override;

  // Codes that nobody can use any more.
  Result<void> forget_expired_logins(std::int64_t before_ms);

 private:
  StateDb& state_;
};

}  // namespace observeai::controlplane::store
