#include "agent/metrics/proc_parsers.h"

#include <doctest/doctest.h>

#include "agent/discovery/proc_files.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

// Both are in one program, so that a name they shared would be one type with two layouts.
static_assert(sizeof(KernelStat) > 0 && sizeof(ProcStat) > 0);

TEST_CASE("stat: CPUs and totals; lines that do not parse are counted, the rest is used") {
  KernelStat stat;
  parse_stat(
      "cpu  1 2 3 4\n"
      "cpu0 10 20 30 40 50 60 70 80 90 100 999\n"
      "cpu1 1 2 3 4\n"
      "cpu2 1 2 x 4\n"
      "cpu3 1 2 3\n"
      "cpu99999999999 1 2 3 4\n"
      "intr 77 1 2 3\n"
      "ctxt -5\n"
      "btime 1700000000\n"
      "unknown future line\n"
      "procs_running 18446744073709551616\n"
      "procs_blocked 2",
      stat);
  REQUIRE(stat.cpus.size() == 2);
  CHECK(stat.cpus[0].ticks ==
        std::array<std::uint64_t, 10>{10, 20, 30, 40, 50, 60, 70, 80, 90, 100});
  CHECK(stat.cpus[1].ticks[3] == 4);
  CHECK(stat.cpus[1].ticks[4] == 0);
  CHECK(stat.interrupts == 77);
  CHECK_FALSE(stat.context_switches);
  CHECK(stat.boot_time_s == 1700000000);
  CHECK_FALSE(stat.running);
  CHECK(stat.blocked == 2);
  CHECK(stat.malformed == 5);

  parse_stat("", stat);
  CHECK(stat.cpus.empty());
  CHECK_FALSE(stat.interrupts);
  CHECK(stat.malformed == 0);
}

TEST_CASE("meminfo: kilobytes become bytes, plain numbers stay") {
  MeminfoLine line;
  REQUIRE(parse_meminfo_line("Active(anon):    1624 kB", line));
  CHECK(line.name == "Active(anon)");
  CHECK(line.value == 1624 * 1024);
  CHECK(line.in_bytes);
  REQUIRE(parse_meminfo_line("HugePages_Total:       3", line));
  CHECK(line.value == 3);
  CHECK_FALSE(line.in_bytes);
  for (const char* bad : {"", ":", "MemTotal", "MemTotal:", "MemTotal: x kB", "MemTotal: 1 MB",
                          ": 1 kB", "MemTotal: 18446744073709551615 kB"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_meminfo_line(bad, line));
  }
}

