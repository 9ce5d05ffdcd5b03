// The fleet's repositories in memory, with the semantics of controlplane/model/repositories.h: for
// tests of modules above the store. Thread-safe. Everything is lost with the object.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "controlplane/audit/chain.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::test {

class MemoryAgentRegistry final : public model::AgentRegistry {
 public:
  Result<std::optional<model::AgentRecord>> find(const AgentId& id) override {
    MutexLock lock(mutex_);
    const auto found = agents_.find(id);
    if (found == agents_.end()) return std::optional<model::AgentRecord>();
    return std::optional<model::AgentRecord>(found->second);
  }

  Result<std::vector<model::AgentRecord>> list(const TenantId& tenant) override {
    MutexLock lock(mutex_);
    std::vector<model::AgentRecord> out;
    for (const auto& [id, agent] : agents_) {
      if (tenant.empty() || agent.tenant == tenant) out.push_back(agent);
    }
    return out;
  }

  Result<void> confirm(const AgentId& id) override {
    MutexLock lock(mutex_);
    const auto found = agents_.find(id);
    if (found == agents_.end()) return missing(id);
    if (found->second.state == model::AgentState::kRevoked) {
      return Error(Errc::kDenied, "agent " + id.value() + " is revoked");
    }
    found->second.state = model::AgentState::kActive;
    return {};
  }

  Result<void> revoke(const AgentId& id, const std::string& reason, std::int64_t now_ms) override {
    MutexLock lock(mutex_);
    const auto found = agents_.find(id);
    if (found == agents_.end()) return missing(id);
    auto& agent = found->second;
    if (agent.state == model::AgentState::kRevoked) return {};
    agent.state = model::AgentState::kRevoked;
    agent.revoked_reason = reason;
    agent.revoked_ms = now_ms;
    return {};
  }

  Result<void> update_certificate(const AgentId& id, const std::string& spki_sha256,
                                  const std::string& certificate_pem, const std::string& serial,
                                  std::int64_t not_after_ms) override {
    MutexLock lock(mutex_);
    const auto found = agents_.find(id);
    if (found == agents_.end()) return missing(id);
    auto& agent = found->second;
    agent.spki_sha256 = spki_sha256;
    agent.certificate_pem = certificate_pem;
    agent.certificate_serial = serial;
    agent.certificate_not_after_ms = not_after_ms;
    return {};
  }

  Result<void> seen(const AgentId& id, std::int64_t now_ms,
                    const std::optional<wire::Hello>& hello) override {
    MutexLock lock(mutex_);
    const auto found = agents_.find(id);
    if (found == agents_.end()) return missing(id);
    found->second.last_seen_ms = now_ms;
    if (hello) found->second.last_hello = hello;
    return {};
  }

  // For tests that need an agent without enrolling it; replaces one with the same id.
  void put(const model::AgentRecord& agent) {
    MutexLock lock(mutex_);
    agents_[agent.id] = agent;
  }
  // False when the id is taken.
  bool insert(const model::AgentRecord& agent) {
    MutexLock lock(mutex_);
    return agents_.emplace(agent.id, agent).second;
  }

 private:
  static Error missing(const AgentId& id) {
    return Error(Errc::kNotFound, "no agent " + id.value());
  }

  Mutex mutex_;
  std::map<AgentId, model::AgentRecord> agents_ GUARDED_BY(mutex_);
};

class MemoryTokenRepository final : public model::TokenRepository {
 public:
  // `agents` receives what consume() enrolls and must outlive this.
  explicit MemoryTokenRepository(MemoryAgentRegistry& agents) : agents_(agents) {}

  Result<void> insert(const model::TokenRecord& token) override {
    MutexLock lock(mutex_);
    if (!tokens_.emplace(token.id, token).second) {
      return Error(Errc::kInvalid, "token " + token.id + " exists");
    }
    return {};
  }

  Result<std::optional<model::TokenRecord>> find(const std::string& id) override {
    MutexLock lock(mutex_);
    const auto found = tokens_.find(id);
    if (found == tokens_.end()) return std::optional<model::TokenRecord>();
    return std::optional<model::TokenRecord>(found->second);
  }

  Result<std::vector<model::TokenRecord>> list(const TenantId& tenant) override {
    MutexLock lock(mutex_);
    std::vector<model::TokenRecord> out;
    for (const auto& [id, token] : tokens_) {
      if (tenant.empty() || token.tenant == tenant) out.push_back(token);
    }
    return out;
  }

  Result<void> revoke(const std::string& id, std::int64_t now_ms) override {
    MutexLock lock(mutex_);
    const auto found = tokens_.find(id);
    if (found == tokens_.end()) return Error(Errc::kNotFound, "no token " + id);
    if (found->second.revoked_ms == 0) found->second.revoked_ms = now_ms;
    return {};
  }

