// What of a host has a limit: the numbers of containers were read from a real kernel where a comment says so.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <list>

#include "controlplane/predict/resources.h"

namespace observeai::predict {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr double kMiB = 1 << 20;
constexpr double kStale = std::numeric_limits<double>::quiet_NaN();
const std::string kContainer =
    "container/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

// Samples that own their text.
class Host {
 public:
  Host& set(const std::string& target, const std::string& name, double value,
            wire::Labels labels = {}, std::int64_t ts_ms = kNow) {
    for (Row& row : rows_) {
      if (row.target == target && row.name == name && row.labels == labels) {
        row.value = value;
        row.ts_ms = ts_ms;
        return *this;
      }
    }
    rows_.push_back({target, name, std::move(labels), value, ts_ms});
    return *this;
  }
  Host& drop(const std::string& name) {
    rows_.remove_if([&](const Row& row) { return row.name == name; });
    return *this;
  }
  // From what metric_names() asks for, as it is live.
  std::vector<Reading> read() const {
    std::vector<Sample> samples;
    for (const Row& row : rows_) {
      if (!std::ranges::binary_search(metric_names(), row.name)) continue;
      samples.push_back({row.target, row.name, row.labels, row.value, row.ts_ms});
    }
    return readings(samples);
  }
  std::vector<Reading> read(Kind kind) const {
    std::vector<Reading> out = read();
    std::erase_if(out, [&](const Reading& reading) { return reading.kind != kind; });
    return out;
  }

