// The parts of one container's measurement. Each keeps its descriptors and series refs; a file that
// is absent (controller off, cgroup gone in the middle of a read) gives no samples and is no error.
// Those of CPU, memory and pids say whether they read anything: when none did, the cgroup is gone.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>

#include "agent/metrics/collector.h"
#include "agent/metrics/proc_parsers.h"
#include "agent/metrics/repeated_samples.h"
#include "agent/metrics/row_cache.h"

namespace observeai::agent {

// The folders of a container's cgroups. "" = that controller is not there. On a hybrid machine the
// controllers are v1 while `unified` has pressure and CPU time.
struct CgroupFolders {
  std::string cpu, cpuacct, memory, blkio, pids;  // v1
  std::string unified;                            // v2
  std::string unified_root;                       // Where the walk to the ancestors ends
};

// Where the container with this main process lives. nullopt: not (yet) in a cgroup of its own.
std::optional<CgroupFolders> locate_cgroups(const MetricRoots& roots, FileReader& files,
                                            std::uint32_t pid, const std::string& id,
                                            std::uint64_t& malformed);

// What a part needs besides its own state.
struct PartContext {
  CollectContext& scrape;
  SampleSink& sink;
  const std::string& target;
  RepeatedSamples* record = nullptr;  // Where what is added is noted as well
  void add(SeriesRef& ref, const Metric& metric, LabelViews labels, double value) const {
    sink.add(target, ref, metric, labels, value);
    if (record != nullptr) record->note(ref, value);
  }
  void add(SeriesRef& ref, const Metric& metric, double value) const {
    add(ref, metric, {}, value);
  }
};

class ContainerCpu {
 public:
  explicit ContainerCpu(const CgroupFolders& folders);
  // Reads the time used so far. True: it moved since the last look, or cannot be read.
  bool look(const PartContext& context);
  bool collect(const PartContext& context);  // After look()

 private:
  struct Reading {
    std::optional<double> usage_s, user_s, system_s, throttled_s;
    std::optional<std::uint64_t> periods, throttled_periods;
  };
  void read_v1(const PartContext& context, Reading& reading);
  void read_v2(const PartContext& context, Reading& reading);
  void read_quota(const PartContext& context);

  bool v1_usage_, v1_limits_;
  KeptFile usage_, times_, stat_, limits_;  // limits_: v1 nr_periods
  std::string quota_file_, period_file_;
  double ticks_per_second_;
  Reading reading_;  // Of the last look
  std::uint64_t quota_us_ = 0, period_us_ = 0;
  std::array<SeriesRef, 8> refs_;
};

class ContainerMemory {
 public:
  explicit ContainerMemory(const CgroupFolders& folders);
  // Reads what is used. True: it changed since the last look, or cannot be read.
  bool look(const PartContext& context);
  bool collect(const PartContext& context);  // After look()

 private:
  struct Reading;
  void read_stat(const PartContext& context, Reading& reading);
  void read_failures(const PartContext& context, Reading& reading);
  void read_limit(const PartContext& context);

  bool v1_;
  std::string folder_, root_;
  KeptFile usage_, stat_, failures_, oom_, swap_, kernel_;
  std::optional<std::uint64_t> used_;  // At the last look
  std::uint64_t limit_ = 0;
  std::optional<std::uint64_t> swap_limit_;  // nullopt: swap is not accounted for
  std::array<SeriesRef, 18> refs_;
};

// Names of block devices by "major:minor", shared by all containers.
class DeviceNames {
 public:
  explicit DeviceNames(const MetricRoots& roots) : path_(roots.proc + "/diskstats") {}
  void refresh(CollectContext& context);
  // "/dev/vda", or the number itself when unknown.
  std::string label(std::string_view number) const;

 private:
  std::string path_;
  std::map<std::string, std::string, std::less<>> names_;
};

class ContainerIo {
 public:
  explicit ContainerIo(const CgroupFolders& folders);
  void collect(const PartContext& context, const DeviceNames& names);

 private:
  struct Row {
    Row(std::string_view key, const DeviceNames& names) : device(names.label(key)) {}
    std::string device;
    IoCounters counters;
    std::array<SeriesRef, 4> refs;
  };
  void read_v1(const PartContext& context, const DeviceNames& names);
  void read_v1_file(KeptFile& file, bool bytes, const PartContext& context,
                    const DeviceNames& names);
  void read_v2(const PartContext& context, const DeviceNames& names);

  bool v1_;
  KeptFile bytes_, operations_;  // v2: bytes_ is io.stat
  RowCache<Row> rows_;
};

class ContainerPids {
 public:
  explicit ContainerPids(const CgroupFolders& folders);
  bool collect(const PartContext& context);

 private:
  KeptFile tasks_, processes_;
  std::string limit_file_;
  std::uint64_t limit_ = 0;
  std::array<SeriesRef, 4> refs_;
};

class ContainerPressure {
 public:
  explicit ContainerPressure(const CgroupFolders& folders);
  void collect(const PartContext& context);

 private:
  std::array<KeptFile, 3> files_;
  std::array<SeriesRef, 6> refs_;
};

// The container's interfaces as its main process sees them; nothing when it shares the host's
// network, nor when that cannot be told (it takes CAP_SYS_PTRACE): the host's traffic must not pass
// for a container's. No descriptor is kept: it would keep the network namespace alive after the
// container.
class ContainerNetwork {
 public:
  ContainerNetwork(const MetricRoots& roots, std::uint32_t pid);
  void collect(const PartContext& context);

 private:
  struct Row {
    explicit Row(std::string_view key) : interface(key) {}
    std::string interface;
    std::array<SeriesRef, 8> refs;
  };
  std::string path_;
  bool own_namespace_;
  RowCache<Row> rows_;
};

}  // namespace observeai::agent
