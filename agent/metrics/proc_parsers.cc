#include "agent/metrics/proc_parsers.h"

#include <algorithm>

#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

// Old kernels have fewer columns; a line with less than user, nice, system, idle is no CPU line.
bool parse_cpu_line(std::string_view name, WordScanner words, CpuTicks& cpu) {
  std::uint64_t number = 0;
  if (!to_u64(name.substr(3), number) || number > 65535) return false;
  cpu = {};
  cpu.cpu = static_cast<std::uint32_t>(number);
  std::string_view word;
  std::size_t count = 0;
  while (count < cpu.ticks.size() && words.next(word)) {
    if (!to_u64(word, cpu.ticks[count])) return false;
    ++count;
  }
  return count >= 4;
}

std::optional<std::uint64_t>* stat_field(std::string_view name, KernelStat& stat) {
  if (name == "intr") return &stat.interrupts;
  if (name == "ctxt") return &stat.context_switches;
  if (name == "btime") return &stat.boot_time_s;
  if (name == "processes") return &stat.forks;
  if (name == "procs_running") return &stat.running;
  if (name == "procs_blocked") return &stat.blocked;
  return nullptr;
}

}  // namespace

void parse_stat(std::string_view text, KernelStat& stat) {
  stat.cpus.clear();
  stat.interrupts = stat.context_switches = stat.boot_time_s = {};
  stat.forks = stat.running = stat.blocked = {};
  stat.malformed = 0;
  LineScanner lines(text);
  std::string_view line, name;
  while (lines.next(line)) {
    WordScanner words(line);
    if (!words.next(name) || name == "cpu") continue;
    if (name.starts_with("cpu")) {
      CpuTicks cpu;
      if (parse_cpu_line(name, words, cpu)) {
        stat.cpus.push_back(cpu);
      } else {
        ++stat.malformed;
      }
    } else if (std::optional<std::uint64_t>* field = stat_field(name, stat)) {
      std::uint64_t value = 0;
      if (next_u64(words, value)) {
        *field = value;
      } else {
        ++stat.malformed;
      }
    }
  }
}

bool parse_meminfo_line(std::string_view line, MeminfoLine& out) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  out.name = line.substr(0, colon);
  WordScanner words(line.substr(colon + 1));
  if (!next_u64(words, out.value)) return false;
  std::string_view unit;
  out.in_bytes = words.next(unit);
  if (!out.in_bytes) return true;
  if (unit != "kB" || out.value > UINT64_MAX / 1024) return false;
  out.value *= 1024;
  return true;
}

bool parse_diskstats_line(std::string_view line, DiskLine& out) {
  WordScanner words(line);
  if (!next_u64(words, out.major) || !next_u64(words, out.minor) || !words.next(out.device)) {
    return false;
  }
  out.count = 0;
  std::string_view word;
  while (out.count < out.fields.size() && words.next(word)) {
    if (!to_u64(word, out.fields[out.count])) return false;
    ++out.count;
  }
  return out.count == 11 || out.count == 15 || out.count == 17;
}

bool parse_net_dev_line(std::string_view line, NetDevLine& out) {
  // The name may hold colons (aliases), the numbers never do.
  const std::size_t colon = line.rfind(':');
  if (colon == std::string_view::npos) return false;
  out.device = trimmed(line.substr(0, colon));
  WordScanner words(line.substr(colon + 1));
  for (std::uint64_t& field : out.fields) {
    if (!next_u64(words, field)) return false;
  }
  return !out.device.empty();
}

bool parse_pressure(std::string_view text, Pressure& out) {
  out = {};
  LineScanner lines(text);
  std::string_view line;
  while (lines.next(line)) {
    const std::size_t total = line.rfind("total=");
    std::uint64_t value = 0;
    if (total == std::string_view::npos || !to_u64(line.substr(total + 6), value)) continue;
    if (line.starts_with("some ")) out.some_us = value;
    if (line.starts_with("full ")) out.full_us = value;
  }
  return out.some_us || out.full_us;
}

bool parse_flat_line(std::string_view line, std::string_view& name, std::uint64_t& value) {
  WordScanner words(line);
  return words.next(name) && next_u64(words, value);
}

const std::string* CgroupMembership::controller(std::string_view name) const {
  const auto found = std::find_if(controllers.begin(), controllers.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == controllers.end() ? nullptr : &found->second;
}

CgroupMembership parse_proc_cgroup(std::string_view text) {
  // The kernel knows about fifteen controllers; more lines than this are not from a kernel.
  constexpr std::size_t kMaxControllers = 64;
  CgroupMembership membership;
  LineScanner lines(text);
  std::string_view line;
  while (lines.next(line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos || !line.substr(second + 1).starts_with('/')) {
      ++membership.malformed;
      continue;
    }
    std::string_view names = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (names.empty()) membership.unified = std::string(path);
    while (!names.empty() && membership.controllers.size() < kMaxControllers) {
      const std::size_t comma = names.find(',');
      membership.controllers.emplace_back(names.substr(0, comma), path);
      names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
  }
  return membership;
}

std::optional<std::string> container_cgroup_path(std::string_view path, std::string_view id) {
  const std::size_t at = id.empty() ? std::string_view::npos : path.find(id);
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t end = path.find('/', at);
  const std::string_view own = path.substr(0, end);
  if (!own.starts_with('/') || (std::string(own) + '/').find("/../") != std::string::npos) {
    return std::nullopt;
  }
  return std::string(own);
}

bool parse_io_stat_line(std::string_view line, std::string_view& device, IoCounters& out) {
  WordScanner words(line);
  if (!words.next(device) || device.find(':') == std::string_view::npos) return false;
  out = {};
  std::string_view word;
  bool any = false;
  while (words.next(word)) {
    const std::size_t equals = word.find('=');
    std::uint64_t value = 0;
    if (equals == std::string_view::npos || !to_u64(word.substr(equals + 1), value)) continue;
    const std::string_view name = word.substr(0, equals);
    std::uint64_t* const field = name == "rbytes"   ? &out.read_bytes
                                 : name == "wbytes" ? &out.write_bytes
                                 : name == "rios"   ? &out.reads
                                 : name == "wios"   ? &out.writes
                                                    : nullptr;
    if (field == nullptr) continue;
    *field = value;
    any = true;
  }
  return any;
}

bool parse_blkio_line(std::string_view line, std::string_view& device, bool& is_write,
                      std::uint64_t& value) {
  WordScanner words(line);
  std::string_view operation;
  if (!words.next(device) || device.find(':') == std::string_view::npos) return false;
  if (!words.next(operation) || (operation != "Read" && operation != "Write")) return false;
  is_write = operation == "Write";
  return next_u64(words, value);
}

std::optional<std::uint64_t> parse_limit(std::string_view text) {
  const std::string_view word = trimmed(text);
  if (word == "max" || word == "-1") return 0;
  std::uint64_t value = 0;
  if (!to_u64(word, value)) return std::nullopt;
  return value >= 1ULL << 62 ? 0 : value;
}

}  // namespace observeai::agent
