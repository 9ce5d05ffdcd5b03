#include <sys/stat.h>

#include "agent/metrics/container_parts.h"

namespace observeai::agent {
namespace {

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_file(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

// The root of the v2 hierarchy: all of /sys/fs/cgroup, or its folder "unified" on a hybrid machine.
std::string find_unified_root(const std::string& cgroup_root) {
  if (is_file(cgroup_root + "/unified/cgroup.controllers")) return cgroup_root + "/unified";
  if (is_file(cgroup_root + "/cgroup.controllers")) return cgroup_root;
  return {};
}

// Usually "cpu" is a link to the folder where both are mounted; not everywhere.
std::vector<std::string> mount_names(const std::string& controller) {
  if (!controller.starts_with("cpu")) return {controller};
  return {controller, "cpu,cpuacct", "cpuacct,cpu"};
}

}  // namespace

std::optional<CgroupFolders> locate_cgroups(const MetricRoots& roots, FileReader& files,
                                            std::uint32_t pid, const std::string& id,
                                            std::uint64_t& malformed) {
  const FileText content = files.read_once(roots.proc + "/" + std::to_string(pid) + "/cgroup");
  if (!content) return std::nullopt;
  const CgroupMembership membership = parse_proc_cgroup(content.text);
  malformed += membership.malformed;

  const std::string cgroup_root = roots.sys + "/fs/cgroup";
  CgroupFolders folders;
  const auto find_v1 = [&](const char* controller, std::string& folder) {
    const std::string* path = membership.controller(controller);
    const auto own = path != nullptr ? container_cgroup_path(*path, id) : std::nullopt;
    if (!own) return;
    for (const std::string& mount : mount_names(controller)) {
      const std::string candidate = cgroup_root + "/" + mount + *own;
      if (folder.empty() && is_folder(candidate)) folder = candidate;
    }
  };
  find_v1("cpu", folders.cpu);
  find_v1("cpuacct", folders.cpuacct);
  find_v1("memory", folders.memory);
  find_v1("blkio", folders.blkio);
  find_v1("pids", folders.pids);

  const auto own =
      membership.unified ? container_cgroup_path(*membership.unified, id) : std::nullopt;
  const std::string unified_root = find_unified_root(cgroup_root);
  if (own && !unified_root.empty() && is_folder(unified_root + *own)) {
    folders.unified = unified_root + *own;
    folders.unified_root = unified_root;
  }
  // For the few milliseconds before the runtime moves it, the process is still in the runtime's
  // own cgroup: measuring that would blame the container for the runtime.
  if (folders.memory.empty() && folders.cpuacct.empty() && folders.unified.empty()) {
    return std::nullopt;
  }
  return folders;
}

}  // namespace observeai::agent
