#include "agent/discovery/proc_scanner.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "agent/discovery/secret_arguments.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr std::size_t kMaxStatBytes = 1024;
constexpr std::size_t kMaxCgroupBytes = 16 * 1024;
constexpr std::size_t kMaxCmdlineBytes = 8 * 1024;  // Secrets are found before it is cut to 512.
constexpr std::size_t kShortIdLength = 12;          // As docker ps shows it
// Counting descriptors by reading the directory (kernels before 6.2) takes turns over so many
// scans.
constexpr std::uint64_t kFdCountTurns = 6;
// The limit of open files is read with a process's name, by turns over so many scans, and at each look
// once a process holds half of what it may: few do, and some raise their limit then.
constexpr std::uint64_t kFdLimitTurns = 60;
constexpr std::size_t kMaxLimitsBytes = 4 * 1024;
// A group may be away for so long before its counter starts from zero again (a job run now and
// then).
constexpr std::uint64_t kGroupMemoryScans = 60;

class PidPath {
 public:
  PidPath(std::uint32_t pid, const char* name) {
    std::snprintf(text_.data(), text_.size(), "%u/%s", pid, name);
  }
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 32> text_;
};

std::string owner_part(const CgroupOwner& owner, const std::string& user) {
  if (!owner.container_id.empty()) return owner.container_id.substr(0, kShortIdLength);
  return owner.unit.empty() ? user : owner.unit;
}

}  // namespace

ProcScanner::ProcScanner(Paths paths, RedactText redact, Limits limits)
    : paths_(std::move(paths)),
      redact_(std::move(redact)),
      limits_(limits),
      proc_directory_(std::make_shared<const ProcDirectory>(paths_.proc)),
      proc_(*proc_directory_),
      commands_(kCommandDeadline, "its memory is out of reach"),
      ticks_per_second_(static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))),
      page_bytes_(static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) {}

ProcScan ProcScanner::scan() {
  ++scan_;
  if (boot_time_ms_ == 0 && proc_.read("stat", buffer_, 1U << 20)) {
    boot_time_ms_ = boot_time_ms(buffer_);
  }
  ProcScan out;
  for (const std::uint32_t pid : list_pids()) {
    if (!keep_resting(pid, out)) look_at(pid, out);
  }
  std::erase_if(processes_, [this](const auto& item) { return item.second.seen_scan != scan_; });

  std::map<std::string_view, std::vector<Member>> members;
  for (auto& [pid, process] : processes_) {
    if (process.kernel_thread) continue;
    out.processes.push_back({pid, process.start_ticks, process.comm, process.owner.container_id,
                             process.idle_looks >= kRestingLooks});
    if (members.size() < limits_.groups || members.contains(process.group)) {
      members[process.group].push_back({pid, &process});
    } else {
      ++out.over_limit;
    }
  }
  std::sort(out.processes.begin(), out.processes.end(),
            [](const auto& a, const auto& b) { return a.pid < b.pid; });
  for (auto& [key, group] : members) add_group(std::string(key), group, out);
  std::erase_if(groups_, [this](const auto& item) {
    return item.second.seen_scan + kGroupMemoryScans < scan_;
  });
  return out;
}

std::vector<std::uint32_t> ProcScanner::list_pids() const {
  std::vector<std::uint32_t> pids;
  pids.reserve(processes_.size() + 64);
  DIR* directory = ::opendir(paths_.proc.c_str());
  if (directory == nullptr) return pids;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    const auto pid = text::parse_u64(entry->d_name);
    if (pid && *pid <= UINT32_MAX) pids.push_back(static_cast<std::uint32_t>(*pid));
  }
  ::closedir(directory);
  return pids;
}

// False: it does not rest, or this is its turn.
bool ProcScanner::keep_resting(std::uint32_t pid, ProcScan& out) {
  const auto known = processes_.find(pid);
  if (known == processes_.end() || known->second.idle_looks < kRestingLooks) return false;
  if (pid % kRestingTurns == scan_ % kRestingTurns) return false;
  Process& process = known->second;
  process.seen_scan = scan_;
  if (process.kernel_thread) {
    ++out.kernel_threads;
  } else {
    groups_[process.group].seen_scan = scan_;
  }
  return true;
}

