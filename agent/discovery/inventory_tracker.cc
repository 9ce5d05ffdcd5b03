#include "agent/discovery/inventory_tracker.h"

namespace observeai::agent {

void InventoryTracker::set_host(wire::HostFacts facts) {
  if (host_ && host_->boot_id == facts.boot_id) {
    const std::int64_t moved = facts.boot_time_ms - host_->boot_time_ms;
    const bool is_slack = moved < kBootTimeSlackMs && moved > -kBootTimeSlackMs;
    if (is_slack) facts.boot_time_ms = host_->boot_time_ms;
  }
  if (host_ && *host_ == facts) return;
  host_ = std::move(facts);
  host_changed_ = true;
}

void InventoryTracker::apply_containers(const wire::SectionUpdate<ObservedContainer>& update) {
  if (update.full) {
    std::vector<wire::Container> all;
    all.reserve(update.upserts.size());
    for (const auto& container : update.upserts) all.push_back(container.facts);
    containers_.replace(std::move(all));
    return;
  }
  for (const auto& container : update.upserts) containers_.put(container.facts);
  for (const auto& id : update.removed) containers_.erase(id);
}

wire::InventoryUpdate InventoryTracker::take_delta(std::int64_t ts_ms) {
  wire::InventoryUpdate update;
  update.ts_ms = ts_ms;
  if (std::exchange(host_changed_, false)) update.host = host_;
  update.containers = containers_.take_delta();
  update.processes = processes_.take_delta();
  update.units = units_.take_delta();
  update.ports = ports_.take_delta();
  return update;
}

wire::InventoryUpdate InventoryTracker::take_whole(std::int64_t ts_ms) {
  auto update = whole();
  update.ts_ms = ts_ms;
  host_changed_ = false;
  containers_.mark_reported();
  processes_.mark_reported();
  units_.mark_reported();
  ports_.mark_reported();
  return update;
}

wire::InventoryUpdate InventoryTracker::whole() const {
  wire::InventoryUpdate update;
  update.host = host_;
  update.containers = containers_.whole();
  update.processes = processes_.whole();
  update.units = units_.whole();
  update.ports = ports_.whole();
  return update;
}

}  // namespace observeai::agent
