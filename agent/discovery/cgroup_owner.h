// Whom a process works for, from its /proc/<pid>/cgroup alone: no runtime is asked, so it works for
// every runtime and while none answers. Pure.
#pragma once

#include <string>
#include <string_view>

namespace observeai::agent {

struct CgroupOwner {
  std::string container_id;  // 64 hex; the name for LXC; "" = in no container
  std::string runtime;       // docker, containerd, crio, podman, nerdctl, lxc, "" when not told
  std::string unit;  // "nginx.service" of the system manager; "" in a container or a session
  bool operator==(const CgroupOwner&) const = default;
};

// Of nested containers the outermost counts: it is the one that this host's engine knows. Helpers
// of a runtime (conmon, lxc.monitor) belong to no container.
CgroupOwner owner_from_cgroup(std::string_view proc_pid_cgroup);

}  // namespace observeai::agent