  Result<model::AgentRecord> consume(const std::string& token_id, const model::AgentRecord& agent,
                                     std::int64_t now_ms) override {
    MutexLock lock(mutex_);
    const auto key = std::pair(token_id, agent.spki_sha256);
    if (const auto before = enrolled_.find(key); before != enrolled_.end()) {
      TRY(const auto record, agents_.find(before->second));
      if (record) return *record;
    }
    const auto found = tokens_.find(token_id);
    if (found == tokens_.end()) return Error(Errc::kDenied, "token is unknown");
    auto& token = found->second;
    if (token.revoked_ms != 0) return Error(Errc::kDenied, "token is revoked");
    if (token.expires_ms <= now_ms) return Error(Errc::kDenied, "token is expired");
    if (token.uses >= token.uses_allowed) return Error(Errc::kDenied, "token is used up");
    if (!agents_.insert(agent)) return Error(Errc::kInvalid, "agent id is taken");
    ++token.uses;
    enrolled_.emplace(key, agent.id);
    return agent;
  }

 private:
  MemoryAgentRegistry& agents_;
  Mutex mutex_;
  std::map<std::string, model::TokenRecord> tokens_ GUARDED_BY(mutex_);
  // (token, key it was enrolled with): stays when the agent renews its key.
  std::map<std::pair<std::string, std::string>, AgentId> enrolled_ GUARDED_BY(mutex_);
};

class MemoryAuditLog final : public model::AuditLog {
 public:
  Result<void> append(const model::AuditEntry& entry) override {
    MutexLock lock(mutex_);
    const auto before = entries_.empty() ? wire::Digest{} : entries_.back().hash;
    entries_.push_back(entry);
    auto& added = entries_.back();
    added.seq = entries_.size();
    added.hash = controlplane::audit::chain_hash(added.seq, before, added);
    return {};
  }

  Result<model::AuditPoint> newest_about(const std::string& object) override {
    MutexLock lock(mutex_);
    for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
      if (it->object == object) return model::AuditPoint{it->seq, it->hash};
    }
    return model::AuditPoint();
  }

  Result<std::vector<model::AuditEntry>> list(std::uint64_t after_seq, std::size_t limit) override {
    MutexLock lock(mutex_);
    std::vector<model::AuditEntry> out;
    for (const auto& entry : entries_) {
      if (out.size() == limit) break;
      if (entry.seq > after_seq) out.push_back(entry);
    }
    return out;
  }

  Result<model::AuditPoint> newest() override {
    MutexLock lock(mutex_);
    if (entries_.empty()) return model::AuditPoint();
    return model::AuditPoint{entries_.back().seq, entries_.back().hash};
  }

  // For attacks: the next appends go on from this.
  void replace(std::vector<model::AuditEntry> entries) {
    MutexLock lock(mutex_);
    entries_ = std::move(entries);
  }

 private:
  Mutex mutex_;
  std::vector<model::AuditEntry> entries_ GUARDED_BY(mutex_);
};

class MemoryAuditHeadRepository final : public model::AuditHeadRepository {
 public:
  Result<void> insert(const model::SignedAuditHead& head) override {
    MutexLock lock(mutex_);
    const auto [place, is_new] = heads_.emplace(head.head.seq, head);
    if (is_new || place->second.head.hash == head.head.hash) return {};
    return Error(Errc::kDenied, "signed before, with another hash");
  }

  Result<std::vector<model::SignedAuditHead>> list(std::uint64_t after_seq,
                                                   std::size_t limit) override {
    MutexLock lock(mutex_);
    std::vector<model::SignedAuditHead> out;
    for (auto it = heads_.upper_bound(after_seq); it != heads_.end() && out.size() < limit; ++it)
      out.push_back(it->second);
    return out;
  }

  Result<std::optional<model::SignedAuditHead>> newest() override {
    MutexLock lock(mutex_);
    if (heads_.empty()) return std::optional<model::SignedAuditHead>();
    return std::optional<model::SignedAuditHead>(heads_.rbegin()->second);
  }

 private:
  Mutex mutex_;
  std::map<std::uint64_t, model::SignedAuditHead> heads_ GUARDED_BY(mutex_);
};

class MemoryAlertRepository final : public model::AlertRepository {
 public:
  Result<void> raise(const model::Alert& alert) override {
    MutexLock lock(mutex_);
    const auto [place, is_new] =
        alerts_.emplace(std::tuple(alert.kind, alert.agent, alert.object), alert);
    auto& open = place->second;
    if (is_new) {
      open.count = std::max<std::uint64_t>(1, alert.count);
      return {};
    }
    open.message = alert.message;
    open.last_ms = std::max(open.last_ms, alert.last_ms);
    open.count += std::max<std::uint64_t>(1, alert.count);
    return {};
  }

  Result<void> clear(const std::string& kind, const AgentId& agent,
                     const std::string& object) override {
    MutexLock lock(mutex_);
    alerts_.erase(std::tuple(kind, agent, object));
    return {};
  }

  Result<std::vector<model::Alert>> open() override {
    MutexLock lock(mutex_);
    std::vector<model::Alert> out;
    for (const auto& [key, alert] : alerts_) out.push_back(alert);
    return out;
  }

 private:
  Mutex mutex_;
  std::map<std::tuple<std::string, AgentId, std::string>, model::Alert> alerts_ GUARDED_BY(mutex_);
};

struct MemoryRepositories {
  MemoryAgentRegistry agents;
  MemoryTokenRepository tokens{agents};
  MemoryAuditLog audit;
  MemoryAuditHeadRepository audit_heads;
  MemoryAlertRepository alerts;
};

}  // namespace observeai::test