TEST_CASE("diskstats: kernels with 11, 15 and 17 columns, no other count") {
  DiskLine disk;
  REQUIRE(parse_diskstats_line("   8       0 sda 1 2 3 4 5 6 7 8 9 10 11", disk));
  CHECK(disk.device == "sda");
  CHECK(disk.major == 8);
  CHECK(disk.count == 11);
  CHECK(disk.fields[10] == 11);
  REQUIRE(parse_diskstats_line("8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", disk));
  CHECK(disk.count == 15);
  REQUIRE(parse_diskstats_line("8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", disk));
  CHECK(disk.count == 17);
  for (const char* bad : {"", "8", "8 0", "8 0 sda", "8 0 sda 1 2 3 4",
                          "x 0 sda 1 2 3 4 5 6 7 8 9 10 11", "8 0 sda 1 2 3 4 5 6 7 8 9 10 -1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_diskstats_line(bad, disk));
  }
}

TEST_CASE("net/dev: names may hold colons and touch their number") {
  NetDevLine line;
  REQUIRE(parse_net_dev_line("  eth0:1:123 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", line));
  CHECK(line.device == "eth0:1");
  CHECK(line.fields[0] == 123);
  CHECK(line.fields[15] == 16);
  CHECK_FALSE(parse_net_dev_line(" face |bytes    packets errs", line));
  CHECK_FALSE(parse_net_dev_line("eth0: 1 2 3", line));
  CHECK_FALSE(parse_net_dev_line(": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", line));
}

TEST_CASE("pressure") {
  Pressure pressure;
  REQUIRE(parse_pressure("some avg10=1.00 total=25\nfull avg10=0.00 total=7\n", pressure));
  CHECK(pressure.some_us == 25);
  CHECK(pressure.full_us == 7);
  REQUIRE(
      parse_pressure("some avg10=1.00 avg60=0.00 avg300=0.00 total=25\nfull avg10=0", pressure));
  CHECK_FALSE(pressure.full_us);
  CHECK_FALSE(parse_pressure("", pressure));
  CHECK_FALSE(parse_pressure("some total=x\n", pressure));
}

TEST_CASE("a process's cgroups: v1, co-mounted, v2, and the part that is the container's") {
  const CgroupMembership membership = parse_proc_cgroup(
      "4:memory:/docker/ab\n2:cpu,cpuacct:/x:y\n0::/unified/ab\n1:name=systemd:/"
      "\nbroken\n3:a\n5:b:relative\n");
  CHECK(*membership.unified == "/unified/ab");
  REQUIRE(membership.controller("cpuacct") != nullptr);
  CHECK(*membership.controller("cpuacct") == "/x:y");
  CHECK(membership.controller("pids") == nullptr);
  CHECK(membership.malformed == 3);

  CHECK(container_cgroup_path("/docker/abc", "abc") == "/docker/abc");
  CHECK(container_cgroup_path("/system.slice/docker-abc.scope/init.scope", "abc") ==
        "/system.slice/docker-abc.scope");
  CHECK_FALSE(container_cgroup_path("/", "abc"));  // Still in the runtime's cgroup
  CHECK_FALSE(container_cgroup_path("/system.slice/docker.service", "abc"));
  CHECK_FALSE(container_cgroup_path("/../../docker/abc", "abc"));
  CHECK_FALSE(container_cgroup_path("/docker/abc", ""));
}

TEST_CASE("block I/O of v1 and v2") {
  std::string_view device;
  IoCounters counters;
  REQUIRE(parse_io_stat_line("254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6", device,
                             counters));
  CHECK(device == "254:0");
  CHECK(counters.write_bytes == 2);
  CHECK(counters.writes == 4);
  CHECK_FALSE(parse_io_stat_line("7:1 ", device, counters));
  CHECK_FALSE(parse_io_stat_line("rbytes=1", device, counters));

  bool is_write = false;
  std::uint64_t value = 0;
  REQUIRE(parse_blkio_line("254:0 Write 4096", device, is_write, value));
  CHECK(is_write);
  CHECK(value == 4096);
  CHECK_FALSE(parse_blkio_line("254:0 Sync 4096", device, is_write, value));
  CHECK_FALSE(parse_blkio_line("Total 4096", device, is_write, value));
  CHECK_FALSE(parse_blkio_line("254:0 Read", device, is_write, value));
}

TEST_CASE("limits: what means none in v1 and v2") {
  CHECK(parse_limit("max\n") == 0);
  CHECK(parse_limit("-1\n") == 0);
  CHECK(parse_limit("9223372036854771712\n") == 0);
  CHECK(parse_limit("67108864\n") == 67108864);
  CHECK_FALSE(parse_limit(""));
  CHECK_FALSE(parse_limit("a lot"));
}

TEST_CASE("numbers: whole text, no sign, no overflow") {
  std::uint64_t value = 0;
  CHECK(to_u64("18446744073709551615", value));
  CHECK_FALSE(to_u64("18446744073709551616", value));
  CHECK_FALSE(to_u64("", value));
  CHECK_FALSE(to_u64("-1", value));
  CHECK_FALSE(to_u64("1 ", value));
  CHECK(to_u64("ff", value, 16));
  CHECK(value == 255);
}

}  // namespace
}  // namespace observeai::agent
