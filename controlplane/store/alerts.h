// Open alerts. Internal to controlplane/store.
#pragma once

#include <map>
#include <tuple>

#include "controlplane/model/repositories.h"
#include "controlplane/store/state_db.h"

namespace observeai::controlplane::store {

// Inside a transaction of the caller: an alert that belongs to what is committed.
Result<void> raise_alert(sql::Database& db, const model::Alert& alert);
Result<void> clear_alert(sql::Database& db, const std::string& kind, const AgentId& agent,
                         const std::string& object);

// A full disk must not hide that it is full: an alert that cannot be written is kept in memory, shown by
// open(), and written as soon as that works. Beyond kMaxUnwritten raise() fails.
class AlertStore final : public model::AlertRepository {
 public:
  static constexpr std::size_t kMaxUnwritten = 1'000;

  explicit AlertStore(StateDb& state) : state_(state) {}
  Result<void> raise(const model::Alert& alert) override;
  Result<void> clear(const std::string& kind, const AgentId& agent,
                     const std::string& object) override;
  Result<std::vector<model::Alert>> open() override;
  Result<void> flush() EXCLUDES(mutex_);  // Writes what is only in memory

 private:
  using Key = std::tuple<std::string, AgentId, std::string>;  // Kind, agent, object

  StateDb& state_;
  Mutex mutex_;
  std::map<Key, model::Alert> unwritten_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane::store
