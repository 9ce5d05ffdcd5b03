#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/discovery/cgroup_owner.h"
#include "agent/discovery/host_facts.h"
#include "agent/discovery/listening_ports.h"
#include "agent/discovery/proc_files.h"
#include "agent/discovery/proc_scanner.h"
#include "tests/unit/agent/discovery/proc_tree.h"

using namespace observeai;
using namespace observeai::agent;
using Tree = observeai::test::ProcTree;

namespace {

const std::string kA = std::string(32, 'a') + std::string(32, '0');
const std::string kB = std::string(32, 'b') + std::string(32, '1');

std::string same(std::string_view text) {
  return std::string(text);
}

}  // namespace

TEST_CASE("whom a process works for, by every known form of cgroup path") {
  struct Row {
    std::string text;
    CgroupOwner owner;
  };
  const Row rows[] = {
      // Docker: systemd and cgroupfs driver, v1, v2, hybrid where only v1 tells, nested.
      {"0::/system.slice/docker-" + kA + ".scope\n", {kA, "docker", ""}},
      {"0::/docker/" + kA + "\n", {kA, "docker", ""}},
      {"12:memory:/docker/" + kA + "\n11:cpu,cpuacct:/docker/" + kA + "\n0::/\n",
       {kA, "docker", ""}},
      {"9:name=systemd:/docker/" + kA + "\n0::/system.slice/containerd.service\n",
       {kA, "docker", ""}},
      {"0::/system.slice/containerd.service\n9:memory:/docker/" + kA + "\n", {kA, "docker", ""}},
      {"0::/docker/" + kA + "/docker/" + kB + "\n", {kA, "docker", ""}},
      {"0::/docker/" + kA + "/init.scope\n", {kA, "docker", ""}},
      {"0::/docker/" + kA + "/system.slice/nginx.service\n", {kA, "docker", ""}},
      {"0::/docker/" + kA + " (deleted)\n", {kA, "docker", ""}},
      {"0::/../docker/" + kA + "\n", {kA, "docker", ""}},
      // Kubernetes: containerd and CRI-O, both drivers.
      {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice/"
       "cri-containerd-" +
           kA + ".scope\n",
       {kA, "containerd", ""}},
      {"0::/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:" + kA +
           "\n",
       {kA, "containerd", ""}},
      {"11:cpu:/kubepods/burstable/pod0f1c-22/" + kA + "\n", {kA, "", ""}},
      {"0::/kubepods.slice/kubepods-pod1.slice/crio-" + kA + ".scope\n", {kA, "crio", ""}},
      {"0::/kubepods.slice/kubepods-pod1.slice/crio-" + kA + ".scope/container\n",
       {kA, "crio", ""}},
      {"0::/kubepods.slice/kubepods-pod1.slice/docker-" + kA + ".scope\n", {kA, "docker", ""}},
      {"0::/kubepods.slice/crio-conmon-" + kA + ".scope\n", {"", "", ""}},
      // Podman, nerdctl, ECS, LXC.
      {"0::/machine.slice/libpod-" + kA + ".scope\n", {kA, "podman", ""}},
      {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kA +
           ".scope/container\n",
       {kA, "podman", ""}},
      {"0::/libpod_parent/libpod-" + kA + "\n", {kA, "podman", ""}},
      {"0::/machine.slice/libpod-conmon-" + kA + ".scope\n", {"", "", ""}},
      {"0::/system.slice/nerdctl-" + kA + ".scope\n", {kA, "nerdctl", ""}},
      {"0::/default/" + kA + "\n", {kA, "nerdctl", ""}},
      {"0::/k8s.io/" + kA + "\n", {kA, "containerd", ""}},
      {"0::/ecs/0123-task/" + kA + "\n", {kA, "", ""}},
      {"0::/lxc.payload.web/system.slice/nginx.service\n", {"web", "lxc", ""}},
      {"4:memory:/lxc/web\n", {"web", "lxc", ""}},
      {"0::/lxc.monitor.web\n", {"", "", ""}},
      // No container.
      {"0::/system.slice/nginx.service\n", {"", "", "nginx.service"}},
      {"0::/system.slice/system-getty.slice/getty@tty1.service\n", {"", "", "getty@tty1.service"}},
      {"0::/system.slice/docker.service\n", {"", "", "docker.service"}},
      {"1:name=systemd:/system.slice/cron.service\n", {"", "", "cron.service"}},
      {"0::/init.scope\n", {"", "", "init.scope"}},
      {"0::/user.slice/user-1000.slice/session-3.scope\n", {"", "", ""}},
      {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.service\n", {"", "", ""}},
      {"0::/\n", {"", "", ""}},
      // Odd.
      {"", {"", "", ""}},
      {"::\n0::\n:::\nx", {"", "", ""}},
      {"0::/docker/" + kA.substr(1) + "\n", {"", "", ""}},
      {"0::/docker/" + kA + "f\n", {"", "", ""}},
      {"0::/system.slice/docker-" + kA + ".mount\n", {"", "", ""}},
      {"0::/x/" + std::string(64, 'G') + "\n", {"", "", ""}},
      {"0::/lxc/" + std::string(65, 'n') + "\n", {"", "", ""}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.text);
    const auto owner = owner_from_cgroup(row.text);
    CHECK(owner.container_id == row.owner.container_id);
    CHECK(owner.runtime == row.owner.runtime);
    CHECK(owner.unit == row.owner.unit);
  }
}

TEST_CASE("/proc/<pid>/stat with names that try to look like more fields") {
  const std::string tail = " S 7 1 1 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 12 0 8888 1 77 0";
  for (const std::string name : {"nginx", "a b", ") R 1 (", "((", "x)", ""}) {
    CAPTURE(name);
    const auto stat = parse_proc_stat("42 (" + name + ")" + tail);
    REQUIRE(stat);
    CHECK(stat->comm == name);
    CHECK(stat->state == 'S');
    CHECK(stat->ppid == 7);
    CHECK(stat->cpu_ticks == 200);
    CHECK(stat->threads == 12);
    CHECK(stat->start_ticks == 8888);
    CHECK(stat->rss_pages == 77);
    CHECK_FALSE(stat->kernel_thread);
  }
  CHECK(parse_proc_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0 0")
            ->kernel_thread);
  for (const char* text :
       {"", "1", "1 (x", "1 x)", ")(", "1 (x) S", "1 (x) S 1 2 3", "1 (x) S a b c d"}) {
    CHECK_FALSE(parse_proc_stat(text));
  }
  CHECK(bracketed_number("socket:[123]", "socket") == 123);
  CHECK_FALSE(bracketed_number("socket:[]", "socket"));
  CHECK_FALSE(bracketed_number("socket:[12", "socket"));
  CHECK_FALSE(bracketed_number("pipe:[12]", "socket"));
  CHECK(key_part("php-fpm: pool www/ü") == "php-fpm:_pool_www___");
}

TEST_CASE_FIXTURE(Tree, "processes of one owner and program are a group, the oldest first") {
  process(10, "nginx", 500, 100);
  process(9, "nginx", 600, 50);
  process(11, "sh", 700, 0, "0::/docker/" + kA + "\n");
  process(12, "bash", 800, 0, "0::/user.slice/user-0.slice/session-1.scope\n");
  process(2, "kthreadd", 1, 0, "0::/\n", "S", 0x208040);
  process(13, "gone", 900, 0, "0::/\n", "Z");
  std::filesystem::create_directories(dir / "proc/14");  // Ended between listing and reading
  ProcScanner scanner(paths, same);
  const auto scan = scanner.scan();
  REQUIRE(scan.groups.size() == 3);
  CHECK(scan.kernel_threads == 1);
  CHECK(scan.zombies == 1);
  CHECK(scan.vanished == 1);

  const auto& container = scan.groups[0];
  CHECK(container.key == kA.substr(0, 12) + "/sh");
  CHECK(container.container_id == kA);
  const auto& nginx = scan.groups[1];
  CHECK(nginx.key == "nginx.service/nginx");
  CHECK(nginx.unit == "nginx.service");
  CHECK(nginx.command == "nginx --flag value");
  CHECK(nginx.count == 2);
  CHECK(nginx.pids == std::vector<std::uint32_t>{10, 9});
  const auto ticks = static_cast<std::int64_t>(::sysconf(_SC_CLK_TCK));
  CHECK(nginx.started_ms == 1'700'000'000'000 + 500'000 / ticks);
  const std::string user = ::getuid() == 0 ? "root" : "www-data";
  CHECK(nginx.user == user);
  CHECK(scan.groups[2].key == user + "/bash");

  CHECK(scan.usage[1].key == nginx.key);
  CHECK(scan.usage[1].cpu_seconds == doctest::Approx(150.0 / static_cast<double>(ticks)));
  CHECK(scan.usage[1].threads == 6);
  CHECK(scan.usage[1].rss_bytes == 20 * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
  REQUIRE(scan.processes.size() == 4);
  CHECK(scan.processes[2].pid == 11);
  CHECK(scan.processes[2].container_id == kA);
}

TEST_CASE_FIXTURE(Tree, "a group's processor time never falls when its processes come and go") {
  const auto seconds = [&](const ProcScan& scan) {
    return scan.usage[0].cpu_seconds * static_cast<double>(::sysconf(_SC_CLK_TCK));
  };
  process(10, "w", 500, 1000);
  process(11, "w", 501, 2000);
  ProcScanner scanner(paths, same);
  CHECK(seconds(scanner.scan()) == doctest::Approx(3000));
  process(10, "w", 500, 1100);
  CHECK(seconds(scanner.scan()) == doctest::Approx(3100));
  end(11);
  CHECK(seconds(scanner.scan()) == doctest::Approx(3100));
  process(12, "w", 900, 7);  // New: all of its time is since the last scan.
  CHECK(seconds(scanner.scan()) == doctest::Approx(3107));
  process(12, "w", 950, 5);  // The same pid, another process.
  CHECK(seconds(scanner.scan()) == doctest::Approx(3112));
}

TEST_CASE_FIXTURE(
    Tree, "a process is identified when new and once more, then only when renamed or replaced") {
  process(10, "runc", 500, 0, "0::/system.slice/docker.service\n");
  ProcScanner scanner(paths, same);
  CHECK(scanner.scan().groups[0].key == "docker.service/runc");
  // Runtimes move the process and exec in its first moments.
  process(10, "app", 500, 0, "0::/docker/" + kA + "\n");
  auto scan = scanner.scan();
  CHECK(scan.groups[0].key == kA.substr(0, 12) + "/app");
  CHECK(scan.groups[0].command == "app --flag value");
  // Settled: its cgroup is not read again,
  process(10, "app", 500, 0, "0::/docker/" + kB + "\n");
  CHECK(scanner.scan().groups[0].container_id == kA);
  // unless the pid belongs to another process.
  process(10, "app", 501, 0, "0::/docker/" + kB + "\n");
  CHECK(scanner.scan().groups[0].container_id == kB);
  process(10, "exec'd", 501, 0, "0::/docker/" + kB + "\n");
  CHECK(scanner.scan().groups[0].key == kB.substr(0, 12) + "/exec_d");
}

TEST_CASE_FIXTURE(Tree, "a process that rests is read by turns, and its end is seen at once") {
  for (int pid = 10; pid < 16; ++pid) process(pid, "idle", 500);
  process(20, "busy", 500, 1);
  ProcScanner scanner(paths, same);
  std::uint64_t ticks = 1;
  const auto scan = [&] {
    process(20, "busy", 500, ++ticks);
    return scanner.scan();
  };
  const auto resting = [](const ProcScan& seen) {
    return std::count_if(seen.processes.begin(), seen.processes.end(),
                         [](const ProcessRef& process) { return process.rests; });
  };
  auto seen = scan();
  for (std::uint32_t i = 0; i <= ProcScanner::kRestingLooks; ++i) seen = scan();
  CHECK(resting(seen) == 6);
  CHECK(seen.usage.size() == 2);

  // All of them go on: a third is seen with each scan, and is read in each one then.
  for (int pid = 10; pid < 16; ++pid) process(pid, "idle", 500, 100);
  for (const int left : {4, 2, 0}) CHECK(resting(scan()) == left);
  CHECK(scan().usage[1].cpu_seconds * static_cast<double>(::sysconf(_SC_CLK_TCK)) ==
        doctest::Approx(600));

  for (std::uint32_t i = 0; i <= ProcScanner::kRestingLooks; ++i) seen = scan();
  CHECK(resting(seen) == 6);
  end(12);
  CHECK(scan().groups[1].count == 5);
}

TEST_CASE_FIXTURE(
    Tree, "command lines are redacted, cleaned and cut; without a redactor there are none") {
  process(10, "p", 500);
  write("proc/10/cmdline", std::string("p\0-phunter2\0\xff\0", 14));
  const auto hide = [](std::string_view text) {
    std::string out(text);
    const auto at = out.find("hunter2");
    if (at != std::string::npos) out.replace(at, 7, "***");
    return out;
  };
  ProcScanner scanner(paths, hide);
  CHECK(scanner.scan().groups[0].command == "p -p*** \xEF\xBF\xBD");
  write("proc/10/cmdline", std::string(5'000, 'x'));
  ProcScanner fresh(paths, same);
  CHECK(fresh.scan().groups[0].command.size() == kMaxCommandBytes);
  ProcScanner silent(paths, {});
  CHECK(silent.scan().groups[0].command.empty());
}

TEST_CASE("a limit of a process, by a name with blanks") {
  const std::string limits =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max open files            1024                 524288               files     \n"
      "Max open files locks      7                    7                    locks     \n"
      "Max file locks            unlimited            unlimited            locks     \n";
  CHECK(soft_limit(limits, "Max open files") == 1024);
  CHECK(soft_limit(limits, "Max open files locks") == 7);
  CHECK(!soft_limit(limits, "Max file locks"));
  CHECK(!soft_limit(limits, "Max open"));
  CHECK(!soft_limit(limits, "Max processes"));
  CHECK(soft_limit("Max open files 5", "Max open files") == 5);
  for (const char* odd : {"", "Max open files", "Max open files   ", "Max open files  -1 x"}) {
    CHECK(!soft_limit(odd, "Max open files"));
  }
}

TEST_CASE_FIXTURE(Tree, "of a group, the process nearest to its own limit of open files") {
  // What a folder of this file system says its size is counts as its number of handles.
  const auto open_files = [&](int pid, int per_limit) {
    const std::string base = "proc/" + std::to_string(pid) + "/";
    write(base + "fd/0", "");
    struct stat info {};
    REQUIRE(::stat((dir / (base + "fd")).c_str(), &info) == 0);
    const int limit = static_cast<int>(info.st_size) * per_limit;
    write(base + "limits", "Max open files   " + std::to_string(limit) + "   4096   files\n");
    return limit;
  };
  process(10, "p", 500);
  process(11, "p", 501);
  process(12, "p", 502);
  open_files(10, 30);
  const auto nearest = static_cast<std::uint64_t>(open_files(11, 2));
  const auto second = static_cast<std::uint64_t>(open_files(12, 10));
  ProcScanner scanner(paths, same);
  const GroupUsage usage = scanner.scan().usage.at(0);
  CHECK(usage.open_fds == 3 * nearest / 2);
  CHECK(usage.worst_fds == nearest / 2);
  CHECK(usage.worst_fd_limit == nearest);
  CHECK(usage.started_ms == 1'700'000'000'000 + 500 * 1000 / ::sysconf(_SC_CLK_TCK));

  INFO("one that raises its limit when it needs it is believed at once");
  scanner.scan();  // Read twice with the name, then when it is near
  open_files(11, 100);
  CHECK(scanner.scan().usage.at(0).worst_fd_limit == second);

  INFO("a process that may not be looked into says nothing");
  process(20, "q", 500);
  std::filesystem::remove_all(dir / "proc/20/fd");
  write("proc/20/limits", "Max open files   10   10   files\n");
  const auto scan = scanner.scan();
  CHECK(scan.usage.at(1).worst_fd_limit == 0);
}

TEST_CASE_FIXTURE(Tree, "a group lists at most sixteen pids and counts all") {
  for (int pid = 100; pid < 140; ++pid) process(pid, "w", 1'000 + static_cast<std::uint64_t>(pid));
  ProcScanner scanner(paths, same);
  const auto scan = scanner.scan();
  CHECK(scan.groups[0].count == 40);
  CHECK(scan.groups[0].pids.size() == ProcScanner::kMaxGroupPids);
  CHECK(scan.groups[0].pids[15] == 115);
}

TEST_CASE_FIXTURE(Tree, "more processes or groups than allowed are left out and counted") {
  for (int pid = 10; pid < 16; ++pid) process(pid, "p" + std::to_string(pid), 5);
  process(16, "p10", 5);  // Of a group that is there already, or not, as /proc lists them
  ProcScanner::Limits limits;
  limits.groups = 4;
  ProcScanner scanner(paths, same, limits);
  auto scan = scanner.scan();
  CHECK(scan.groups.size() == 4);
  CHECK(scan.over_limit >= 2);
  CHECK(scan.over_limit <= 3);
  limits = {};
  limits.processes = 5;
  ProcScanner small(paths, same, limits);
  scan = small.scan();
  CHECK(scan.processes.size() == 5);
  CHECK(scan.over_limit == 2);
}

TEST_CASE_FIXTURE(Tree,
                  "a process whose memory does not answer is left alone, the others are read") {
  for (int pid = 20; pid < 24; ++pid) {
    process(pid, "app" + std::to_string(pid), 100);
  }
  std::filesystem::remove(dir / "proc/21/cmdline");
  const std::string pipe = dir / "proc/21/cmdline";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);  // Opening it waits for a writer.
  ProcScanner scanner(paths, same);
  for (int i = 0; i < 3; ++i) {
    const auto scan = scanner.scan();
    REQUIRE(scan.groups.size() == 4);
    for (const auto& group : scan.groups) {
      CHECK(group.command.empty() == (group.name == "app21"));
    }
    CHECK(scanner.stuck() == std::vector<std::string>{"21/cmdline"});
  }
  const int writer = ::open(pipe.c_str(), O_WRONLY | O_CLOEXEC);  // It answers.
  ::close(writer);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!scanner.stuck().empty() && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  CHECK(scanner.stuck().empty());
}

TEST_CASE("the cost of a scan of this host") {
  ProcScanner scanner(Paths(), same);
  const auto own = static_cast<std::uint32_t>(::getpid());
  scanner.scan();
  auto scan = scanner.scan();
  constexpr int kRounds = 50;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) scan = scanner.scan();
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
  const auto count = static_cast<double>(scan.processes.size() + scan.kernel_threads);
  const double cost = took.count() / kRounds / count;
  MESSAGE(cost << " us per process and scan, " << count << " processes, " << scan.kernel_threads
               << " of them kernel threads");
  const auto found = std::find_if(scan.processes.begin(), scan.processes.end(),
                                  [&](const ProcessRef& process) { return process.pid == own; });
  REQUIRE(found != scan.processes.end());
  CHECK(found->comm == "unit_agent_disc");
  CHECK(cost < 250);  // Ten times the budget: a loaded machine may be slow.
}

TEST_CASE_FIXTURE(Tree, "the facts of a host") {
  write("proc/sys/kernel/hostname", "web-1\n");
  write("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n");
  write("proc/sys/kernel/random/boot_id", "b00t\n");
  write("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
  write("root/etc/machine-id", "secret\n");
  write("root/etc/os-release", "NAME=\"x\"\nPRETTY_NAME=\"Debian \\\"12\\\"\"\n");
  const auto facts =
      host_facts(paths, [](std::string_view text) { return "sha(" + std::string(text) + ")"; });
  CHECK(facts.hostname == "web-1");
  CHECK(facts.kernel == "6.1.0-13-amd64");
  CHECK(facts.boot_id == "b00t");
  CHECK(facts.machine_id_sha256 == "sha(secret)");
  CHECK(facts.os == "Debian \"12\"");
  CHECK(facts.cpus == 2);
  CHECK(facts.memory_bytes == 2048 * 1024);
  CHECK(facts.boot_time_ms == 1'700'000'000'000);
  CHECK_FALSE(facts.architecture.empty());
  CHECK(facts.agent_version == OBSERVEAI_VERSION);
  CHECK(facts.cgroup_mode == "none");
  CHECK(os_release_value("A=1\nPRETTY_NAME='x y'\n", "PRETTY_NAME") == "x y");
  CHECK(os_release_value("PRETTY_NAMES=1\n", "PRETTY_NAME").empty());
  CHECK(os_release_value("PRETTY_NAME=\"", "PRETTY_NAME").empty());

  std::filesystem::create_directories(dir / "sys/fs/cgroup/memory");
  CHECK(cgroup_mode(paths) == "v1");
  write("sys/fs/cgroup/unified/cgroup.controllers", "");
  CHECK(cgroup_mode(paths) == "hybrid");
  std::filesystem::remove_all(dir / "sys/fs/cgroup");
  write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
  CHECK(cgroup_mode(paths) == "v2");
}

TEST_CASE("a host without anything to read gives empty facts") {
  const Paths nowhere{"/nonexistent", "/nonexistent", "/nonexistent"};
  const auto facts = host_facts(nowhere, [](std::string_view) { return "never"; });
  CHECK(facts.hostname.empty());
  CHECK(facts.machine_id_sha256.empty());
  CHECK(facts.cpus == 0);
  CHECK(ProcScanner(nowhere, same).scan().groups.empty());
  CHECK(PortScanner(nowhere).scan({}, SteadyTime{}).ports.empty());
}
