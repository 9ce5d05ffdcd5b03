#include "agent/executor/actions/diagnostics_report.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <set>

#include "agent/executor/unique_fd.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kMaxSmallFile = 256U << 10;
constexpr std::size_t kTop = 20;
constexpr std::size_t kMaxDisks = 50;
constexpr std::size_t kMaxKmsgBytes = 4U << 20;
constexpr std::size_t kMostOomLines = 40;
constexpr std::size_t kMaxLine = 200;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

std::string line_of(std::string_view text) {
  return text::escape_unprintable(text::trim(text), kMaxLine);
}

// A whole small file, or why not; every line behind `indent`.
std::string whole(const std::string& path, std::string_view label) {
  auto text = files::read(path, kMaxSmallFile);
  std::string out;
  if (!text) return out.append(label).append(": ").append(text.error().message()).append("\n");
  for (const auto line : text::split(text::trim(*text), '\n'))
    out.append(label).append(": ").append(line_of(line)).append("\n");
  return out;
}

std::string bytes(std::uint64_t count) {
  return text::format_bytes(static_cast<double>(count));
}

// mountinfo(5): blank, tab, newline and backslash as \ooo.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool octal = text[i] == '\\' && i + 3 < text.size() && text[i + 1] >= '0' &&
                       text[i + 1] <= '3' && text[i + 2] >= '0' && text[i + 2] <= '7' &&
                       text[i + 3] >= '0' && text[i + 3] <= '7';
    if (!octal) {
      out += text[i];
      continue;
    }
    out +=
        static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
    i += 3;
  }
  return out;
}

bool is_local(std::string_view type) {
  constexpr std::array<std::string_view, 11> kLocal = {
      "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "vfat", "tmpfs", "jfs", "reiserfs"};
  return std::find(kLocal.begin(), kLocal.end(), type) != kLocal.end();
}

bool is_remote(std::string_view type) {
  return type.starts_with("nfs") || type.starts_with("cifs") || type.starts_with("smb") ||
         type.starts_with("fuse.") || type == "ceph" || type == "9p" || type == "glusterfs";
}

std::string disk_line(const std::string& where, std::string_view type) {
  struct statvfs use {};
  std::string out = text::escape_unprintable(where, kMaxLine).append(" ").append(type);
  if (::statvfs(where.c_str(), &use) != 0) return out.append(": cannot be asked\n");
  if (use.f_blocks == 0) return "";
  const auto total = static_cast<std::uint64_t>(use.f_blocks) * use.f_frsize;
  const auto free = static_cast<std::uint64_t>(use.f_bavail) * use.f_frsize;
  out.append(": ").append(bytes(free)).append(" free of ").append(bytes(total));
  return out.append(", inodes ")
             .append(std::to_string(use.f_favail))
             .append(" free of ")
             .append(std::to_string(use.f_files)) += '\n';
}

}  // namespace

std::string report_load(const std::string& proc_root) {
  return whole(proc_root + "/loadavg", "load") + whole(proc_root + "/uptime", "uptime");
}

std::string report_memory(const std::string& proc_root) {
  constexpr std::array<std::string_view, 14> kWanted = {
      "MemTotal",   "MemFree",      "MemAvailable", "Buffers",        "Cached",
      "SwapTotal",  "SwapFree",     "AnonPages",    "Shmem",          "SReclaimable",
      "SUnreclaim", "Committed_AS", "Dirty",        "HugePages_Total"};
  auto text = files::read(proc_root + "/meminfo", kMaxSmallFile);
  if (!text) return "memory: " + text.error().message() + "\n";
  std::string out;
  for (const auto line : text::split(*text, '\n')) {
    const auto name = line.substr(0, line.find(':'));
    if (std::find(kWanted.begin(), kWanted.end(), name) != kWanted.end())
      out.append("memory: ").append(line_of(line)).append("\n");
  }
  return out;
}

std::string report_pressure(const std::string& proc_root) {
  std::string out;
  for (const char* kind : {"cpu", "memory", "io"})
    out += whole(proc_root + "/pressure/" + kind, std::string("pressure ").append(kind));
  return out;
}

std::map<std::int64_t, ProcessStat> look_at_processes(const std::string& proc_root) {
  std::map<std::int64_t, ProcessStat> out;
  const std::unique_ptr<DIR, CloseFolder> list(::opendir(proc_root.c_str()));
  while (const dirent* one = list ? ::readdir(list.get()) : nullptr) {
    const auto pid = text::parse_i64(one->d_name);
    if (!pid) continue;
    if (auto stat = read_process_stat(proc_root, *pid)) out.emplace(*pid, *std::move(stat));
  }
  return out;
}

