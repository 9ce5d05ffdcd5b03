#include "agent/executor/actions/diagnostics_report.h"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

void write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

ProcessStat process(std::int64_t pid, const char* comm, std::uint64_t ticks, std::int64_t pages) {
  return {.pid = pid,
          .comm = comm,
          .state = 'R',
          .parent = 1,
          .cpu_ticks = ticks,
          .start_ticks = 9,
          .resident_pages = pages};
}

std::size_t lines(const std::string& text, const std::string& beginning) {
  std::size_t count = 0;
  for (std::size_t at = text.find(beginning); at != std::string::npos;
       at = text.find(beginning, at + 1))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("processes: most memory first, most CPU between the looks first, at most 20 of each") {
  std::map<std::int64_t, ProcessStat> before;
  std::map<std::int64_t, ProcessStat> after;
  for (std::int64_t pid = 10; pid < 40; ++pid) {
    before[pid] = process(pid, "worker", 100, pid);
    after[pid] = process(pid, "worker", 100 + static_cast<std::uint64_t>(40 - pid), pid);
  }
  // Another process under an old id, with fewer ticks than its forerunner: no CPU is made up.
  after[11] = process(11, "newcomer\n", 5, 1'000'000);
  const auto text = report_processes(before, after, 0.5, 4096, 100);
  CHECK(text.starts_with("processes: 30\nby memory: 11 newcomer\\x0a R, 3.8 GiB, CPU 0.0 %"));
  CHECK(text.find("\nby CPU: 10 worker R, 40.0 KiB, CPU 60.0 %, start_ticks 9\n") !=
        std::string::npos);
  CHECK(lines(text, "by memory: ") == 20);
  CHECK(lines(text, "by CPU: ") == 20);
}

TEST_CASE("memory, load and pressure from a rooted tree; what is missing is said") {
  test::TempDir proc;
  write(proc / "loadavg", "0.52 0.41 0.30 2/512 12345\n");
  write(proc / "uptime", "1000.00 900.00\n");
  write(proc / "meminfo", "MemTotal:  100 kB\nMemFree:  5 kB\nSecretField: 1 kB\n");
  CHECK(report_load(proc.path()) == "load: 0.52 0.41 0.30 2/512 12345\nuptime: 1000.00 900.00\n");
  CHECK(report_memory(proc.path()) == "memory: MemTotal:  100 kB\nmemory: MemFree:  5 kB\n");
  const auto pressure = report_pressure(proc.path());
  CHECK(lines(pressure, "pressure ") == 3);
  CHECK(pressure.find("No such file") != std::string::npos);
}

TEST_CASE("disks: local ones with their use, those of a network only by name") {
  test::TempDir dir;
  write(dir / "mounts", "/dev/sda1 " + dir.path() +
                            " ext4 rw 0 0\n/dev/sda1 /twice ext4 rw 0 0\n"
                            "server:/x /mnt/dead\\040share nfs4 rw 0 0\nproc /proc proc rw 0 0\n");
  const auto text = report_disks(dir.path());
  CHECK(lines(text, "disk: ") == 2);
  CHECK(text.find("disk: " + dir.path() + " ext4: ") == 0);
  CHECK(text.find("disk: /mnt/dead share nfs4: of a network, not asked\n") != std::string::npos);
}

TEST_CASE("oom: the newest lines of the kernel's log that are about it") {
  const std::string kmsg =
      "6,1,100,-;Linux version 6\n3,2,200,-;Out of memory: Killed process 7 (java) a\n "
      "SUBSYSTEM=x\n"
      "6,3,300,-;oom-kill:constraint=CONSTRAINT_MEMCG,task=java\n6,4,400,-;eth0 up\n";
  CHECK(oom_lines(kmsg, 10) ==
        "oom: Out of memory: Killed process 7 (java) a\noom: "
        "oom-kill:constraint=CONSTRAINT_MEMCG,task=java\n");
  CHECK(oom_lines(kmsg, 1) == "oom: oom-kill:constraint=CONSTRAINT_MEMCG,task=java\n");
  CHECK(oom_lines("", 10).empty());
}

TEST_CASE("cgroup: both versions; a path that climbs is not followed") {
  test::TempDir root;
  write(root / "docker/abc/memory.current", "123\n");
  write(root / "docker/abc/memory.events", "oom 1\noom_kill 2\n");
  write(root / "memory/docker/abc/memory.usage_in_bytes", "456\n");
  write(root / "secret/memory.current", "999\n");
  CHECK(report_cgroup(root.path(), "0::/docker/abc\n") ==
        "memory.current: 123\nmemory.events: oom 1\nmemory.events: oom_kill 2\n");
  CHECK(report_cgroup(root.path(), "9:name=systemd:/x\n4:memory:/docker/abc\n") ==
        "memory.usage_in_bytes: 456\n");
  CHECK(report_cgroup(root.path(), "0::/docker/../secret\n") == "cgroup: no numbers\n");
}
