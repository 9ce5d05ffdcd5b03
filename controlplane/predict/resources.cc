#include "controlplane/predict/resources.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

#include "controlplane/predict/host_samples.h"

namespace observeai::predict {
namespace {

struct Named {
  Kind kind;
  std::string_view name;
};
constexpr std::array kNames = {
    Named{Kind::kContainerMemory, "container_memory"},
    Named{Kind::kHostMemory, "host_memory"},
    Named{Kind::kDiskBytes, "disk"},
    Named{Kind::kDiskInodes, "inodes"},
    Named{Kind::kFileHandles, "file_handles"},
    Named{Kind::kPids, "pids"},
    Named{Kind::kConnections, "connections"},
    Named{Kind::kCertificate, "certificate"},
    Named{Kind::kErrors, "errors"},
};

constexpr std::array<std::string_view, 35> kMetricNames = {
    "container_memory_kernel_usage",
    "container_memory_slab_reclaimable_bytes",
    "container_memory_swap",
    "container_memory_total_active_file_bytes",
    "container_memory_total_inactive_file_bytes",
    "container_memory_usage_bytes",
    "container_spec_memory_limit_bytes",
    "container_spec_memory_swap_limit_bytes",
    "container_start_time_seconds",
    "container_threads",
    "container_threads_max",
    "namedprocess_namegroup_oldest_start_time_seconds",
    "namedprocess_namegroup_worst_fd_limit",
    "namedprocess_namegroup_worst_fd_ratio",
    "node_boot_time_seconds",
    "node_filefd_allocated",
    "node_filefd_maximum",
    "node_filesystem_avail_bytes",
    "node_filesystem_files",
    "node_filesystem_files_free",
    "node_filesystem_free_bytes",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_memory_SwapCached_bytes",
    "node_memory_SwapFree_bytes",
    "node_memory_SwapTotal_bytes",
    "node_nf_conntrack_entries",
    "node_nf_conntrack_entries_limit",
    "node_processes_max_processes",
    "node_processes_max_threads",
    "node_processes_threads",
    "x509_cert_not_after",
    "x509_cert_not_before",
};

constexpr std::string_view kHost = wire::kHostTarget;
constexpr std::string_view kContainers = "container/";
constexpr std::string_view kProcesses = "process/";
// Limits rarely change, and what reads them may take turns.
constexpr std::int64_t kLimitAgeMs = 10 * 60'000;
// "As much as you like" is written as 2^63 rounded to a page, 2^62 or so: no machine has this much of
// anything.
constexpr double kNoLimit = 1e18;
constexpr double kLastSecond = 1e11;  // In the year 5138: what is later is no time

// Resources of one host, collected one kind after the other.
class Reader {
 public:
  explicit Reader(std::span<const Sample> samples) : samples_(samples) {}

  std::vector<Reading> read() {
    host_memory();
    host_tables();
    filesystems();
    certificates();
    for (const std::string_view target : samples_.targets(kContainers)) container(target);
    for (const std::string_view target : samples_.targets(kProcesses)) process_group(target);
    std::ranges::sort(out_, {}, [](const Reading& reading) {
      return std::tie(reading.kind, reading.target, reading.instance);
    });
    return std::move(out_);
  }

 private:
  struct Amount {
    double used = 0;
    std::optional<Value> limit;
    std::int64_t ts_ms = 0;
    double lent = 0;  // Of the limit
    bool is_of_worst = false;
  };

  void add(Kind kind, std::string_view target, std::string_view instance, std::string_view unit,
           const Amount& amount, std::int64_t regime) {
    if (!amount.limit || amount.limit->value <= 0 || amount.limit->value >= kNoLimit) return;
    if (amount.limit->ts_ms + kLimitAgeMs < amount.ts_ms) return;
    Reading reading;
    reading.kind = kind;
    reading.target = target;
    reading.instance = instance;
    reading.used = std::max(0.0, amount.used);
    reading.limit = amount.limit->value;
    reading.configured = amount.limit->value - amount.lent;
    reading.is_of_worst = amount.is_of_worst;
    reading.unit = unit;
    reading.ts_ms = amount.ts_ms;
    reading.regime = regime;
    out_.push_back(std::move(reading));
  }

