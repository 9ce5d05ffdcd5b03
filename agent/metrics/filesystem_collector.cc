#include "agent/metrics/filesystem_collector.h"

#include <algorithm>
#include <array>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/proc_parsers.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"
#include "protocol/base/mount_text.h"

namespace observeai::agent {
namespace {

constexpr std::array<std::string_view, 24> kPseudoTypes = {
    "autofs",     "binfmt_misc", "bpf",       "cgroup",   "cgroup2",   "configfs",
    "debugfs",    "devpts",      "devtmpfs",  "fusectl",  "hugetlbfs", "iso9660",
    "mqueue",     "nsfs",        "overlay",   "proc",     "procfs",    "pstore",
    "rpc_pipefs", "securityfs",  "selinuxfs", "squashfs", "sysfs",     "tracefs"};

// ^/(dev|proc|run|sys|mnt|media|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)
bool is_excluded_place(std::string_view path) {
  for (const std::string_view place : {"/dev", "/proc", "/run", "/sys", "/mnt", "/media"}) {
    if (path.starts_with(place) && (path.size() == place.size() || path[place.size()] == '/')) {
      return true;
    }
  }
  for (const std::string_view place : {"/var/lib/docker/", "/var/lib/containers/storage/"}) {
    if (path.starts_with(place) && path.size() > place.size()) return true;
  }
  return false;
}

bool is_wanted(const Mount& mount) {
  return std::find(kPseudoTypes.begin(), kPseudoTypes.end(), mount.type) == kPseudoTypes.end() &&
         !is_excluded_place(mount.mount_point);
}

}  // namespace

bool is_local(const Mount& mount) {
  if (mount.type.starts_with("fuse")) return false;
  return mount.device.starts_with("/dev/") || mount.type == "tmpfs" || mount.type == "ramfs" ||
         mount.type == "zfs";
}

std::vector<Mount> parse_mounts(std::string_view text, std::uint64_t& malformed) {
  std::vector<Mount> mounts;
  LineScanner lines(text);
  std::string_view line, device, place, type;
  while (lines.next(line)) {
    WordScanner words(line);
    if (!words.next(device) || !words.next(place) || !words.next(type)) {
      ++malformed;
      continue;
    }
    Mount mount{text::unescape_mount(device), text::unescape_mount(place), std::string(type)};
    if (!is_wanted(mount) || std::find(mounts.begin(), mounts.end(), mount) != mounts.end())
      continue;
    if (mounts.size() >= kMaxMounts) {
      ++malformed;
      continue;
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Result<std::vector<Mount>> wanted_mounts(const MetricRoots& roots, FileReader& files,
                                         std::uint64_t& malformed) {
  const std::string path = roots.proc + "/1/mounts";
  FileText content = files.read_once(path);
  if (!content) content = files.read_once(roots.proc + "/self/mounts");
  if (!content) return unreadable(path, content.error);
  return parse_mounts(content.text, malformed);
}

namespace {

class FilesystemCollector final : public Collector {
 public:
  // A mount whose statfs did not answer is left alone for this many scrapes, so that each hung
  // mount costs at most one deadline a minute.
  static constexpr int kStuckPauseScrapes = 6;
  // Deadlines that one scrape waits for. All mounts of a dead file server end together, and would
  // use up the time of the scrape; those beyond are asked in the next ones.
  static constexpr int kTimeoutsPerScrape = 2;

  FilesystemCollector(const MetricRoots& roots, HostCalls calls)
      : roots_(roots), calls_(std::move(calls)) {}
  std::string_view name() const override { return "filesystem"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    TRY(std::vector<Mount> mounts, wanted_mounts(roots_, context.files, context.malformed));
    std::stable_partition(mounts.begin(), mounts.end(), is_local);
    timeouts_ = 0;
    left_out_ = 0;
    rows_.begin();
    for (const Mount& mount : mounts) {
      const std::string key = mount.device + '\n' + mount.mount_point + '\n' + mount.type;
      if (Row* row = rows_.at(key)) add_mount(mount, *row, sink);
    }
    rows_.end();
    if (left_out_ == 0) return {};
    return Error(Errc::kTimeout, std::to_string(left_out_) + " mounts wait for the next scrape: " +
                                     std::to_string(timeouts_) + " before them did not answer");
  }

 private:
  struct Row {
    explicit Row(std::string_view) {}
    int pause = 0;
    bool failed = false;  // When it was asked last
    std::array<SeriesRef, 7> refs;
  };

  void add_mount(const Mount& mount, Row& row, SampleSink& sink) {
    const LabelViews labels = {
        {"device", mount.device}, {"fstype", mount.type}, {"mountpoint", mount.mount_point}};
    constexpr Metric kError = gauge("node_filesystem_device_error");
    if (row.pause > 0) {
      --row.pause;
      return sink.host(row.refs[0], kError, labels, 1);
    }
    if (timeouts_ >= kTimeoutsPerScrape) {
      ++left_out_;
      if (row.failed) sink.host(row.refs[0], kError, labels, 1);
      return;
    }
    const Result<FilesystemUsage> usage = calls_.statfs(roots_.root + mount.mount_point, mount);
    row.failed = !usage;
    if (!usage) {
      if (usage.error().code() == Errc::kTimeout) {
        ++timeouts_;
        row.pause = kStuckPauseScrapes - 1;
      }
      return sink.host(row.refs[0], kError, labels, 1);
    }
    const auto bytes = [&](std::uint64_t blocks) {
      return static_cast<double>(blocks) * static_cast<double>(usage->block_size);
    };
    sink.host(row.refs[0], kError, labels, 0);
    sink.host(row.refs[1], gauge("node_filesystem_size_bytes"), labels, bytes(usage->blocks));
    sink.host(row.refs[2], gauge("node_filesystem_free_bytes"), labels, bytes(usage->free_blocks));
    sink.host(row.refs[3], gauge("node_filesystem_avail_bytes"), labels,
              bytes(usage->available_blocks));
    sink.host(row.refs[4], gauge("node_filesystem_files"), labels,
              static_cast<double>(usage->files));
    sink.host(row.refs[5], gauge("node_filesystem_files_free"), labels,
              static_cast<double>(usage->files_free));
    sink.host(row.refs[6], gauge("node_filesystem_readonly"), labels, usage->read_only ? 1 : 0);
  }

  MetricRoots roots_;
  HostCalls calls_;
  RowCache<Row> rows_;
  int timeouts_ = 0;  // In this scrape
  int left_out_ = 0;
};

}  // namespace

CollectorPtr make_filesystem_collector(const MetricRoots& roots, HostCalls calls) {
  return std::make_unique<FilesystemCollector>(roots, std::move(calls));
}

}  // namespace observeai::agent
