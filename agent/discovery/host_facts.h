// What kind of host this is. Fast reads of small files; missing ones leave their field empty.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/runtime/paths.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

// Everything but `docker` and `systemd`, which the watchers know. `sha256_hex` hashes the machine
// id (signing::sha256_hex); the id itself is not kept.
wire::HostFacts host_facts(const Paths& paths,
                           const std::function<std::string(std::string_view)>& sha256_hex);

// "v2", "hybrid" (v1 controllers and a v2 tree beside them), "v1" or "none", by what is mounted
// below <sys>/fs/cgroup.
std::string cgroup_mode(const Paths& paths);

// The value of `key` in an os-release text, unquoted; "" when missing. Pure.
std::string os_release_value(std::string_view text, std::string_view key);

}  // namespace observeai::agent
