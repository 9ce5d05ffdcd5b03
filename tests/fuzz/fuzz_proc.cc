// The kernel's text formats. The first byte chooses the parser.
#include <cstdint>
#include <string_view>

#include "agent/metrics/filesystem_collector.h"
#include "agent/metrics/proc_parsers.h"
#include "agent/metrics/text_scan.h"

namespace agent = observeai::agent;

namespace {

void parse_lines(std::string_view text) {
  agent::LineScanner lines(text);
  std::string_view line, word;
  agent::MeminfoLine meminfo;
  agent::DiskLine disk;
  agent::NetDevLine device;
  agent::IoCounters counters;
  bool is_write = false;
  std::uint64_t value = 0;
  while (lines.next(line)) {
    if (agent::parse_meminfo_line(line, meminfo) && meminfo.name.empty()) __builtin_trap();
    if (agent::parse_diskstats_line(line, disk) && disk.count > disk.fields.size())
      __builtin_trap();
    if (agent::parse_net_dev_line(line, device) && device.device.empty()) __builtin_trap();
    agent::parse_io_stat_line(line, word, counters);
    agent::parse_blkio_line(line, word, is_write, value);
    agent::parse_flat_line(line, word, value);
    agent::parse_limit(line);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  std::uint64_t malformed = 0;
  switch (data[0] % 5) {
    case 0: {
      agent::KernelStat stat;
      agent::parse_stat(text, stat);
      break;
    }
    case 1: {
      agent::Pressure pressure;
      agent::parse_pressure(text, pressure);
      break;
    }
    case 2: {
      const agent::CgroupMembership membership = agent::parse_proc_cgroup(text);
      for (const auto& [name, path] : membership.controllers) {
        const auto own = agent::container_cgroup_path(path, "3f3f");
        if (own && own->find("/../") != std::string::npos) __builtin_trap();
      }
      break;
    }
    case 3:
      if (agent::parse_mounts(text, malformed).size() > agent::kMaxMounts) __builtin_trap();
      break;
    default:
      parse_lines(text);
  }
  return 0;
}
