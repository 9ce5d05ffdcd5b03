// Whole scrapes of recorded hosts. The golden files hold every series; the values that matter most
// are also stated here, worked out by hand from the recorded files.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "tests/unit/agent/metrics/metrics_fixture.h"

namespace observeai::agent::test {
namespace {

std::string to_text(const Host& host) {
  std::string text;
  for (const auto& [series, value] : host.values()) {
    if (series.find(" node_time_zone_offset_seconds") != std::string::npos)
      continue;  // Of the tester
    if (series.find(" observeai_agent_open_fds") != std::string::npos) continue;
    char number[40];
    std::snprintf(number, sizeof number, " %.12g\n", value);
    text += series + number;
  }
  return text;
}

void check_golden(const std::string& tree) {
  Host host(recorded(tree));
  host.containers = {container_4711()};
  host.processes = {
      {"system.slice/nginx.service:nginx", 12.5, 1 << 20, 4, 20, 2, 16, 1024, 1'700'000'000'500}};
  host.self = {{"spool_bytes", wire::MetricKind::kGauge, 77}};
  const ScrapeResult& result = host.scrape();
  CHECK(result.scrape.series.size() == result.new_series.size());
  const std::string text = to_text(host);
  const std::string path = std::string(OBSERVEAI_GOLDEN) + "/agent/metrics/" + tree + ".txt";
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  if (golden.str() != text) {
    const std::string actual = "metrics-" + tree + "-actual.txt";
    std::ofstream(actual) << text;
    FAIL_CHECK("differs from " << path << "; the actual scrape is in " << actual);
  }
}

TEST_CASE("golden scrapes") {
  check_golden("hybrid");
  check_golden("v1");
  check_golden("v2");
}

TEST_CASE("a hybrid host: names, units and labels") {
  Host host(recorded("hybrid"));
  host.scrape();
  CHECK(host.engine().malformed() == 0);
  CHECK(host.value("node_memory_MemTotal_bytes") == 25276502016.0);
  CHECK(host.has("node_memory_Active_anon_bytes"));
  CHECK(host.has("node_memory_HugePages_Total"));
  CHECK(host.value("node_schedstat_running_seconds_total{cpu=\"1\"}") == 2.5);
  CHECK(host.value("node_schedstat_waiting_seconds_total{cpu=\"0\"}") == 0.75);
  CHECK(host.value("node_disk_info{device=\"vda\",major=\"254\",minor=\"0\",model=\"Virtual_Disk\","
                   "path=\"pci-0000:00:04.0\",revision=\"\",serial=\"ABC123\",wwn=\"\"}") == 1);
  CHECK_FALSE(host.has("node_disk_io_now{device=\"loop0\"}"));
  CHECK(host.value("node_network_up{device=\"eth0\"}") == 1);
  CHECK(host.value("node_network_speed_bytes{device=\"eth0\"}") == -125000);
  CHECK_FALSE(host.has("node_network_receive_bytes_total{device=\"lo\"}"));
  CHECK(host.has("node_network_mtu_bytes{device=\"lo\"}"));
  CHECK(host.value("node_sockstat_TCP_mem_bytes") == host.value("node_sockstat_TCP_mem") * 4096);
  CHECK(host.value("node_timex_offset_seconds") == doctest::Approx(1.5e-6));
  CHECK(host.value("node_timex_sync_status") == 1);
  CHECK(host.value("node_time_clocksource_current_info{clocksource=\"tsc\",device=\"0\"}") == 1);
  CHECK(host.value("node_os_version{id=\"debian\",id_like=\"\",name=\"Debian GNU/Linux\"}") == 12);
  CHECK(host.value("observeai_agent_resident_memory_bytes") == 2048.0 * 4096);
  CHECK(host.value("observeai_agent_cpu_seconds_total") == 2.25);
}

TEST_CASE("file systems: pseudo ones and container layers are left out, each mount once") {
  Host host(recorded("hybrid"));
  host.scrape();
  const std::string data = "{device=\"/dev/vdb\",fstype=\"xfs\",mountpoint=\"/srv/my data\"}";
  CHECK(host.value("node_filesystem_size_bytes" + data) == 4096.0 * 1000);
  CHECK(host.value("node_filesystem_free_bytes" + data) == 4096.0 * 600);
  CHECK(host.value("node_filesystem_avail_bytes" + data) == 4096.0 * 500);
  CHECK(host.value("node_filesystem_files" + data) == 200);
  CHECK(host.value("node_filesystem_files_free" + data) == 150);
  CHECK(host.value("node_filesystem_readonly" + data) == 1);
  int mounts = 0;
  for (const auto& [series, value] : host.values()) {
    mounts += series.find(" node_filesystem_device_error") != std::string::npos ? 1 : 0;
  }
  CHECK(mounts == 4);  // /, /srv/my data, /export/shared, /var/cache/ram
}

TEST_CASE("a container on a hybrid host: v1 controllers, pressure from the unified hierarchy") {
  Host host(recorded("hybrid"));
  host.containers = {container_4711()};
  host.scrape();
  CHECK(host.of_container("container_memory_usage_bytes") == 5242880);
  CHECK(host.of_container("container_memory_working_set_bytes") == 5242880 - 2097152);
  CHECK(host.of_container("container_memory_cache") == 3145728);
  CHECK(host.of_container("container_spec_memory_limit_bytes") == 67108864);
  CHECK(host.of_container("container_memory_failcnt") == 12);
  CHECK(host.of_container("container_oom_events_total") == 2);
  CHECK(host.of_container(
            "container_memory_failures_total{failure_type=\"pgfault\",scope=\"container\"}") ==
        1146);
  CHECK(host.of_container(
            "container_memory_failures_total{failure_type=\"pgmajfault\",scope=\"hierarchy\"}") ==
        7);
  CHECK(host.of_container("container_spec_cpu_quota") == 30000);
  CHECK(host.of_container("container_spec_cpu_period") == 100000);
  CHECK(host.of_container("container_fs_reads_bytes_total{device=\"/dev/vda\"}") == 4096000);
  CHECK(host.of_container("container_fs_writes_total{device=\"/dev/vda\"}") == 8);
  // Not in diskstats: the number stands for itself.
  CHECK(host.of_container("container_fs_reads_total{device=\"253:9\"}") == 1);
  CHECK(host.of_container("container_network_receive_bytes_total{interface=\"eth0\"}") == 123456);
  CHECK(host.of_container("container_network_transmit_packets_dropped_total{interface=\"eth0\"}") ==
        4);
  CHECK(host.of_container("container_network_receive_bytes_total{interface=\"lo\"}") == -12345);
  CHECK(host.of_container("container_spec_pids_limit") == 50);
  CHECK(host.of_container("container_restart_count") == 3);
  CHECK(host.of_container("container_start_time_seconds") == 1.7e9);
  CHECK(host.of_container("container_pressure_cpu_waiting_seconds_total") > 0);
}

TEST_CASE("a container on v1: the ancestors' limit, co-mounted controllers, no pressure") {
  Host host(recorded("v1"));
  host.containers = {container_4711()};
  host.scrape();
  CHECK(host.of_container("container_spec_memory_limit_bytes") == 33554432);
  CHECK(host.of_container("container_cpu_usage_seconds_total") > 0);
  CHECK(host.of_container("container_spec_cpu_quota") == 30000);
  CHECK(host.of_container("container_pressure_cpu_waiting_seconds_total") == -12345);
  CHECK(host.value("node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}") == 10);
  CHECK_FALSE(host.has("node_disk_flush_requests_total{device=\"sda\"}"));
  CHECK(host.has("node_disk_io_time_weighted_seconds_total{device=\"sda\"}"));
  CHECK_FALSE(host.has("node_disk_io_now{device=\"sda1\"}"));
}

TEST_CASE("a container on v2: everything from the container's own cgroup, the pod's limit") {
  Host host(recorded("v2"));
  host.containers = {container_4711()};
  host.scrape();
  CHECK(host.of_container("container_cpu_usage_seconds_total") == 12.5);
  CHECK(host.of_container("container_cpu_user_seconds_total") == 10);
  CHECK(host.of_container("container_cpu_system_seconds_total") == 2.5);
  CHECK(host.of_container("container_cpu_cfs_periods_total") == 400);
  CHECK(host.of_container("container_cpu_cfs_throttled_periods_total") == 100);
  CHECK(host.of_container("container_cpu_cfs_throttled_seconds_total") == 3.5);
  CHECK(host.of_container("container_spec_cpu_quota") == 50000);
  CHECK(host.of_container("container_memory_working_set_bytes") == 104857600 - 20971520);
  CHECK(host.of_container("container_memory_rss") == 62914560);
  CHECK(host.of_container("container_memory_cache") == 41943040);
  CHECK(host.of_container("container_memory_kernel_usage") == 3145728);
  CHECK(host.of_container("container_memory_swap") == 4096);
  CHECK(host.of_container("container_spec_memory_limit_bytes") == 134217728);
  CHECK(host.of_container("container_memory_failcnt") == 9);
  CHECK(host.of_container("container_oom_events_total") == 2);
  CHECK(host.of_container("container_fs_writes_bytes_total{device=\"/dev/vda\"}") == 4096000);
  CHECK(host.of_container("container_threads") == 17);
  CHECK(host.of_container("container_processes") == 3);
  CHECK(host.of_container("container_spec_pids_limit") == 100);
  CHECK(host.of_container("container_pressure_io_waiting_seconds_total") == 7);
  CHECK(host.of_container("container_pressure_cpu_stalled_seconds_total") == 0.5);
}

}  // namespace
}  // namespace observeai::agent::test
