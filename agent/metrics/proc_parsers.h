// Pure parsers of the kernel's text formats; documented in Documentation/filesystems/proc.rst,
// Documentation/admin-guide/{iostats,cgroup-v1,cgroup-v2}.rst. Any bytes are accepted; what does
// not parse is left out and counted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace observeai::agent {

struct CpuTicks {
  std::uint32_t cpu = 0;
  // user nice system idle iowait irq softirq steal guest guest_nice, in USER_HZ
  std::array<std::uint64_t, 10> ticks{};
};

// /proc/stat; agent/discovery has the type of /proc/<pid>/stat.
struct KernelStat {
  std::vector<CpuTicks> cpus;
  std::optional<std::uint64_t> interrupts, context_switches, boot_time_s, forks, running, blocked;
  std::uint64_t malformed = 0;
};
// Reuses the memory of `stat`.
void parse_stat(std::string_view text, KernelStat& stat);

// "Active(anon):    1624 kB" -> {"Active(anon)", 1662976, true}
struct MeminfoLine {
  std::string_view name;
  std::uint64_t value = 0;  // Bytes if in_bytes
  bool in_bytes = false;
};
bool parse_meminfo_line(std::string_view line, MeminfoLine& out);

struct DiskLine {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::string_view device;
  // reads, merged, sectors, ms, the same of writes, in flight, io ms, weighted ms, then discards
  // (4) since 4.18 and flushes (2) since 5.5.
  std::array<std::uint64_t, 17> fields{};
  std::size_t count = 0;  // 11, 15 or 17
};
bool parse_diskstats_line(std::string_view line, DiskLine& out);

// A line of net/dev; false for the two header lines as well.
struct NetDevLine {
  std::string_view device;
  // receive: bytes packets errs drop fifo frame compressed multicast;
  // transmit: bytes packets errs drop fifo colls carrier compressed
  std::array<std::uint64_t, 16> fields{};
};
bool parse_net_dev_line(std::string_view line, NetDevLine& out);

// Totals in microseconds since boot; absent when the line is.
struct Pressure {
  std::optional<std::uint64_t> some_us, full_us;
};
// False when nothing was recognised.
bool parse_pressure(std::string_view text, Pressure& out);

// "name value" or "name=value" style lines are common in cgroup files: "usage_usec 23480".
bool parse_flat_line(std::string_view line, std::string_view& name, std::uint64_t& value);

// /proc/<pid>/cgroup. Paths as the kernel gives them, below the hierarchy's root.
struct CgroupMembership {
  std::optional<std::string> unified;  // The line "0::"
  // v1: controller -> path; a line "2:cpu,cpuacct:/x" gives both.
  std::vector<std::pair<std::string, std::string>> controllers;
  std::uint64_t malformed = 0;
  const std::string* controller(std::string_view name) const;
};
CgroupMembership parse_proc_cgroup(std::string_view text);

// The part of a cgroup path that ends with the component that holds the container's id:
// "/docker/<id>/init.scope" -> "/docker/<id>". nullopt: not (yet) in a cgroup of its own, or a path
// that leaves the hierarchy.
std::optional<std::string> container_cgroup_path(std::string_view path, std::string_view id);

struct IoCounters {
  std::uint64_t read_bytes = 0, write_bytes = 0, reads = 0, writes = 0;
};
// v2 io.stat: "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0"
bool parse_io_stat_line(std::string_view line, std::string_view& device, IoCounters& out);
// v1 blkio.throttle.io_service_bytes: "254:0 Read 4096"; false for other operations and totals.
bool parse_blkio_line(std::string_view line, std::string_view& device, bool& is_write,
                      std::uint64_t& value);

// A limit: "max", -1 and v1's 2^63-rounded-to-pages mean none (0).
std::optional<std::uint64_t> parse_limit(std::string_view text);

}  // namespace observeai::agent