 private:
  struct Row {
    std::string target, name;
    wire::Labels labels;
    double value = 0;
    std::int64_t ts_ms = 0;
  };
  std::list<Row> rows_;
};

Host memory_host() {
  Host host;
  host.set("host", "node_memory_MemTotal_bytes", 16'000 * kMiB);
  host.set("host", "node_memory_MemAvailable_bytes", 12'000 * kMiB);
  host.set("host", "node_boot_time_seconds", 1'699'000'000);
  return host;
}

// A container of 64 MiB with 40 MiB in a tmpfs, 16 MiB anonymous and 7 MiB of page cache.
Host container_host() {
  Host host = memory_host();
  host.set(kContainer, "container_memory_usage_bytes", 63 * kMiB);
  host.set(kContainer, "container_memory_total_active_file_bytes", 2 * kMiB);
  host.set(kContainer, "container_memory_total_inactive_file_bytes", 5 * kMiB);
  host.set(kContainer, "container_spec_memory_limit_bytes", 64 * kMiB);
  host.set(kContainer, "container_start_time_seconds", 1'699'999'000.25);
  return host;
}

Host& add_mount(Host& host, const std::string& device, const std::string& type,
                const std::string& place, double size, double free, double available,
                double files = 1000, double files_free = 400, std::int64_t ts_ms = kNow) {
  const wire::Labels labels = {{"device", device}, {"fstype", type}, {"mountpoint", place}};
  host.set("host", "node_filesystem_size_bytes", size, labels, ts_ms);
  host.set("host", "node_filesystem_free_bytes", free, labels, ts_ms);
  host.set("host", "node_filesystem_avail_bytes", available, labels, ts_ms);
  host.set("host", "node_filesystem_files", files, labels, ts_ms);
  host.set("host", "node_filesystem_files_free", files_free, labels, ts_ms);
  host.set("host", "node_filesystem_readonly", 0, labels, ts_ms);
  return host;
}

}  // namespace

TEST_CASE("the memory of a container: page cache is not used, tmpfs is") {
  const auto found = container_host().read(Kind::kContainerMemory);
  REQUIRE(found.size() == 1);
  CHECK(found[0].target == kContainer);
  CHECK(found[0].used == 56 * kMiB);
  CHECK(found[0].limit == 64 * kMiB);
  CHECK(found[0].unit == "bytes");
  CHECK(found[0].ts_ms == kNow);
  CHECK(found[0].regime == 1'699'999'000'250);
}

TEST_CASE("kernel memory of a container: caches of names are given back, the rest is not") {
  Host host = container_host();
  host.set(kContainer, "container_memory_kernel_usage", 10 * kMiB);
  INFO("cgroup v1 does not say how much of it are caches");
  CHECK(host.read(Kind::kContainerMemory).at(0).used == 46 * kMiB);
  host.set(kContainer, "container_memory_slab_reclaimable_bytes", 8 * kMiB);
  CHECK(host.read(Kind::kContainerMemory).at(0).used == 48 * kMiB);
}

TEST_CASE("a container without a limit, or with one beyond the host, has the host's memory") {
  Host host = container_host();
  for (const double limit : {0.0, 16'000 * kMiB, 9.2e18, kStale, -1.0}) {
    CAPTURE(limit);
    host.set(kContainer, "container_spec_memory_limit_bytes", limit);
    CHECK(host.read(Kind::kContainerMemory).empty());
  }
  host.drop("container_spec_memory_limit_bytes");
  CHECK(host.read(Kind::kContainerMemory).empty());
}

TEST_CASE("a container whose parts are missing, ended or of another scrape is not told") {
  for (const char* part :
       {"container_memory_usage_bytes", "container_memory_total_active_file_bytes",
        "container_memory_total_inactive_file_bytes"}) {
    CAPTURE(part);
    Host missing = container_host();
    CHECK(missing.drop(part).read(Kind::kContainerMemory).empty());
    Host ended = container_host();
    CHECK(ended.set(kContainer, part, kStale).read(Kind::kContainerMemory).empty());
    Host earlier = container_host();
    CHECK(earlier.set(kContainer, part, 5 * kMiB, {}, kNow - 10'000)
              .read(Kind::kContainerMemory)
              .empty());
  }
}

TEST_CASE("a limit may be of an earlier scrape, for a while") {
  Host host = container_host();
  host.set(kContainer, "container_spec_memory_limit_bytes", 64 * kMiB, {}, kNow - 600'000);
  CHECK(host.read(Kind::kContainerMemory).size() == 1);
  host.set(kContainer, "container_spec_memory_limit_bytes", 64 * kMiB, {}, kNow - 600'001);
  CHECK(host.read(Kind::kContainerMemory).empty());
}

TEST_CASE("a container may use swap as far as its limit and the host have it") {
  Host host = container_host();
  host.set("host", "node_memory_SwapTotal_bytes", 1'000 * kMiB);
  host.set("host", "node_memory_SwapFree_bytes", 20 * kMiB);
  host.set(kContainer, "container_memory_swap", 4 * kMiB);
  INFO("without its swap limit nothing more is promised than it already got");
  CHECK(host.read(Kind::kContainerMemory).at(0).limit == 68 * kMiB);
  host.set(kContainer, "container_spec_memory_swap_limit_bytes", 64 * kMiB);
  CHECK(host.read(Kind::kContainerMemory).at(0).limit == (64 + 24) * kMiB);
  CHECK(host.read(Kind::kContainerMemory).at(0).used == 60 * kMiB);
  host.set("host", "node_memory_SwapFree_bytes", 500 * kMiB);
  CHECK(host.read(Kind::kContainerMemory).at(0).limit == 128 * kMiB);
  host.set(kContainer, "container_spec_memory_swap_limit_bytes", 1.8e19);
  CHECK(host.read(Kind::kContainerMemory).at(0).limit == (64 + 504) * kMiB);
  CHECK(host.read(Kind::kContainerMemory).at(0).configured == 64 * kMiB);
  host.set(kContainer, "container_spec_memory_swap_limit_bytes", 0);
  host.set(kContainer, "container_memory_swap", 0);
  CHECK(host.read(Kind::kContainerMemory).at(0).limit == 64 * kMiB);
}

TEST_CASE("the memory of the host, with and without swap") {
  Host host = memory_host();
  auto found = host.read(Kind::kHostMemory);
  REQUIRE(found.size() == 1);
  CHECK(found[0].target == "host");
  CHECK(found[0].used == 4'000 * kMiB);
  CHECK(found[0].limit == 16'000 * kMiB);
  CHECK(found[0].regime == 1'699'000'000'000);
  host.set("host", "node_memory_SwapTotal_bytes", 2'000 * kMiB);
  host.set("host", "node_memory_SwapFree_bytes", 1'500 * kMiB);
  host.set("host", "node_memory_SwapCached_bytes", 100 * kMiB);
  found = host.read(Kind::kHostMemory);
  CHECK(found.at(0).used == 4'400 * kMiB);
  CHECK(found.at(0).limit == 18'000 * kMiB);
  host.set("host", "node_memory_MemAvailable_bytes", 12'000 * kMiB, {}, kNow - 10'000);
  CHECK(host.read(Kind::kHostMemory).empty());
}

TEST_CASE("a disk ends where root's reserve begins") {
  Host host;
  add_mount(host, "/dev/vda1", "ext4", "/", 1000, 250, 200);
  const auto disks = host.read(Kind::kDiskBytes);
  REQUIRE(disks.size() == 1);
  CHECK(disks[0].target == "host");
  CHECK(disks[0].instance == "/");
  CHECK(disks[0].used == 750);
  CHECK(disks[0].limit == 950);
  const auto inodes = host.read(Kind::kDiskInodes);
  REQUIRE(inodes.size() == 1);
  CHECK(inodes[0].used == 600);
  CHECK(inodes[0].limit == 1000);
  CHECK(inodes[0].unit == "inodes");
}

TEST_CASE("one file system that is mounted in several places is one resource") {
  Host host;
  add_mount(host, "/dev/vda1", "ext4", "/srv/data/deep", 1000, 250, 200);
  add_mount(host, "/dev/vda1", "ext4", "/srv", 1000, 250, 200);
  add_mount(host, "/dev/vda1", "ext4", "/etc/hosts", 1000, 250, 200);
  add_mount(host, "/dev/vdb1", "ext4", "/other", 1000, 250, 200);
  const auto disks = host.read(Kind::kDiskBytes);
  REQUIRE(disks.size() == 2);
  CHECK(disks[0].instance == "/other");
  CHECK(disks[1].instance == "/srv");

  INFO("the shorter one was unmounted without a last word");
  add_mount(host, "/dev/vda1", "ext4", "/srv", 1000, 250, 200, 1000, 400, kNow - 10'000);
  CHECK(host.read(Kind::kDiskBytes).at(0).instance == "/etc/hosts");
}

TEST_CASE("memory file systems share a name, not their space") {
  Host host;
  add_mount(host, "tmpfs", "tmpfs", "/tmp", 1000, 500, 500);
  add_mount(host, "tmpfs", "tmpfs", "/srv/cache", 1000, 500, 500);
  CHECK(host.read(Kind::kDiskBytes).size() == 2);
}

TEST_CASE("what nobody can fill is no disk") {
  Host host;
  add_mount(host, "/dev/loop0", "squashfs", "/snap/core", 100, 0, 0);
  add_mount(host, "overlay", "overlay", "/merged", 1000, 100, 100);
  add_mount(host, "/dev/sr0", "iso9660", "/cd", 700, 0, 0);
  add_mount(host, "efivarfs", "efivarfs", "/sys/firmware/efi", 100, 1, 1);
  add_mount(host, "none", "tmpfs", "/empty", 0, 0, 0);
  add_mount(host, "/dev/vdc1", "ext4", "/readonly", 1000, 10, 0);
  host.set("host", "node_filesystem_readonly", 1,
           {{"device", "/dev/vdc1"}, {"fstype", "ext4"}, {"mountpoint", "/readonly"}});
  CHECK(host.read().empty());
}

TEST_CASE("inodes that are made as they are needed cannot run out") {
  Host host;
  add_mount(host, "/dev/vda1", "xfs", "/", 1000, 250, 250);
  add_mount(host, "/dev/vdb1", "btrfs", "/b", 1000, 250, 250, 0, 0);
  add_mount(host, "/dev/vdc1", "ext4", "/c", 1000, 250, 250, 0, 0);
  CHECK(host.read(Kind::kDiskBytes).size() == 3);
  CHECK(host.read(Kind::kDiskInodes).empty());
}

TEST_CASE("a file system that gave no answer is not told") {
  Host host;
  add_mount(host, "/dev/vda1", "ext4", "/", 1000, 250, kStale);
  CHECK(host.read(Kind::kDiskBytes).empty());
  add_mount(host, "/dev/vda1", "ext4", "/", kStale, kStale, kStale, kStale, kStale);
  CHECK(host.read().empty());
}

TEST_CASE("tables of the host") {
  Host host;
  host.set("host", "node_boot_time_seconds", 1'699'000'000);
  host.set("host", "node_filefd_allocated", 450);
  host.set("host", "node_filefd_maximum", 9223372036854775807.0);
  CHECK(host.read(Kind::kFileHandles).empty());
  host.set("host", "node_filefd_maximum", 2'466'177);
  CHECK(host.read(Kind::kFileHandles).at(0).limit == 2'466'177);
  CHECK(host.read(Kind::kFileHandles).at(0).used == 450);

  host.set("host", "node_nf_conntrack_entries", 7);
  host.set("host", "node_nf_conntrack_entries_limit", 0);
  CHECK(host.read(Kind::kConnections).empty());
  host.set("host", "node_nf_conntrack_entries_limit", 262'144);
  CHECK(host.read(Kind::kConnections).at(0).limit == 262'144);
  CHECK(host.read(Kind::kConnections).at(0).regime == 1'699'000'000'000);

  host.set("host", "node_processes_threads", 900);
  CHECK(host.read(Kind::kPids).empty());
  host.set("host", "node_processes_max_threads", 192'730);
  CHECK(host.read(Kind::kPids).at(0).limit == 192'730);
  host.set("host", "node_processes_max_processes", 32'768);
  CHECK(host.read(Kind::kPids).at(0).limit == 32'768);
  host.set("host", "node_processes_max_processes", 4'194'304);
  CHECK(host.read(Kind::kPids).at(0).limit == 192'730);
}

TEST_CASE("tasks of a container") {
  Host host;
  host.set(kContainer, "container_threads", 90);
  CHECK(host.read().empty());
  host.set(kContainer, "container_threads_max", 100);
  host.set(kContainer, "container_start_time_seconds", 1'699'999'000);
  const auto found = host.read();
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::kPids);
  CHECK(found[0].used == 90);
  CHECK(found[0].regime == 1'699'999'000'000);
}

TEST_CASE("open files of the process that is nearest to its limit") {
  Host host;
  host.set("process/nginx.service/nginx", "namedprocess_namegroup_worst_fd_ratio", 923.0 / 1024);
  CHECK(host.read().empty());
  host.set("process/nginx.service/nginx", "namedprocess_namegroup_worst_fd_limit", 1024);
  host.set("process/nginx.service/nginx", "namedprocess_namegroup_oldest_start_time_seconds",
           1'699'999'500);
  auto found = host.read();
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::kFileHandles);
  CHECK(found[0].used == 923);
  CHECK(found[0].is_of_worst);
  CHECK(found[0].configured == 1024);
  CHECK(found[0].limit == 1024);
  CHECK(found[0].unit == "handles");
  CHECK(found[0].regime == 1'699'999'500'000);
  INFO("a ratio and a limit of two scrapes may be of two processes");
  host.set("process/nginx.service/nginx", "namedprocess_namegroup_worst_fd_limit", 1024, {},
           kNow - 10'000);
  CHECK(host.read().empty());
}

TEST_CASE("open files of a container's process are the container's") {
  Host host;
  host.set("process/0123456789ab/web", "namedprocess_namegroup_worst_fd_ratio", 0.5);
  host.set("process/0123456789ab/web", "namedprocess_namegroup_worst_fd_limit", 100);
  CHECK(host.read().at(0).target == "process/0123456789ab/web");
  host.set(kContainer, "container_start_time_seconds", 1'699'999'000);
  CHECK(host.read().at(0).target == kContainer);
  CHECK(host.read().at(0).instance == "web");
  CHECK(host.read().at(0).regime == 1'699'999'000'000);
}

TEST_CASE("a certificate ends at its notAfter; of several in a file the first to end counts") {
  Host host;
  const double now_s = static_cast<double>(kNow) / 1e3;
  const auto add = [&](const std::string& serial, double begin, double end,
                       std::int64_t ts_ms = kNow) {
    const wire::Labels labels = {{"filepath", "/etc/nginx/site.pem"}, {"serial_number", serial}};
    host.set("host", "x509_cert_not_after", end, labels, ts_ms);
    host.set("host", "x509_cert_not_before", begin, labels, ts_ms);
  };
  add("01", now_s - 900, now_s + 100);
  add("02", now_s - 9'000, now_s + 10'000);
  auto found = host.read();
  REQUIRE(found.size() == 1);
  CHECK(found[0].kind == Kind::kCertificate);
  CHECK(found[0].instance == "/etc/nginx/site.pem");
  CHECK(found[0].limit - found[0].used == 100);
  CHECK(found[0].regime == kNow - 900'000);

  INFO("renewed: the series of the old one ended");
  add("01", kStale, kStale);
  CHECK(host.read().at(0).limit - host.read().at(0).used == 10'000);
  INFO("renewed without a last word of the old one");
  add("01", now_s - 900, now_s + 100, kNow - 60'000);
  CHECK(host.read().at(0).limit - host.read().at(0).used == 10'000);
  INFO("expired: used is beyond the limit");
  add("02", now_s - 9'000, now_s - 10);
  CHECK(host.read().at(0).used > host.read().at(0).limit);
  INFO("ends before it begins");
  add("02", now_s, now_s - 10);
  CHECK(host.read().empty());
}

TEST_CASE("numbers that no kernel gives are not taken") {
  for (const double bad : {kStale, std::numeric_limits<double>::infinity(), -5.0}) {
    CAPTURE(bad);
    Host host = container_host();
    host.set(kContainer, "container_memory_usage_bytes", bad);
    host.set("host", "node_memory_MemTotal_bytes", bad);
    CHECK(host.read().empty());
  }
  INFO("less used than nothing: the cache grew between two reads of the kernel");
  Host host = container_host();
  host.set(kContainer, "container_memory_total_active_file_bytes", 64 * kMiB);
  CHECK(host.read(Kind::kContainerMemory).at(0).used == 0);
}

TEST_CASE("readings are in order and each once") {
  Host host = container_host();
  add_mount(host, "/dev/vdb", "ext4", "/b", 1000, 250, 200);
  add_mount(host, "/dev/vda", "ext4", "/a", 1000, 250, 200);
  const auto found = host.read();
  REQUIRE(found.size() == 6);
  CHECK(found[0].kind == Kind::kContainerMemory);
  CHECK(found[1].kind == Kind::kHostMemory);
  CHECK(found[2].instance == "/a");
  CHECK(found[3].instance == "/b");
  CHECK(found[4].kind == Kind::kDiskInodes);
}

TEST_CASE("metrics are asked for once") {
  const auto names = metric_names();
  CHECK(std::ranges::is_sorted(names));
  CHECK(std::ranges::adjacent_find(names) == names.end());
}

TEST_CASE("a thing began anew when it began later by more than a clock's correction") {
  CHECK(is_new_regime(kNow, kNow + 2'001));
  CHECK(!is_new_regime(kNow, kNow + 2'000));
  CHECK(!is_new_regime(kNow, kNow - 60'000));
}

}  // namespace observeai::predict
