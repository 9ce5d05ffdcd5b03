#include "controlplane/outlook/suggestions.h"

#include <algorithm>

#include "protocol/actions/catalogue.h"

namespace observeai::controlplane::outlook {
namespace {

using predict::Kind;

constexpr std::string_view kContainers = "container/";
constexpr std::string_view kProcesses = "process/";
constexpr std::string_view kUnits = "unit/";
constexpr double kMib = 1'048'576;
constexpr double kMoreMemory = 1.5;
// What a journal is left with.
constexpr const char* kKeepJournalBytes = "134217728";
constexpr const char* kOldFilesH = "24";

const wire::Container* container_of(const wire::Target& target,
                                    const model::HostInventory* inventory) {
  if (inventory == nullptr || !target.starts_with(kContainers)) return nullptr;
  const auto found =
      std::ranges::find(inventory->containers, target.substr(kContainers.size()),
                        [](const wire::Container& one) { return std::string_view(one.id); });
  return found == inventory->containers.end() ? nullptr : &*found;
}

const wire::ProcessGroup* process_of(const wire::Target& target,
                                     const model::HostInventory* inventory) {
  if (inventory == nullptr || !target.starts_with(kProcesses)) return nullptr;
  const auto found =
      std::ranges::find(inventory->processes, target.substr(kProcesses.size()),
                        [](const wire::ProcessGroup& one) { return std::string_view(one.key); });
  return found == inventory->processes.end() ? nullptr : &*found;
}

class Suggestions {
 public:
  explicit Suggestions(const model::HostInventory* inventory) : inventory_(inventory) {}
  std::vector<model::SuggestedAction> take() { return std::move(out_); }

  // Left out when the catalogue would not take it: a name that people cannot type.
  void add(const char* action, std::map<std::string, std::string> parameters, const char* why) {
    const auto* manifest = actions::find(action);
    if (manifest == nullptr) return;
    wire::Parameters values;
    for (const auto& spec : manifest->parameters) {
      const auto given = parameters.find(std::string(spec.name));
      if (given == parameters.end()) continue;
      auto value = actions::parse_value(spec, given->second);
      if (!value) return;
      values[std::string(spec.name)] = std::move(*value);
    }
    if (!actions::check_parameters(*manifest, values)) return;
    out_.push_back({action, std::move(parameters), why});
  }

  void restart(const wire::Target& target, const char* why) {
    if (const auto* container = container_of(target, inventory_)) {
      add("docker.restart", {{"container", container->name}}, why);
    } else if (const auto* group = process_of(target, inventory_); group && !group->unit.empty()) {
      add("systemd.restart", {{"unit", group->unit}}, why);
    } else if (target.starts_with(kUnits)) {
      add("systemd.restart", {{"unit", target.substr(kUnits.size())}}, why);
    }
  }

  void more_memory(const predict::Reading& reading) {
    const auto* container = container_of(reading.target, inventory_);
    // Of the container itself, not of a group above it or with swap.
    if (container == nullptr || container->memory_limit_bytes == 0) return;
    const double wanted = static_cast<double>(container->memory_limit_bytes) * kMoreMemory / kMib;
    add("docker.update_memory",
        {{"container", container->name},
         {"memory_bytes", std::to_string(static_cast<std::int64_t>(wanted) * 1'048'576)}},
        "gives it half as much again, at once and without a restart; a leak fills that too");
  }

  void disk(const std::string& mount) {
    const bool is_system = mount == "/" || mount.starts_with("/var");
    if (is_system) {
      add("disk.vacuum_journal", {{"keep_bytes", kKeepJournalBytes}},
          "removes old archived journal files");
      add("docker.prune", {{"older_than_h", kOldFilesH}},
          "removes images that no container uses, and what builds left");
    }
    add("disk.vacuum_files",
        {{"directory", mount == "/" ? "/var/log" : mount}, {"older_than_h", kOldFilesH}},
        "removes rotated files, where the host's policy lists the directory");
  }

 private:
  const model::HostInventory* inventory_;
  std::vector<model::SuggestedAction> out_;
};

}  // namespace

std::vector<model::SuggestedAction> suggestions_for(const predict::Reading& reading,
                                                    const model::HostInventory* inventory) {
  Suggestions out(inventory);
  switch (reading.kind) {
    case Kind::kContainerMemory:
      out.restart(reading.target, "frees what has leaked, before the kernel kills it");
      out.more_memory(reading);
      break;
    case Kind::kDiskBytes:
    case Kind::kDiskInodes:
      out.disk(reading.instance);
      break;
    case Kind::kFileHandles:
      out.restart(reading.target, "closes what it has left open");
      break;
    case Kind::kPids:
    case Kind::kConnections:
      out.restart(reading.target, "ends what it has left behind");
      break;
    case Kind::kErrors:
      out.restart(reading.target, "begins anew before it fails at a time of its own");
      break;
    case Kind::kHostMemory:
    case Kind::kCertificate:
      break;
  }
  out.add("collect.diagnostics", {}, "shows what uses it; changes nothing");
  return out.take();
}

std::string name_of(const wire::Target& target, const model::HostInventory* inventory) {
  if (const auto* container = container_of(target, inventory)) return container->name;
  if (const auto* group = process_of(target, inventory)) return group->name;
  if (target.starts_with(kUnits)) return target.substr(kUnits.size());
  return target;
}

bool acts_on(const std::string& action, const wire::Target& acted,
             const model::ResourceName& resource, const model::HostInventory* inventory) {
  const auto* manifest = actions::find(action);
  if (manifest == nullptr || manifest->tier == 0) return false;  // It only reads
  if (acted == resource.target) return true;
  if (resource.kind == name(Kind::kDiskBytes) || resource.kind == name(Kind::kDiskInodes))
    return action.starts_with("disk.") || action == "docker.prune";
  // A restart of whatever frees memory and handles of the host too; which one it was about is not known.
  if (resource.target == wire::kHostTarget)
    return action.ends_with(".restart") || action.ends_with(".stop") ||
           action == "process.terminate";
  if (const auto* container = container_of(resource.target, inventory)) {
    return acted == std::string(kContainers) + container->name ||
           (acted.starts_with(kContainers) && acted.size() >= kContainers.size() + 12 &&
            resource.target.starts_with(acted));
  }
  if (const auto* group = process_of(resource.target, inventory))
    return !group->unit.empty() && acted == std::string(kUnits) + group->unit;
  return false;
}

}  // namespace observeai::controlplane::outlook
