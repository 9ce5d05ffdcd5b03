#include "controlplane/api/name_book.h"

namespace observeai::controlplane::api {
namespace {

constexpr std::string_view kContainerPrefix = "container/";
constexpr std::string_view kUnitPrefix = "unit/";
constexpr std::string_view kProcessPrefix = "process/";

}  // namespace

std::string name_in(const model::HostInventory* inventory, const wire::Target& target) {
  if (target.starts_with(kUnitPrefix)) return target.substr(kUnitPrefix.size());
  if (inventory == nullptr) return target;
  if (target.starts_with(kContainerPrefix)) {
    const std::string_view id = std::string_view(target).substr(kContainerPrefix.size());
    for (const auto& container : inventory->containers) {
      if (container.id == id) return container.name;
    }
  }
  if (target.starts_with(kProcessPrefix)) {
    const std::string_view key = std::string_view(target).substr(kProcessPrefix.size());
    for (const auto& process : inventory->processes) {
      if (process.key == key) return process.name;
    }
  }
  return target;
}

TenantId NameBook::tenant(const AgentId& agent) {
  MutexLock lock(mutex_);
  return page(agent).tenant;
}

std::string NameBook::hostname(const AgentId& agent) {
  MutexLock lock(mutex_);
  return page(agent).hostname;
}

std::string NameBook::name(const AgentId& agent, const wire::Target& target) {
  if (target.starts_with(kUnitPrefix) || target == wire::kHostTarget)
    return name_in(nullptr, target);
  MutexLock lock(mutex_);
  Page& known = page(agent);
  auto found = known.names.find(target);
  if (found == known.names.end() && clock_.steady_now() - known.read_at >= kRetry) {
    read(agent, known);
    found = known.names.find(target);
  }
  return found == known.names.end() ? target : found->second;
}

void NameBook::learn(const AgentId& agent, const std::vector<wire::InventoryUpdate>& updates) {
  MutexLock lock(mutex_);
  const auto found = pages_.find(agent);
  if (found == pages_.end()) return;
  for (const auto& update : updates) {
    for (const auto& container : update.containers.upserts) {
      found->second.names[std::string(kContainerPrefix) + container.id] = container.name;
    }
    for (const auto& process : update.processes.upserts) {
      found->second.names[std::string(kProcessPrefix) + process.key] = process.name;
    }
  }
}

NameBook::Page& NameBook::page(const AgentId& agent) {
  const auto found = pages_.find(agent);
  if (found != pages_.end()) {
    const auto age = clock_.steady_now() - found->second.read_at;
    if (age >= kRefresh || (found->second.tenant.empty() && age >= kRetry))
      read(agent, found->second);
    return found->second;
  }
  if (pages_.size() >= kMaxAgents) pages_.clear();
  Page& fresh = pages_[agent];
  read(agent, fresh);
  return fresh;
}

// When the store does not answer, what was known stays.
void NameBook::read(const AgentId& agent, Page& page) {
  page.read_at = clock_.steady_now();
  const auto record = agents_.find(agent);
  if (record && *record) {
    page.tenant = (*record)->tenant;
    page.hostname = (*record)->hostname;
  }
  const auto inventory = telemetry_.inventory(agent);
  if (!inventory || !*inventory) return;
  page.names.clear();
  for (const auto& container : (*inventory)->containers) {
    page.names[std::string(kContainerPrefix) + container.id] = container.name;
  }
  for (const auto& process : (*inventory)->processes) {
    page.names[std::string(kProcessPrefix) + process.key] = process.name;
  }
}

}  // namespace observeai::controlplane::api
