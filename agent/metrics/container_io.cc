#include <unistd.h>

#include <algorithm>
#include <climits>

#include "agent/metrics/container_parts.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {

// ---- Block devices ------------------------------------------------------------------------------

void DeviceNames::refresh(CollectContext& context) {
  const FileText content = context.files.read_once(path_);
  if (!content) return;
  names_.clear();
  LineScanner lines(content.text);
  std::string_view line;
  DiskLine disk;
  while (lines.next(line)) {
    if (!parse_diskstats_line(line, disk)) continue;  // The disk collector counts it
    names_[std::to_string(disk.major) + ":" + std::to_string(disk.minor)] =
        "/dev/" + std::string(disk.device);
  }
}

std::string DeviceNames::label(std::string_view number) const {
  const auto found = names_.find(number);
  return found == names_.end() ? std::string(number) : found->second;
}

ContainerIo::ContainerIo(const CgroupFolders& folders)
    : v1_(!folders.blkio.empty()),
      bytes_(v1_ ? folders.blkio + "/blkio.throttle.io_service_bytes_recursive"
                 : folders.unified + "/io.stat"),
      operations_(folders.blkio + "/blkio.throttle.io_serviced_recursive") {}

void ContainerIo::collect(const PartContext& context, const DeviceNames& names) {
  if (v1_) {
    read_v1(context, names);
  } else {
    read_v2(context, names);
  }
  rows_.for_each([&](Row& row) {
    const LabelViews device = {{"device", row.device}};
    const auto add = [&](SeriesRef& ref, std::string_view name, std::uint64_t value) {
      context.add(ref, counter(name), device, static_cast<double>(value));
    };
    add(row.refs[0], "container_fs_reads_bytes_total", row.counters.read_bytes);
    add(row.refs[1], "container_fs_writes_bytes_total", row.counters.write_bytes);
    add(row.refs[2], "container_fs_reads_total", row.counters.reads);
    add(row.refs[3], "container_fs_writes_total", row.counters.writes);
  });
}

// The same devices in two files.
void ContainerIo::read_v1(const PartContext& context, const DeviceNames& names) {
  read_v1_file(bytes_, true, context, names);
  read_v1_file(operations_, false, context, names);
}

void ContainerIo::read_v1_file(KeptFile& file, bool bytes, const PartContext& context,
                               const DeviceNames& names) {
  const FileText content = file.read(context.scrape.files);
  if (!content) return;
  LineScanner lines(content.text);
  std::string_view line, device, last;
  bool is_write = false;
  std::uint64_t value = 0;
  Row* row = nullptr;
  rows_.begin();
  while (lines.next(line)) {
    if (!parse_blkio_line(line, device, is_write, value)) continue;
    // A device has one line for each operation, next to each other.
    if (device != last) row = rows_.at(device, names);
    last = device;
    if (row == nullptr) continue;
    IoCounters& counters = row->counters;
    std::uint64_t& field = bytes ? (is_write ? counters.write_bytes : counters.read_bytes)
                                 : (is_write ? counters.writes : counters.reads);
    field = value;
  }
  rows_.end();
}

void ContainerIo::read_v2(const PartContext& context, const DeviceNames& names) {
  const FileText content = bytes_.read(context.scrape.files);
  if (!content) return;
  LineScanner lines(content.text);
  std::string_view line, device;
  IoCounters counters;
  rows_.begin();
  while (lines.next(line)) {
    // Devices without any I/O have a line with the number alone.
    if (!parse_io_stat_line(line, device, counters)) continue;
    if (Row* row = rows_.at(device, names)) row->counters = counters;
  }
  rows_.end();
}

// ---- Processes and threads ----------------------------------------------------------------------

ContainerPids::ContainerPids(const CgroupFolders& folders)
    : tasks_((folders.pids.empty() ? folders.unified : folders.pids) + "/pids.current"),
      processes_((folders.pids.empty() ? folders.unified : folders.pids) + "/cgroup.procs"),
      limit_file_((folders.pids.empty() ? folders.unified : folders.pids) + "/pids.max") {}