void ProcScanner::look_at(std::uint32_t pid, ProcScan& out) {
  const auto stat = proc_.read(PidPath(pid, "stat").c_str(), buffer_, kMaxStatBytes)
                        ? parse_proc_stat(buffer_)
                        : std::nullopt;
  if (!stat) {
    ++out.vanished;
    return;
  }
  out.kernel_threads += stat->kernel_thread ? 1 : 0;
  if (stat->state == 'Z' || stat->state == 'X') {
    ++out.zombies;
    return;
  }
  if (processes_.size() >= limits_.processes && !processes_.contains(pid)) {
    ++out.over_limit;
    return;
  }
  Process& process = processes_[pid];
  if (process.start_ticks != stat->start_ticks) process = Process();  // The pid was used again.
  const bool settled = process.times_seen == 2;
  const bool renamed = process.comm != stat->comm;
  process.seen_scan = scan_;
  process.start_ticks = stat->start_ticks;
  process.kernel_thread = stat->kernel_thread;
  if (!settled) ++process.times_seen;
  const bool idle = process.cpu_ticks == stat->cpu_ticks || process.kernel_thread;
  process.idle_looks = idle ? std::min(process.idle_looks + 1, kRestingLooks) : 0;
  if (process.kernel_thread) return;
  if (renamed) {
    process.idle_looks = 0;
    process.comm = stat->comm;
    process.command.reset();
  }
  if (!settled || renamed) identify(pid, process);
  Group& group = groups_[process.group];
  group.seen_scan = scan_;
  if (stat->cpu_ticks > process.cpu_ticks) group.cpu_ticks += stat->cpu_ticks - process.cpu_ticks;
  process.cpu_ticks = stat->cpu_ticks;
  process.threads = stat->threads;
  process.rss_pages = stat->rss_pages;
  count_fds(pid, process);
  const bool turn = pid % kFdLimitTurns == scan_ % kFdLimitTurns;
  const bool near_limit =
      process.fd_limit > 0 && process.open_fds.value_or(0) >= process.fd_limit / 2;
  if (!settled || turn || near_limit) read_fd_limit(pid, process);
}

void ProcScanner::identify(std::uint32_t pid, Process& process) {
  if (proc_.read(PidPath(pid, "cgroup").c_str(), buffer_, kMaxCgroupBytes)) {
    process.owner = owner_from_cgroup(buffer_);
  }
  std::array<char, 16> name;
  std::snprintf(name.data(), name.size(), "%u", pid);
  struct stat info {};
  if (::fstatat(proc_.fd(), name.data(), &info, 0) == 0) process.user = user_name(info.st_uid);
  process.group = key_part(owner_part(process.owner, process.user)) + "/" + key_part(process.comm);
}

