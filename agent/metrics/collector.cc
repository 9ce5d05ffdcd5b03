#include "agent/metrics/collector.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

#include "agent/metrics/host_collectors.h"
#include "protocol/base/files.h"

namespace observeai::agent {

Error unreadable(const std::string& path, int error_number) {
  // ESRCH and ENODEV: the process, cgroup or device behind an open file went away.
  if (error_number == ENOENT || error_number == ESRCH || error_number == ENODEV) {
    return Error(Errc::kNotFound, "cannot read " + path + ": " + std::strerror(error_number));
  }
  return files::from_errno("cannot read " + path, error_number);
}

namespace {

Result<FilesystemUsage> direct_statfs(const std::string& path, const Mount&) {
  struct statvfs values {};
  if (::statvfs(path.c_str(), &values) != 0) {
    return files::from_errno("cannot measure the file system at " + path, errno);
  }
  FilesystemUsage usage;
  usage.block_size = values.f_frsize;
  usage.blocks = values.f_blocks;
  usage.free_blocks = values.f_bfree;
  usage.available_blocks = values.f_bavail;
  usage.files = values.f_files;
  usage.files_free = values.f_ffree;
  usage.read_only = (values.f_flag & ST_RDONLY) != 0;
  return usage;
}

Result<ClockDiscipline> direct_adjtimex() {
  ClockDiscipline clock;
  clock.state = ::adjtimex(&clock.values);
  if (clock.state < 0) return files::from_errno("cannot read the clock's discipline", errno);
  return clock;
}

Result<utsname> direct_uname() {
  utsname names{};
  if (::uname(&names) != 0) return files::from_errno("cannot read the kernel's name", errno);
  return names;
}

}  // namespace

HostCalls HostCalls::direct() {
  return {direct_statfs, direct_adjtimex, direct_uname, {}};
}

std::vector<std::unique_ptr<Collector>> make_collectors(const MetricRoots& roots, HostCalls calls) {
  std::vector<std::unique_ptr<Collector>> all;
  all.push_back(make_self_collector(roots));
  all.push_back(make_cpu_collector(roots));
  all.push_back(make_schedstat_collector(roots));
  all.push_back(make_meminfo_collector(roots));
  all.push_back(make_vmstat_collector(roots));
  all.push_back(make_pressure_collector(roots));
  all.push_back(make_disk_collector(roots));
  all.push_back(make_network_collector(roots));
  all.push_back(make_netstat_collector(roots));
  all.push_back(make_sockstat_collector(roots));
  all.push_back(make_softnet_collector(roots));
  all.push_back(make_conntrack_collector(roots));
  all.push_back(make_neighbour_collector(roots));
  all.push_back(make_kernel_collector(roots));
  all.push_back(make_time_collector(roots, calls));
  all.push_back(make_release_collector(roots, calls));
  all.push_back(make_certificate_collector(calls));
  all.push_back(make_process_collector());
  all.push_back(make_filesystem_collector(roots, std::move(calls)));
  all.push_back(make_log_lines_collector());
  // Last: what is beyond the limit of a scrape is then of containers, never of the host.
  all.push_back(make_container_collector(roots));
  return all;
}

}  // namespace observeai::agent
