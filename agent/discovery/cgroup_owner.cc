#include "agent/discovery/cgroup_owner.h"

#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr std::size_t kIdLength = 64;
constexpr std::size_t kMaxLxcName = 64;

bool is_id(std::string_view text) {
  if (text.size() != kIdLength) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}
bool ends_with(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

struct Prefix {
  std::string_view text;
  std::string_view runtime;
};

// "docker-<id>.scope", "libpod-<id>" ...
constexpr Prefix kPrefixes[] = {{"docker-", "docker"},   {"cri-containerd-", "containerd"},
                                {"crio-", "crio"},       {"libpod-", "podman"},
                                {"nerdctl-", "nerdctl"}, {"containerd-", "containerd"}};
// "<parent>/<id>"
constexpr Prefix kParents[] = {{"docker", "docker"},
                               {"default", "nerdctl"},
                               {"k8s.io", "containerd"},
                               {"libpod_parent", "podman"}};

CgroupOwner container(std::string_view id, std::string_view runtime) {
  return {std::string(id), std::string(runtime), ""};
}

CgroupOwner container_of_segment(std::string_view segment, std::string_view parent) {
  if (is_id(segment)) {
    for (const auto& [name, runtime] : kParents) {
      if (parent == name) return container(segment, runtime);
    }
    return container(segment, "");
  }
  for (const auto& [prefix, runtime] : kPrefixes) {
    if (!starts_with(segment, prefix)) continue;
    const std::string_view rest = segment.substr(prefix.size());
    const std::string_view tail = rest.substr(std::min(rest.size(), kIdLength));
    if (is_id(rest.substr(0, kIdLength)) && (tail.empty() || tail == ".scope")) {
      return container(rest.substr(0, kIdLength), runtime);
    }
  }
  // kubepods-besteffort-pod….slice:cri-containerd:<id>
  const std::size_t colon = segment.rfind(':');
  if (colon != std::string_view::npos && is_id(segment.substr(colon + 1))) {
    const bool is_containerd = ends_with(segment.substr(0, colon), "cri-containerd");
    return container(segment.substr(colon + 1), is_containerd ? "containerd" : "");
  }
  constexpr std::string_view kPayload = "lxc.payload.";
  std::string_view lxc_name;
  if (starts_with(segment, kPayload)) lxc_name = segment.substr(kPayload.size());
  if (parent == "lxc" || parent == "lxc.payload") lxc_name = segment;
  if (!lxc_name.empty() && lxc_name.size() <= kMaxLxcName) return container(lxc_name, "lxc");
  return {};
}

CgroupOwner container_of_path(std::string_view path) {
  std::string_view parent;
  for (const auto segment : text::split(path, '/')) {
    auto owner = container_of_segment(segment, parent);
    if (!owner.container_id.empty()) return owner;
    parent = segment;
  }
  return {};
}

// A service of the system manager; those of a user's manager are part of the user's session.
std::string unit_of_path(std::string_view path) {
  if (starts_with(path, "/user.slice")) return {};
  if (path == "/init.scope") return "init.scope";
  for (const auto segment : text::split(path, '/')) {
    if (ends_with(segment, ".service")) return std::string(segment);
  }
  return {};
}

}  // namespace

CgroupOwner owner_from_cgroup(std::string_view proc_pid_cgroup) {
  constexpr std::string_view kDeleted = " (deleted)";
  std::string unit;
  for (const auto line : text::split(proc_pid_cgroup, '\n')) {
    // <hierarchy>:<controllers>:<path>
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    std::string_view path = line.substr(second + 1);
    if (ends_with(path, kDeleted)) path.remove_suffix(kDeleted.size());
    // On hybrid hosts some runtimes put a container only into the v1 trees, so each line is asked.
    auto owner = container_of_path(path);
    if (!owner.container_id.empty()) return owner;
    const bool is_managed = controllers.empty() || controllers == "name=systemd";
    if (is_managed && unit.empty()) unit = unit_of_path(path);
  }
  return {"", "", std::move(unit)};
}

}  // namespace observeai::agent