bool ContainerPids::collect(const PartContext& context) {
  std::uint64_t tasks = 0;
  const FileText current = tasks_.read(context.scrape.files);
  bool read = static_cast<bool>(current);
  if (current && to_u64(trimmed(current.text), tasks)) {
    context.add(refs_[0], gauge("container_threads"), static_cast<double>(tasks));
  }
  if (const FileText list = processes_.read(context.scrape.files)) {
    read = true;
    const auto processes = std::count(list.text.begin(), list.text.end(), '\n');
    context.add(refs_[1], gauge("container_processes"), static_cast<double>(processes));
  }
  if (context.scrape.slow_turn) {
    const FileText content = context.scrape.files.read_once(limit_file_);
    limit_ = content ? parse_limit(content.text).value_or(0) : 0;
  }
  if (limit_ == 0) return read;
  context.add(refs_[2], gauge("container_threads_max"), static_cast<double>(limit_));
  context.add(refs_[3], gauge("container_spec_pids_limit"), static_cast<double>(limit_));
  return read;
}

// ---- Pressure -----------------------------------------------------------------------------------

ContainerPressure::ContainerPressure(const CgroupFolders& folders)
    : files_{KeptFile(folders.unified + "/cpu.pressure"),
             KeptFile(folders.unified + "/memory.pressure"),
             KeptFile(folders.unified + "/io.pressure")} {}

void ContainerPressure::collect(const PartContext& context) {
  static constexpr std::array<Metric, 6> kMetrics = {
      counter("container_pressure_cpu_waiting_seconds_total"),
      counter("container_pressure_cpu_stalled_seconds_total"),
      counter("container_pressure_memory_waiting_seconds_total"),
      counter("container_pressure_memory_stalled_seconds_total"),
      counter("container_pressure_io_waiting_seconds_total"),
      counter("container_pressure_io_stalled_seconds_total"),
  };
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const FileText content = files_[i].read(context.scrape.files);
    Pressure pressure;
    if (!content || !parse_pressure(content.text, pressure)) continue;
    const auto add = [&](std::size_t which, std::optional<std::uint64_t> total_us) {
      if (total_us)
        context.add(refs_[which], kMetrics[which], static_cast<double>(*total_us) / 1e6);
    };
    add(2 * i, pressure.some_us);
    add(2 * i + 1, pressure.full_us);
  }
}

// ---- Network ------------------------------------------------------------------------------------

namespace {

std::string namespace_of(const std::string& process_folder) {
  std::array<char, 64> name{};
  const ssize_t n = ::readlink((process_folder + "/ns/net").c_str(), name.data(), name.size());
  return n > 0 ? std::string(name.data(), static_cast<std::size_t>(n)) : std::string();
}

}  // namespace

ContainerNetwork::ContainerNetwork(const MetricRoots& roots, std::uint32_t pid) {
  const std::string process = roots.proc + "/" + std::to_string(pid);
  path_ = process + "/net/dev";
  const std::string own = namespace_of(process);
  const std::string host = namespace_of(roots.proc + "/1");
  own_namespace_ = !own.empty() && !host.empty() && own != host;
}

void ContainerNetwork::collect(const PartContext& context) {
  if (!own_namespace_) return;
  static constexpr std::array<Metric, 8> kMetrics = {
      counter("container_network_receive_bytes_total"),
      counter("container_network_receive_packets_total"),
      counter("container_network_receive_errors_total"),
      counter("container_network_receive_packets_dropped_total"),
      counter("container_network_transmit_bytes_total"),
      counter("container_network_transmit_packets_total"),
      counter("container_network_transmit_errors_total"),
      counter("container_network_transmit_packets_dropped_total"),
  };
  const FileText content = context.scrape.files.read_once(path_);
  if (!content) return;
  LineScanner lines(content.text);
  std::string_view line;
  NetDevLine device;
  rows_.begin();
  while (lines.next(line)) {
    if (!parse_net_dev_line(line, device) || device.device == "lo") continue;
    Row* row = rows_.at(device.device);
    if (row == nullptr) continue;
    for (std::size_t i = 0; i < kMetrics.size(); ++i) {
      // Receive columns start at 0, transmit columns at 8: bytes, packets, errors, dropped.
      const std::size_t column = i < 4 ? i : i + 4;
      context.add(row->refs[i], kMetrics[i], {{"interface", row->interface}},
                  static_cast<double>(device.fields[column]));
    }
  }
  rows_.end();
}

}  // namespace observeai::agent