void ProcScanner::count_fds(std::uint32_t pid, Process& process) {
  const PidPath path(pid, "fd");
  struct stat info {};
  if (::fstatat(proc_.fd(), path.c_str(), &info, 0) != 0) return;
  if (info.st_size > 0) {  // Since Linux 6.2 the size of the directory is the number.
    process.open_fds = static_cast<std::uint64_t>(info.st_size);
    return;
  }
  if (process.open_fds && pid % kFdCountTurns != scan_ % kFdCountTurns) return;
  const int fd = ::openat(proc_.fd(), path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = fd < 0 ? nullptr : ::fdopendir(fd);
  if (directory == nullptr) {
    if (fd >= 0) ::close(fd);
    return;
  }
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(directory);
  process.open_fds = count;
}

void ProcScanner::read_fd_limit(std::uint32_t pid, Process& process) {
  if (!proc_.read(PidPath(pid, "limits").c_str(), buffer_, kMaxLimitsBytes)) return;
  process.fd_limit = soft_limit(buffer_, "Max open files").value_or(0);
}

void ProcScanner::add_group(const std::string& key, std::vector<Member>& members, ProcScan& out) {
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
    return std::tie(a.process->start_ticks, a.pid) < std::tie(b.process->start_ticks, b.pid);
  });
  const Member& oldest = members.front();
  wire::ProcessGroup group;
  group.key = key;
  group.name = text::replace_invalid_utf8(oldest.process->comm);
  group.command = command_of(oldest);
  group.user = oldest.process->user;
  group.container_id = oldest.process->owner.container_id;
  group.unit = oldest.process->owner.unit;
  group.count = static_cast<std::uint32_t>(members.size());
  group.started_ms = boot_time_ms_ + static_cast<std::int64_t>(oldest.process->start_ticks * 1000 /
                                                               ticks_per_second_);
  GroupUsage usage;
  usage.key = key;
  usage.count = group.count;
  usage.cpu_seconds =
      static_cast<double>(groups_[key].cpu_ticks) / static_cast<double>(ticks_per_second_);
  for (const auto& [pid, process] : members) {
    if (group.pids.size() < kMaxGroupPids) group.pids.push_back(pid);
    usage.rss_bytes += process->rss_pages * page_bytes_;
    usage.threads += process->threads;
    if (!process->open_fds) continue;
    usage.open_fds = usage.open_fds.value_or(0) + *process->open_fds;
    const auto ratio = [](std::uint64_t fds, std::uint64_t limit) {
      return static_cast<double>(fds) / static_cast<double>(limit);
    };
    const bool worse =
        usage.worst_fd_limit == 0 ||
        ratio(*process->open_fds, process->fd_limit) > ratio(usage.worst_fds, usage.worst_fd_limit);
    if (process->fd_limit > 0 && worse) {
      usage.worst_fds = *process->open_fds;
      usage.worst_fd_limit = process->fd_limit;
    }
  }
  usage.started_ms = group.started_ms;
  out.groups.push_back(std::move(group));
  out.usage.push_back(std::move(usage));
}

const std::string& ProcScanner::command_of(const Member& member) {
  auto& command = member.process->command;
  if (command) return *command;
  command.emplace();
  if (!redact_) return *command;
  const std::string name = std::to_string(member.pid) + "/cmdline";
  std::function<Result<std::string>()> work = [proc = proc_directory_, name]() {
    std::string text;
    if (!proc->read(name.c_str(), text, kMaxCmdlineBytes)) text.clear();
    return Result<std::string>(std::move(text));
  };
  auto text = commands_.call(name, name, kMaxStuckCommands, std::move(work));
  // Given up on for this process: its memory is not touched again.
  if (!text) return *command;
  while (!text->empty() && text->back() == '\0') text->pop_back();
  const std::string arguments = text::replace_invalid_utf8(*text);
  *command = redacted_command(text::split(arguments, '\0'), redact_, kMaxCommandBytes);
  return *command;
}

std::string ProcScanner::user_name(std::uint32_t uid) {
  if (const auto known = users_.find(uid); known != users_.end()) return known->second;
  // An unknown user is a reason to read the file again, but once for each scan is enough.
  if (users_read_scan_ != scan_) {
    users_read_scan_ = scan_;
    const auto passwd = files::read(paths_.root + "/etc/passwd", 4U << 20);
    for (const auto line : text::split(passwd ? std::string_view(*passwd) : "", '\n')) {
      const auto fields = text::split(line, ':');
      const auto number = fields.size() > 2 ? text::parse_u64(fields[2]) : std::nullopt;
      if (number && *number <= UINT32_MAX && !fields[0].empty()) {
        users_.emplace(static_cast<std::uint32_t>(*number),
                       text::replace_invalid_utf8(fields[0].substr(0, 64)));
      }
    }
  }
  const auto known = users_.find(uid);
  return known != users_.end() ? known->second : std::to_string(uid);
}

}  // namespace observeai::agent
