#include "agent/discovery/host_facts.h"

#include <sys/utsname.h>

#include "agent/discovery/clip.h"
#include "agent/discovery/proc_files.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr std::size_t kMaxFactBytes = 256;
constexpr std::size_t kMaxFileBytes = 1U << 20;

std::string contents(const std::string& path) {
  auto text = files::read(path, kMaxFileBytes);
  return text ? std::move(*text) : std::string();
}
std::string fact(const std::string& path) {
  return clip_utf8(text::replace_invalid_utf8(text::trim(contents(path))), kMaxFactBytes);
}

std::uint32_t count_cpus(std::string_view proc_stat) {
  std::uint32_t count = 0;
  for (const auto line : text::split(proc_stat, '\n')) {
    if (line.substr(0, 3) == "cpu" && line.size() > 3 && line[3] != ' ') ++count;
  }
  return count;
}

// "MemTotal:       24683516 kB"
std::uint64_t memory_bytes(std::string_view meminfo) {
  constexpr std::string_view kName = "MemTotal:";
  for (const auto line : text::split(meminfo, '\n')) {
    if (line.substr(0, kName.size()) != kName) continue;
    const auto value = text::trim(line.substr(kName.size()));
    return text::parse_u64(value.substr(0, value.find(' '))).value_or(0) * 1024;
  }
  return 0;
}

}  // namespace

std::string os_release_value(std::string_view text, std::string_view key) {
  for (const auto line : text::split(text, '\n')) {
    if (line.substr(0, key.size()) != key || line.size() <= key.size() || line[key.size()] != '=') {
      continue;
    }
    const auto raw = text::trim(line.substr(key.size() + 1));
    const char quote = raw.empty() ? '\0' : raw.front();
    if (quote != '"' && quote != '\'') return std::string(raw);
    std::string value;
    for (std::size_t i = 1; i < raw.size() && raw[i] != quote; ++i) {
      if (raw[i] == '\\' && quote == '"' && i + 1 < raw.size()) ++i;
      value.push_back(raw[i]);
    }
    return value;
  }
  return {};
}

std::string cgroup_mode(const Paths& paths) {
  const std::string root = paths.sys + "/fs/cgroup";
  if (files::exists(root + "/cgroup.controllers")) return "v2";
  if (files::exists(root + "/unified/cgroup.controllers")) return "hybrid";
  if (files::exists(root + "/memory") || files::exists(root + "/cpu")) return "v1";
  return "none";
}

wire::HostFacts host_facts(const Paths& paths,
                           const std::function<std::string(std::string_view)>& sha256_hex) {
  wire::HostFacts facts;
  facts.hostname = fact(paths.proc + "/sys/kernel/hostname");
  facts.kernel = fact(paths.proc + "/sys/kernel/osrelease");
  facts.boot_id = fact(paths.proc + "/sys/kernel/random/boot_id");
  const std::string machine_id = fact(paths.root + "/etc/machine-id");
  if (!machine_id.empty()) facts.machine_id_sha256 = sha256_hex(machine_id);
  std::string release = contents(paths.root + "/etc/os-release");
  if (release.empty()) release = contents(paths.root + "/usr/lib/os-release");
  facts.os = clip_utf8(text::replace_invalid_utf8(os_release_value(release, "PRETTY_NAME")),
                       kMaxFactBytes);
  struct utsname names {};
  if (::uname(&names) == 0) facts.architecture = names.machine;
  const std::string stat = contents(paths.proc + "/stat");
  facts.cpus = count_cpus(stat);
  facts.boot_time_ms = boot_time_ms(stat);
  facts.memory_bytes = memory_bytes(contents(paths.proc + "/meminfo"));
  facts.cgroup_mode = cgroup_mode(paths);
  facts.agent_version = OBSERVEAI_VERSION;
  return facts;
}

}  // namespace observeai::agent
