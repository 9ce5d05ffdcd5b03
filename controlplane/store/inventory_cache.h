// Decoded inventories: lists over all hosts would decode a hundred rows for each of them every time.
// Internal to controlplane/store.
#pragma once

#include <memory>
#include <unordered_map>

#include "controlplane/model/records.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::store {

// Bounded: what does not fit is not kept, so that reading all hosts in turn still finds the others.
// Thread-safe.
class InventoryCache {
 public:
  using Entry = std::shared_ptr<const model::HostInventory>;
  static constexpr std::size_t kMaxBytes = 96U << 20;  // About; 1,000 hosts with 140 entries each

  explicit InventoryCache(std::size_t max_bytes = kMaxBytes) : max_bytes_(max_bytes) {}

  // nullptr: not here. `version` is for put(), and must be taken before the store is read.
  Entry find(const AgentId& agent, std::uint64_t& version) EXCLUDES(mutex_);
  // Nothing when the inventory has changed since.
  void put(const AgentId& agent, std::uint64_t version, Entry inventory) EXCLUDES(mutex_);
  // After the change was committed.
  void changed(const AgentId& agent) EXCLUDES(mutex_);
  std::size_t bytes() EXCLUDES(mutex_);

 private:
  struct Place {
    std::uint64_t version = 0;
    std::size_t bytes = 0;
    Entry inventory;
  };

  const std::size_t max_bytes_;
  Mutex mutex_;
  std::unordered_map<AgentId, Place> places_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace observeai::controlplane::store
