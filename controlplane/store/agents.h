// The registry of enrolled agents. Internal to controlplane/store.
#pragma once

#include <functional>
#include <map>

#include "controlplane/model/repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Inside a transaction of the caller. kInvalid when the id is taken.
Result<void> insert_agent(sql::Database& db, const model::AgentRecord& agent);
Result<std::optional<model::AgentRecord>> find_agent(sql::Database& db, const std::string& id);

// When an agent was seen is kept in memory and written by flush(): thousands of agents report every few
// seconds, and a crash loses nothing but the last minute of these times.
class AgentStore final : public model::AgentRegistry {
 public:
  using OnHello = std::function<void(const AgentId&, const wire::Hello&)>;

  // `on_hello` is called for each hello, before seen() returns.
  AgentStore(StateDb& state, OnHello on_hello) : state_(state), on_hello_(std::move(on_hello)) {}

  Result<std::optional<model::AgentRecord>> find(const AgentId& id) override;
  Result<std::vector<model::AgentRecord>> list(const TenantId& tenant) override;
  Result<void> confirm(const AgentId& id) override;
  Result<void> revoke(const AgentId& id, const std::string& reason, std::int64_t now_ms) override;
  Result<void> update_certificate(const AgentId& id, const std::string& spki_sha256,
                                  const std::string& certificate_pem, const std::string& serial,
                                  std::int64_t not_after_ms) override;
  Result<void> seen(const AgentId& id, std::int64_t now_ms,
                    const std::optional<wire::Hello>& hello) override;

  Result<void> flush();

 private:
  struct Seen {
    std::int64_t ms = 0;
    std::optional<wire::Hello> hello;
    std::uint64_t changes = 0;  // Tells what came while the rest was being written
  };
  void overlay(model::AgentRecord& agent) EXCLUDES(mutex_);

  StateDb& state_;
  const OnHello on_hello_;
  Mutex mutex_;
  std::map<AgentId, Seen> seen_ GUARDED_BY(mutex_);  // Not yet written
};

}  // namespace observeai::controlplane::store