std::string report_processes(const std::map<std::int64_t, ProcessStat>& before,
                             const std::map<std::int64_t, ProcessStat>& after, double between_s,
                             std::uint64_t page_bytes, std::uint64_t ticks_per_s) {
  struct Row {
    const ProcessStat* stat;
    std::uint64_t used;  // Ticks between the two looks
  };
  std::vector<Row> rows;
  for (const auto& [pid, stat] : after) {
    const auto earlier = before.find(pid);
    const bool same = earlier != before.end() && earlier->second.start_ticks == stat.start_ticks &&
                      earlier->second.cpu_ticks <= stat.cpu_ticks;
    rows.push_back({&stat, same ? stat.cpu_ticks - earlier->second.cpu_ticks : 0});
  }
  const auto line = [&](std::string_view label, const Row& row) {
    char cpu[32];
    const double share =
        between_s > 0 && ticks_per_s > 0
            ? 100.0 * static_cast<double>(row.used) / (between_s * static_cast<double>(ticks_per_s))
            : 0.0;
    std::snprintf(cpu, sizeof cpu, "%.1f %%", share);
    const auto pages =
        static_cast<std::uint64_t>(std::max<std::int64_t>(row.stat->resident_pages, 0));
    return std::string(label) + ": " + std::to_string(row.stat->pid) + " " +
           text::escape_unprintable(row.stat->comm, 64) + " " + row.stat->state + ", " +
           bytes(pages * page_bytes) + ", CPU " + cpu + ", start_ticks " +
           std::to_string(row.stat->start_ticks) + "\n";
  };
  const auto top = [&](std::string_view label, auto more) {
    std::stable_sort(rows.begin(), rows.end(), more);
    std::string out;
    for (std::size_t i = 0; i < std::min(kTop, rows.size()); ++i) out += line(label, rows[i]);
    return out;
  };
  std::string out = "processes: " + std::to_string(after.size()) + "\n";
  out += top("by memory", [](const Row& a, const Row& b) {
    return a.stat->resident_pages > b.stat->resident_pages;
  });
  return out + top("by CPU", [](const Row& a, const Row& b) { return a.used > b.used; });
}

std::string report_disks(const std::string& proc_root) {
  // The host's own, whatever a sandbox put over our view of it.
  auto text = files::read(proc_root + "/1/mounts", kMaxSmallFile);
  if (!text) text = files::read(proc_root + "/mounts", kMaxSmallFile);
  if (!text) return "disk: " + text.error().message() + "\n";
  std::string out;
  std::set<std::string, std::less<>> seen;  // One mount of each device
  for (const auto line : text::split(*text, '\n')) {
    const auto fields = text::split(line, ' ');
    if (fields.size() < 3 || seen.size() == kMaxDisks) continue;
    const std::string where = unescaped(fields[1]);
    const bool tmpfs = fields[2] == "tmpfs";
    if (!seen.emplace(tmpfs ? where : std::string(fields[0])).second) continue;
    if (is_local(fields[2])) {
      const auto told = disk_line(where, fields[2]);
      if (!told.empty()) out.append("disk: ").append(told);
    } else if (is_remote(fields[2])) {
      out.append("disk: ").append(line_of(where)).append(" ").append(line_of(fields[2]));
      out.append(": of a network, not asked\n");
    }
  }
  return out;
}

std::string oom_lines(std::string_view kmsg, std::size_t most) {
  std::vector<std::string> found;
  for (const auto line : text::split(kmsg, '\n')) {
    const auto text =
        line.substr(line.find(';') == std::string_view::npos ? 0 : line.find(';') + 1);
    if (text.find("Out of memory") == std::string_view::npos &&
        text.find("oom-kill") == std::string_view::npos &&
        text.find("Killed process") == std::string_view::npos &&
        text.find("oom_reaper") == std::string_view::npos)
      continue;
    found.push_back("oom: " + text::escape_unprintable(text, kMaxLine * 2) + "\n");
  }
  std::string out;
  for (std::size_t i = found.size() > most ? found.size() - most : 0; i < found.size(); ++i)
    out += found[i];
  return out;
}

std::string report_oom(const std::string& kmsg_path) {
  const UniqueFd kmsg(::open(kmsg_path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!kmsg) return "oom: the kernel's log cannot be read\n";
  std::string all;
  char record[8192];
  while (all.size() < kMaxKmsgBytes) {
    const auto got = ::read(kmsg.get(), record, sizeof record);
    if (got < 0 && (errno == EINTR || errno == EPIPE)) continue;  // EPIPE: records were overwritten
    if (got <= 0) break;
    all.append(record, static_cast<std::size_t>(got));
  }
  const auto lines = oom_lines(all, kMostOomLines);
  return lines.empty() ? "oom: nothing in the kernel's log\n" : lines;
}

std::string report_cgroup(const std::string& cgroup_root, std::string_view proc_cgroup) {
  std::string out;
  for (const auto line : text::split(proc_cgroup, '\n')) {
    const auto fields = text::split(line, ':');
    if (fields.size() < 3 || fields[2].find("..") != std::string_view::npos) continue;
    const std::string path(line.substr(fields[0].size() + fields[1].size() + 2));
    const auto tell = [&](const std::string& folder, const std::vector<const char*>& names) {
      for (const char* name : names)
        if (files::exists(folder + "/" + name)) out += whole(folder + "/" + name, name);
    };
    if (fields[1].empty())
      tell(cgroup_root + path,
           {"memory.current", "memory.max", "memory.peak", "memory.events", "memory.pressure",
            "cpu.max", "cpu.stat", "pids.current", "pids.max"});
    else if (fields[1] == "memory")
      tell(cgroup_root + "/memory" + path,
           {"memory.usage_in_bytes", "memory.limit_in_bytes", "memory.max_usage_in_bytes",
            "memory.failcnt", "memory.oom_control"});
    else if (fields[1] == "pids")
      tell(cgroup_root + "/pids" + path, {"pids.current", "pids.max"});
    else if (fields[1].find("cpu") != std::string_view::npos && fields[1] != "cpuset")
      tell(cgroup_root + "/" + std::string(fields[1]) + path,
           {"cpu.stat", "cpu.cfs_quota_us", "cpuacct.usage"});
  }
  return out.empty() ? "cgroup: no numbers\n" : out;
}

}  // namespace observeai::agent::executor
