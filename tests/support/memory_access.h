// API keys and login codes in memory, with the semantics of model::AccessRepository. Thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/repositories.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::test {

class MemoryAccessRepository final : public model::AccessRepository {
 public:
  Result<void> insert_key(const model::ApiKeyRecord& key) override {
    MutexLock lock(mutex_);
    if (!keys_.emplace(key.id, key).second)
      return Error(Errc::kInvalid, "key " + key.id + " exists");
    return {};
  }
  Result<std::optional<model::ApiKeyRecord>> find_key(const std::string& id) override {
    MutexLock lock(mutex_);
    ++finds_;
    const auto found = keys_.find(id);
    if (found == keys_.end()) return std::optional<model::ApiKeyRecord>();
    return std::optional<model::ApiKeyRecord>(found->second);
  }
  Result<std::vector<model::ApiKeyRecord>> list_keys() override {
    MutexLock lock(mutex_);
    std::vector<model::ApiKeyRecord> out;
    for (const auto& [id, key] : keys_) out.push_back(key);
    return out;
  }
  Result<void> revoke_key(const std::string& id, std::int64_t now_ms) override {
    MutexLock lock(mutex_);
    const auto found = keys_.find(id);
    if (found == keys_.end()) return Error(Errc::kNotFound, "no key " + id);
    if (found->second.revoked_ms == 0) found->second.revoked_ms = now_ms;
    return {};
  }
  Result<void> key_used(const std::string& id, std::int64_t now_ms) override {
    MutexLock lock(mutex_);
    const auto found = keys_.find(id);
    if (found == keys_.end()) return Error(Errc::kNotFound, "no key " + id);
    found->second.last_used_ms = now_ms;
    return {};
  }
  Result<void> insert_login(const model::LoginCodeRecord& login) override {
    MutexLock lock(mutex_);
    logins_[login.code_sha256] = login;
    return {};
  }
  Result<model::LoginCodeRecord> use_login(const std::string& code_sha256,
                                           std::int64_t now_ms) override {
    MutexLock lock(mutex_);
    const auto found = logins_.find(code_sha256);
    if (found == logins_.end() || found->second.used_ms != 0 ||
        found->second.expires_ms <= now_ms) {
      return Error(Errc::kDenied, "the login code is unknown, used or expired");
    }
    found->second.used_ms = now_ms;
    return found->second;
  }

  // How often find_key() was asked.
  int finds() {
    MutexLock lock(mutex_);
    return finds_;
  }

 private:
  Mutex mutex_;
  std::map<std::string, model::ApiKeyRecord> keys_ GUARDED_BY(mutex_);
  std::map<std::string, model::LoginCodeRecord> logins_ GUARDED_BY(mutex_);
  int finds_ GUARDED_BY(mutex_) = 0;
};

}  // namespace observeai::test
