// Holds the host's inventory as it is known now and gives what changed since it was last reported.
// Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

// One section: values by key, with the keys that changed since the last report.
template <class T>
class InventorySection {
 public:
  // Departed values that were not reported yet wait here, at most so many; then the oldest are lost
  // and counted.
  static constexpr std::size_t kMaxDeparted = 1'024;

  void put(T value) {
    auto& slot = values_[wire::key_of(value)];
    if (slot && *slot == value) return;
    changed_.insert(wire::key_of(value));
    slot = std::move(value);
  }

  // A value that came and went between two reports is still reported, and removed by the next one.
  void erase(const std::string& key) {
    const auto found = values_.find(key);
    if (found == values_.end()) return;
    if (changed_.contains(key)) {
      departed_.push_back(std::move(*found->second));
      if (departed_.size() > kMaxDeparted) {
        departed_.erase(departed_.begin());
        ++lost_;
      }
    }
    changed_.insert(key);
    values_.erase(found);
  }

  // The whole section at once.
  void replace(std::vector<T> values) {
    std::set<std::string> kept;
    for (auto& value : values) {
      kept.insert(wire::key_of(value));
      put(std::move(value));
    }
    std::vector<std::string> gone;
    for (const auto& [key, value] : values_) {
      if (!kept.contains(key)) gone.push_back(key);
    }
    for (const auto& key : gone) erase(key);
    known_ = true;
  }

  // The first one after replace() is the whole section, full: what an earlier run of the agent
  // reported and is gone by now cannot be named here.
  wire::SectionUpdate<T> take_delta() {
    if (known_ && !whole_reported_) {
      auto update = whole();
      mark_reported();
      return update;
    }
    wire::SectionUpdate<T> update;
    std::set<std::string> later;
    for (auto& value : departed_) {
      // Its key may be in use again: then the value there speaks for both.
      const std::string& key = wire::key_of(value);
      if (values_.contains(key) || !later.insert(key).second) continue;
      update.upserts.push_back(std::move(value));
    }
    departed_.clear();
    for (const auto& key : changed_) {
      const auto found = values_.find(key);
      if (found != values_.end()) {
        update.upserts.push_back(*found->second);
        reported_.insert(key);
      } else if (later.contains(key)) {
        reported_.insert(key);
      } else if (reported_.erase(key) > 0) {
        update.removed.push_back(key);
      }
    }
    changed_ = std::move(later);
    return update;
  }

  wire::SectionUpdate<T> whole() const {
    wire::SectionUpdate<T> update;
    update.full = true;
    for (const auto& [key, value] : values_) update.upserts.push_back(*value);
    return update;
  }
  void mark_reported() {
    whole_reported_ = known_;
    changed_.clear();
    departed_.clear();
    reported_.clear();
    for (const auto& [key, value] : values_) reported_.insert(key);
  }
  std::size_t size() const { return values_.size(); }
  std::uint64_t lost() const { return lost_; }

 private:
  std::map<std::string, std::optional<T>> values_;
  std::set<std::string> changed_;
  std::set<std::string> reported_;
  std::vector<T> departed_;
  std::uint64_t lost_ = 0;
  bool known_ = false;  // As a whole: replace() was called
  bool whole_reported_ = false;
};

class InventoryTracker {
 public:
  // A boot time that moves by less is the clock being corrected, not another boot.
  static constexpr std::int64_t kBootTimeSlackMs = 120'000;

  void set_host(wire::HostFacts facts);
  // As DiscoverySink::containers_changed gives it.
  void apply_containers(const wire::SectionUpdate<ObservedContainer>& update);
  void set_processes(std::vector<wire::ProcessGroup> groups) {
    processes_.replace(std::move(groups));
  }
  void set_units(std::vector<wire::SystemdUnit> units) { units_.replace(std::move(units)); }
  void set_ports(std::vector<wire::ListeningPort> ports) { ports_.replace(std::move(ports)); }

  // What changed since the last take_delta() or take_whole(); empty() when nothing did.
  wire::InventoryUpdate take_delta(std::int64_t ts_ms);
  // Everything, as full sections in key order, and nothing is pending afterwards: for
  // Ack.need_inventory and a new epoch.
  wire::InventoryUpdate take_whole(std::int64_t ts_ms);
  // The same without the effect: for the digest, which must not depend on when it is taken (ts_ms
  // 0).
  wire::InventoryUpdate whole() const;

  const std::optional<wire::HostFacts>& host() const { return host_; }
  std::size_t containers() const { return containers_.size(); }
  // Things that came and went while nothing could be reported, beyond what waits.
  std::uint64_t lost() const {
    return containers_.lost() + processes_.lost() + units_.lost() + ports_.lost();
  }

 private:
  std::optional<wire::HostFacts> host_;
  bool host_changed_ = false;
  InventorySection<wire::Container> containers_;
  InventorySection<wire::ProcessGroup> processes_;
  InventorySection<wire::SystemdUnit> units_;
  InventorySection<wire::ListeningPort> ports_;
};

}  // namespace observeai::agent
