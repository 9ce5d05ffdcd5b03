#include "controlplane/store/inventory_cache.h"

namespace observeai::controlplane::store {
namespace {

constexpr std::size_t kTextOfEntry = 160;  // On the heap; commands and labels are counted apart

template <class T>
std::size_t bytes_of(const std::vector<T>& entries) {
  return entries.capacity() * sizeof(T) + entries.size() * kTextOfEntry;
}

std::size_t bytes_of(const model::HostInventory& inventory) {
  std::size_t bytes = sizeof inventory + bytes_of(inventory.containers) +
                      bytes_of(inventory.processes) + bytes_of(inventory.units) +
                      bytes_of(inventory.ports);
  for (const auto& container : inventory.containers) {
    bytes += container.command.capacity();
    for (const auto& label : container.labels)
      bytes += sizeof label + label.name.capacity() + label.value.capacity();
  }
  for (const auto& process : inventory.processes) bytes += process.command.capacity();
  return bytes;
}

}  // namespace

InventoryCache::Entry InventoryCache::find(const AgentId& agent, std::uint64_t& version) {
  MutexLock lock(mutex_);
  const Place& place = places_[agent];
  version = place.version;
  return place.inventory;
}

void InventoryCache::put(const AgentId& agent, std::uint64_t version, Entry inventory) {
  const std::size_t bytes = bytes_of(*inventory);
  MutexLock lock(mutex_);
  Place& place = places_[agent];
  if (place.version != version || place.inventory || bytes_ + bytes > max_bytes_) return;
  place.bytes = bytes;
  place.inventory = std::move(inventory);
  bytes_ += bytes;
}

void InventoryCache::changed(const AgentId& agent) {
  Entry dropped;  // Destroyed outside the lock
  MutexLock lock(mutex_);
  Place& place = places_[agent];
  ++place.version;
  bytes_ -= std::exchange(place.bytes, 0);
  dropped.swap(place.inventory);
}

std::size_t InventoryCache::bytes() {
  MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace observeai::controlplane::store