  // A time that a metric gives in seconds.
  std::int64_t began(std::string_view target, std::string_view metric) const {
    const auto seconds = samples_.one(target, metric);
    if (!seconds || seconds->value > kLastSecond) return 0;
    return static_cast<std::int64_t>(std::llround(seconds->value * 1'000));
  }
  std::int64_t booted() const { return began(kHost, "node_boot_time_seconds"); }

  void host_memory() {
    const auto total = samples_.one(kHost, "node_memory_MemTotal_bytes");
    if (!total) return;
    const auto at = [&](std::string_view name) {
      return samples_.one_at(total->ts_ms, kHost, name);
    };
    const auto available = at("node_memory_MemAvailable_bytes");
    if (!available) return;
    // What is in swap and in memory as well counts once.
    const double swap = at("node_memory_SwapTotal_bytes").value_or(0);
    const double swapped = std::max(0.0, swap - at("node_memory_SwapFree_bytes").value_or(swap) -
                                             at("node_memory_SwapCached_bytes").value_or(0));
    const Value limit{total->value + swap, total->ts_ms};
    add(Kind::kHostMemory, kHost, "", "bytes",
        {total->value - *available + swapped, limit, total->ts_ms}, booted());
  }

  // Tables of the kernel: one number and how great it may become.
  void host_tables() {
    table(Kind::kFileHandles, "handles", "node_filefd_allocated",
          samples_.one(kHost, "node_filefd_maximum"));
    table(Kind::kConnections, "connections", "node_nf_conntrack_entries",
          samples_.one(kHost, "node_nf_conntrack_entries_limit"));
    // Every thread takes a number of a process: what is smaller counts.
    auto limit = samples_.one(kHost, "node_processes_max_threads");
    const auto numbers = samples_.one(kHost, "node_processes_max_processes");
    if (numbers && numbers->value > 0 &&
        (!limit || limit->value <= 0 || numbers->value < limit->value)) {
      limit = numbers;
    }
    table(Kind::kPids, "pids", "node_processes_threads", limit);
  }

  void table(Kind kind, std::string_view unit, std::string_view used,
             const std::optional<Value>& limit) {
    const auto value = samples_.one(kHost, used);
    if (value) add(kind, kHost, "", unit, {value->value, limit, value->ts_ms}, booted());
  }

  struct Filesystem {
    std::string_view device, type, mount_point;
    double size = 0;
    std::int64_t ts_ms = 0;
  };

  void filesystems() {
    std::map<std::string_view, Filesystem> by_identity;
    for (const Sample* sample : samples_.all(kHost, "node_filesystem_size_bytes")) {
      const auto size = usable(*sample);
      const Filesystem found{label(*sample, "device"), label(*sample, "fstype"),
                             label(*sample, "mountpoint"), size ? size->value : 0, sample->ts_ms};
      if (!size || size->value <= 0 || is_pseudo(found.type)) continue;
      // A memory file system has no device of its own: its mount point is all there is.
      const bool has_device = found.device.find('/') != std::string_view::npos;
      auto [entry, is_new] =
          by_identity.try_emplace(has_device ? found.device : found.mount_point, found);
      if (!is_new && is_better(found, entry->second)) entry->second = found;
    }
    for (const auto& [identity, filesystem] : by_identity) add_filesystem(filesystem);
  }

  static bool is_pseudo(std::string_view type) {
    constexpr std::array<std::string_view, 10> kTypes = {
        "overlay", "aufs",     "squashfs", "iso9660",    "erofs",
        "udf",     "efivarfs", "devtmpfs", "fuse.lxcfs", "fuse.portal"};
    return std::ranges::find(kTypes, type) != kTypes.end();
  }
  // Newer values first (an older mount may be gone), then the shortest path.
  static bool is_better(const Filesystem& a, const Filesystem& b) {
    if (a.ts_ms != b.ts_ms) return a.ts_ms > b.ts_ms;
    return std::tuple(a.mount_point.size(), a.mount_point) <
           std::tuple(b.mount_point.size(), b.mount_point);
  }
  // They make inodes out of free space as they need them: the disk is what ends.
  static bool has_fixed_inodes(std::string_view type) {
    return type != "xfs" && type != "btrfs" && type != "zfs";
  }

  void add_filesystem(const Filesystem& filesystem) {
    const auto of = [&](std::string_view name) -> std::optional<double> {
      for (const Sample* sample : samples_.all(kHost, name)) {
        if (label(*sample, "device") != filesystem.device ||
            label(*sample, "mountpoint") != filesystem.mount_point ||
            label(*sample, "fstype") != filesystem.type || sample->ts_ms != filesystem.ts_ms) {
          continue;
        }
        const auto found = usable(*sample);
        return found ? std::optional(found->value) : std::nullopt;
      }
      return std::nullopt;
    };
    if (of("node_filesystem_readonly").value_or(0) != 0) return;
    const auto free = of("node_filesystem_free_bytes");
    const auto available = of("node_filesystem_avail_bytes");
    if (free && available) {
      // As df: what root keeps for itself is no one else's.
      const double used = filesystem.size - *free;
      add(Kind::kDiskBytes, kHost, filesystem.mount_point, "bytes",
          {used, Value{used + *available, filesystem.ts_ms}, filesystem.ts_ms}, booted());
    }
    const auto inodes = of("node_filesystem_files");
    const auto inodes_free = of("node_filesystem_files_free");
    if (inodes && inodes_free && has_fixed_inodes(filesystem.type)) {
      add(Kind::kDiskInodes, kHost, filesystem.mount_point, "inodes",
          {*inodes - *inodes_free, Value{*inodes, filesystem.ts_ms}, filesystem.ts_ms}, booted());
    }
  }

  struct Certificate {
    double begin_s = 0, end_s = 0;
    std::int64_t ts_ms = 0;
  };

  // Of several in one file the one that ends first is what breaks.
  void certificates() {
    std::map<std::string_view, Certificate> by_file;
    for (const Sample* sample : samples_.all(kHost, "x509_cert_not_after")) {
      const auto end = usable(*sample);
      const auto begin = end ? begin_of(*sample) : std::nullopt;
      if (!begin) continue;
      const Certificate found{*begin, end->value, end->ts_ms};
      auto [entry, is_new] = by_file.try_emplace(label(*sample, "filepath"), found);
      Certificate& kept = entry->second;
      if (!is_new && std::tuple(-found.ts_ms, found.end_s) < std::tuple(-kept.ts_ms, kept.end_s)) {
        kept = found;
      }
    }
    for (const auto& [path, found] : by_file) {
      add(Kind::kCertificate, kHost, path, "s",
          {static_cast<double>(found.ts_ms) / 1e3 - found.begin_s,
           Value{found.end_s - found.begin_s, found.ts_ms}, found.ts_ms},
          std::llround(std::min(found.begin_s, kLastSecond) * 1'000));
    }
  }

  std::optional<double> begin_of(const Sample& certificate) const {
    for (const Sample* sample : samples_.all(kHost, "x509_cert_not_before")) {
      if (!std::ranges::equal(sample->labels, certificate.labels)) continue;
      const auto begin = usable(*sample);
      return begin && begin->ts_ms == certificate.ts_ms ? std::optional(begin->value)
                                                        : std::nullopt;
    }
    return std::nullopt;
  }

  void container(std::string_view target) {
    const std::int64_t started = began(target, "container_start_time_seconds");
    container_memory(target, started);
    const auto tasks = samples_.one(target, "container_threads");
    if (tasks) {
      add(Kind::kPids, target, "", "pids",
          {tasks->value, samples_.one(target, "container_threads_max"), tasks->ts_ms}, started);
    }
  }

  // A cgroup is out of memory when what the kernel cannot take back reaches the limit: anonymous
  // pages, shared memory and tmpfs, pages locked in memory, kernel memory but for caches of names and
  // inodes. Pages of files are on the two file lists, and only they: tmpfs is on the anonymous ones.
  void container_memory(std::string_view target, std::int64_t started) {
    const auto usage = samples_.one(target, "container_memory_usage_bytes");
    auto limit = samples_.one(target, "container_spec_memory_limit_bytes");
    if (!usage || !limit || limit->value <= 0) return;
    const auto at = [&](std::string_view name) {
      return samples_.one_at(usage->ts_ms, target, name);
    };
    const auto active = at("container_memory_total_active_file_bytes");
    const auto inactive = at("container_memory_total_inactive_file_bytes");
    if (!active || !inactive) return;
    const auto host = samples_.one(kHost, "node_memory_MemTotal_bytes");
    if (host && limit->value >= host->value) return;  // The host's memory ends before
    // cgroup v1 tells kernel memory, but not how much of it are caches. They grow to the limit and
    // are given back then, what else there is hardly grows: without it fewer alarms are false.
    const auto caches = at("container_memory_slab_reclaimable_bytes");
    const double kernel = caches ? *caches : at("container_memory_kernel_usage").value_or(0);
    const double swapped = at("container_memory_swap").value_or(0);
    const double lent = swap_allowance(target, swapped);
    limit->value += lent;
    add(Kind::kContainerMemory, target, "", "bytes",
        {usage->value - *active - *inactive - kernel + swapped, limit, usage->ts_ms, lent},
        started);
  }

  // How much may be in swap: what its own limit allows, as far as the host has it.
  double swap_allowance(std::string_view target, double swapped) const {
    const auto free = samples_.one(kHost, "node_memory_SwapFree_bytes");
    const double there = swapped + (free ? free->value : 0);
    const auto allowed = samples_.one(target, "container_spec_memory_swap_limit_bytes");
    return allowed ? std::min(allowed->value, there) : swapped;
  }

  void process_group(std::string_view target) {
    const auto ratio = samples_.one(target, "namedprocess_namegroup_worst_fd_ratio");
    const auto limit = samples_.one(target, "namedprocess_namegroup_worst_fd_limit");
    // Both are of one process, which may be another one in the next scrape.
    if (!ratio || !limit || ratio->ts_ms != limit->ts_ms) return;
    const Amount amount{std::round(ratio->value * limit->value), limit, ratio->ts_ms, 0, true};
    const std::string_view key = target.substr(kProcesses.size());
    if (const std::string_view owner = container_of(key); !owner.empty()) {
      return add(Kind::kFileHandles, owner, key.substr(key.find('/') + 1), "handles", amount,
                 began(owner, "container_start_time_seconds"));
    }
    add(Kind::kFileHandles, target, "", "handles", amount,
        began(target, "namedprocess_namegroup_oldest_start_time_seconds"));
  }

  // "0123456789ab/nginx" is of the container whose id begins like this.
  std::string_view container_of(std::string_view key) const {
    constexpr std::size_t kShortId = 12;
    if (key.find('/') != kShortId) return {};
    const std::string prefix = std::string(kContainers) + std::string(key.substr(0, kShortId));
    const auto found = samples_.targets(prefix);
    return found.size() == 1 ? found.front() : std::string_view{};
  }

  HostSamples samples_;
  std::vector<Reading> out_;
};

}  // namespace

std::string_view name(Kind kind) {
  const auto found = std::ranges::find(kNames, kind, &Named::kind);
  return found == kNames.end() ? std::string_view{} : found->name;
}

std::optional<Kind> kind_of(std::string_view name) {
  const auto found = std::ranges::find(kNames, name, &Named::name);
  if (found == kNames.end()) {
    return std::nullopt;
  }
  return found->kind;
}

std::span<const std::string_view> metric_names() {
  return kMetricNames;
}

std::vector<Reading> readings(std::span<const Sample> samples) {
  return Reader(samples).read();
}

}  // namespace observeai::predict
