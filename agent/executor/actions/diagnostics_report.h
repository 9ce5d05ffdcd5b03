// The parts of collect.diagnostics: text for people, each read from a rooted tree and bounded. What cannot be
// read is said in its part. Of processes the kernel's short name alone is told: command lines hold secrets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/executor/actions/process_stat.h"

namespace observeai::agent::executor {

// loadavg, the lines of meminfo that matter, PSI.
std::string report_load(const std::string& proc_root);
std::string report_memory(const std::string& proc_root);
std::string report_pressure(const std::string& proc_root);

// Every process as it is now, by id.
std::map<std::int64_t, ProcessStat> look_at_processes(const std::string& proc_root);
// The 20 with the most memory, and the 20 that used the most CPU between the two looks. Pure.
std::string report_processes(const std::map<std::int64_t, ProcessStat>& before,
                             const std::map<std::int64_t, ProcessStat>& after, double between_s,
                             std::uint64_t page_bytes, std::uint64_t ticks_per_s);

// Local file systems of /proc/mounts with their use; those of a network, whose server may not answer, are
// named and not asked.
std::string report_disks(const std::string& proc_root);

// Lines about the OOM killer, the newest last. Of /dev/kmsg (kernel.org dev-kmsg) records. Pure.
std::string oom_lines(std::string_view kmsg, std::size_t most);
std::string report_oom(const std::string& kmsg_path);

// Memory, CPU and pids of the cgroup that /proc/PID/cgroup names, version 2 or 1.
std::string report_cgroup(const std::string& cgroup_root, std::string_view proc_cgroup);

}  // namespace observeai::agent::executor
