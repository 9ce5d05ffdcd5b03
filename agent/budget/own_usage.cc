#include "agent/budget/own_usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kMaxFileBytes = 16 << 10;
constexpr double kOfTheGroups = 0.9;
// A v1 group without a limit says a number near 2^63.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

nanoseconds processor_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

std::uint64_t open_files() {
  struct stat info {};
  if (::stat("/proc/self/fd", &info) == 0 && info.st_size > 0) {
    return static_cast<std::uint64_t>(info.st_size);  // Since Linux 6.2
  }
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(directory)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(directory);
  return count;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  const auto text = files::read(path, kMaxFileBytes);
  return text ? text::parse_u64(text::trim(*text)) : std::nullopt;
}

template <class T>
void keep_least(std::optional<T>& kept, const std::optional<T>& other) {
  if (other && (!kept || *other < *kept)) kept = other;
}

void add_folder(const std::string& folder, GroupLimits& out) {
  for (const char* name : {"/memory.max", "/memory.limit_in_bytes"}) {
    auto memory = number_in(folder + name);
    if (memory && *memory >= kNoLimit) memory.reset();
    keep_least(out.memory_bytes, memory);
  }
  if (const auto text = files::read(folder + "/cpu.max", kMaxFileBytes)) {
    keep_least(out.cpu_percent, parse_cpu_max(*text));
  }
  const auto quota = number_in(folder + "/cpu.cfs_quota_us");
  const auto period = number_in(folder + "/cpu.cfs_period_us");
  if (quota && period && *period > 0) {
    keep_least(out.cpu_percent, std::optional<double>(100.0 * static_cast<double>(*quota) /
                                                      static_cast<double>(*period)));
  }
}

}  // namespace

Result<OwnUsage> OwnUsageMeter::measure(SteadyTime now) {
  TRY(const auto statm, files::read("/proc/self/statm", kMaxFileBytes));
  const auto fields = text::split(statm, ' ');
  const auto resident = fields.size() > 1 ? text::parse_u64(fields[1]) : std::nullopt;
  if (!resident) return Error(Errc::kUnavailable, "/proc/self/statm says nothing");
  OwnUsage out;
  out.memory_bytes = *resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  out.open_files = open_files();
  const nanoseconds cpu = processor_time();
  if (measured_at_ && now > *measured_at_) {
    out.cpu_percent = 100.0 * static_cast<double>((cpu - cpu_).count()) /
                      static_cast<double>(nanoseconds(now - *measured_at_).count());
  }
  measured_at_ = now;
  cpu_ = cpu;
  return out;
}

std::optional<double> parse_cpu_max(std::string_view text) {
  const auto fields = text::split(text::trim(text), ' ');
  if (fields.size() != 2) return std::nullopt;
  const auto quota = text::parse_u64(fields[0]);
  const auto period = text::parse_u64(fields[1]);
  if (!quota || !period || *period == 0) return std::nullopt;
  return 100.0 * static_cast<double>(*quota) / static_cast<double>(*period);
}

GroupLimits own_group_limits(const std::string& proc_root, const std::string& cgroup_root) {
  GroupLimits out;
  const auto text = files::read(proc_root + "/self/cgroup", kMaxFileBytes);
  if (!text) return out;
  // "0::/path" or "4:cpu,cpuacct:/path"
  for (const auto line : text::split(*text, '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    std::string path(line.substr(second + 1));
    if (path.find("..") != std::string::npos) continue;
    std::vector<std::string> roots{cgroup_root + "/" + std::string(controllers)};
    if (controllers.empty()) roots = {cgroup_root, cgroup_root + "/unified"};
    while (!path.empty()) {
      for (const auto& root : roots) add_folder(path == "/" ? root : root + path, out);
      path.resize(path.rfind('/'));
    }
  }
  return out;
}

BudgetLimits within(BudgetLimits configured, const GroupLimits& group) {
  if (group.memory_bytes) {
    const auto most =
        static_cast<std::uint64_t>(static_cast<double>(*group.memory_bytes) * kOfTheGroups);
    configured.memory_bytes = std::min(configured.memory_bytes, most);
  }
  if (group.cpu_percent) {
    configured.cpu_percent = std::min(configured.cpu_percent, *group.cpu_percent * kOfTheGroups);
  }
  return configured;
}

}  // namespace observeai::agent
