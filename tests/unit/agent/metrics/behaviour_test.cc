// How the collectors behave over several scrapes and with files that are odd, missing or going
// away.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/agent/metrics/metrics_fixture.h"

namespace observeai::agent::test {
namespace {

const std::string kScope =
    "sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/docker-" + kContainerId + ".scope";

TEST_CASE("a steady scrape has no new definitions and the same series") {
  Host host(recorded("hybrid"));
  host.containers = {container_4711()};
  const auto first = host.scrape().scrape.series;
  const ScrapeResult& second = host.scrape();
  CHECK(second.new_series.empty());
  CHECK(second.scrape.series == first);
}

TEST_CASE("CPU time never falls by a little, only by an unplugged CPU") {
  const Tree tree("v1");
  const auto stat = [&](int idle, int user) {
    tree.write("proc/stat",
               "cpu0 " + std::to_string(user) + " 0 50 " + std::to_string(idle) + " 9\n");
  };
  const auto idle = "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"}";
  const auto user = "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"}";
  Host host(tree.path());
  stat(1000, 500);
  host.scrape();
  stat(950, 510);
  host.scrape();
  CHECK(host.value(idle) == 10);
  CHECK(host.value(user) == 5.1);
  stat(100, 20);
  host.scrape();
  CHECK(host.value(idle) == 1);
  CHECK(host.value(user) == 0.2);
}

TEST_CASE("odd content is counted, the rest of the file and the other sources are used") {
  const Tree tree("hybrid");
  tree.write("proc/meminfo", "MemTotal: 10 kB\nMemFree: lots kB\nno colon\nMemAvailable: 5 kB\n");
  tree.write("proc/diskstats", " 254 0 vda 1 2 3\n 254 16 vdb 1 2 3 4 5 6 7 8 9 10 11\nx\n");
  tree.write("proc/net/dev", "a\nb\neth0: 1 2\n");
  tree.write("proc/pressure/cpu", "gibberish\n");
  tree.write("proc/net/softnet_stat", "zz\n00000001 00000002 00000003\n");
  tree.write("proc/net/netstat",
             "TcpExt: SyncookiesSent ListenDrops\nTcpExt: 1\nIpExt: InOctets\n");
  tree.write("proc/net/sockstat", "TCP: inuse\nnothing\n");
  tree.write("proc/loadavg", "0.5 nan-ish\n");
  tree.write("proc/1/mounts", "/dev/vda\n");
  tree.write("proc/self/stat", "1 (odd) name) S\n");
  Host host(tree.path());
  host.scrape();
  CHECK(host.value("node_memory_MemTotal_bytes") == 10240);
  CHECK(host.value("node_memory_MemAvailable_bytes") == 5120);
  CHECK_FALSE(host.has("node_memory_MemFree_bytes"));
  CHECK(host.has("node_disk_io_now{device=\"vdb\"}"));
  CHECK_FALSE(host.has("node_disk_io_now{device=\"vda\"}"));
  CHECK(host.value("node_netstat_TcpExt_SyncookiesSent") == 1);
  CHECK(host.value("node_load1") == 0.5);
  CHECK_FALSE(host.has("node_load5"));
  CHECK(host.has("node_vmstat_pgfault"));
  // 2 meminfo, 2 diskstats, 1 net/dev, 1 pressure, 1 softnet, 2 netstat, 2 sockstat, 1 load, 1
  // mounts, 1 self stat
  CHECK(host.engine().malformed() == 14);
}

TEST_CASE("an empty host gives its own series and says what is missing") {
  const observeai::test::TempDir empty;
  Host host(empty.path());
  const ScrapeResult& result = host.scrape();
  int missing = 0;
  for (const CollectorReport& report : result.collectors) {
    if (!report.error) continue;
    CHECK(report.error->code() == Errc::kNotFound);
    CHECK(report.error->message().find(empty.path()) != std::string::npos);
    ++missing;
  }
  CHECK(missing >= 13);
  CHECK(host.has("node_time_seconds"));
  CHECK(host.value("observeai_agent_collector_failures_total") == 0);
}

TEST_CASE("files that vanish take their series with them, once marked") {
  const Tree tree("hybrid");
  Host host(tree.path());
  host.scrape();
  tree.write("proc/loadavg", "");
  tree.write("proc/net/dev", "h\nh\n");
  host.scrape();
  CHECK(std::isnan(host.value("node_load1")));
  CHECK(std::isnan(host.value("node_network_up{device=\"eth0\"}")));
  host.scrape();
  CHECK_FALSE(host.has("node_load1"));
  CHECK_FALSE(host.has("node_network_up{device=\"eth0\"}"));
}

TEST_CASE("a file system that does not answer is an error of that mount alone, asked again later") {
  HostCalls calls = fixed_calls();
  std::map<std::string, int> asked;
  calls.statfs = [&asked](const std::string& path, const Mount&) -> Result<FilesystemUsage> {
    ++asked[path];
    if (path.ends_with("/export/shared"))
      return Error(Errc::kTimeout, "statfs did not answer in 2 s");
    if (path.ends_with("/var/cache/ram")) return Error(Errc::kDenied, "no");
    return FilesystemUsage{1, 10, 5, 5, 1, 1, false};
  };
  const std::string tree = recorded("hybrid");
  Host host(tree, calls);
  const std::string dead =
      "{device=\"fileserver:/export\",fstype=\"nfs4\",mountpoint=\"/export/shared\"}";
  for (int i = 0; i < 7; ++i) {
    host.scrape();
    CHECK(host.value("node_filesystem_device_error" + dead) == 1);
    CHECK_FALSE(host.has("node_filesystem_size_bytes" + dead));
    CHECK(host.value(
              "node_filesystem_size_bytes{device=\"/dev/vda\",fstype=\"ext4\",mountpoint=\"/\"}") ==
          10);
  }
  CHECK(asked[tree + "/export/shared"] == 2);  // The first and the seventh scrape
  CHECK(asked[tree + "/var/cache/ram"] == 7);  // Failing fast is cheap
  CHECK(asked[tree + "/"] == 7);
}

TEST_CASE("a dead file server with many mounts: two deadlines a scrape, and the disks come first") {
  const Tree tree("hybrid");
  std::string mounts;
  for (int i = 0; i < 20; ++i)
    mounts += "server:/e /export/" + std::to_string(i) + " nfs4 rw 0 0\n";
  tree.write("proc/1/mounts", mounts + "other:/e /alive nfs4 rw 0 0\n/dev/vda / ext4 rw 0 0\n");
  HostCalls calls = fixed_calls();
  std::set<std::string> stuck;
  int timeouts = 0;
  calls.statfs = [&](const std::string& path, const Mount& mount) -> Result<FilesystemUsage> {
    if (mount.device != "server:/e") return FilesystemUsage{1, 10, 5, 5, 1, 1, false};
    if (!stuck.insert(path).second) return Error(Errc::kUnavailable, "still no answer");
    ++timeouts;
    return Error(Errc::kTimeout, "no answer");
  };
  Host host(tree.path(), calls);
  const std::string size = "node_filesystem_size_bytes{device=";
  for (int scrape = 1; scrape <= 10; ++scrape) {
    host.scrape();
    CHECK(timeouts == 2 * scrape);
    CHECK(host.value(size + "\"/dev/vda\",fstype=\"ext4\",mountpoint=\"/\"}") == 10);
  }
  CHECK(host.engine().series_counts().duplicates == 0);
  for (int scrape = 0; scrape < 10; ++scrape) {
    host.scrape();
    CHECK(host.value(size + "\"other:/e\",fstype=\"nfs4\",mountpoint=\"/alive\"}") == 10);
    for (int i = 0; i < 20; ++i) {
      CHECK(host.value("node_filesystem_device_error{device=\"server:/e\",fstype=\"nfs4\","
                       "mountpoint=\"/export/" +
                       std::to_string(i) + "\"}") == 1);
    }
  }
  CHECK(timeouts == 20);
}

TEST_CASE("slow attributes are kept between slow turns, and read at once when the link changes") {
  const Tree tree("hybrid");
  Host host(tree.path());
  host.scrape();
  const std::string mtu = "node_network_mtu_bytes{device=\"eth0\"}";
  CHECK(host.value(mtu) == 1400);
  tree.write("sys/class/net/eth0/mtu", "9000\n");
  host.scrape();
  CHECK(host.value(mtu) == 1400);
  tree.write("sys/class/net/eth0/operstate", "down\n");
  host.scrape();
  CHECK(host.value(mtu) == 9000);
  CHECK(host.value("node_network_up{device=\"eth0\"}") == 0);
  tree.write("sys/class/net/eth0/mtu", "1500\n");
  for (int i = 3; i <= static_cast<int>(MetricsEngine::kSlowTurnEvery); ++i) host.scrape();
  CHECK(host.value(mtu) == 1500);
}

TEST_CASE("the host's end of a container's link is not reported") {
  const Tree tree("hybrid");
  tree.write("proc/net/dev",
             tree.read("proc/net/dev") + "veth12ab: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
  Host host(tree.path());
  host.scrape();
  for (const auto& [series, value] : host.values()) {
    CHECK(series.find("veth12ab") == std::string::npos);
  }
}

TEST_CASE("a container ends in the middle of the reading: no error, series marked and forgotten") {
  const Tree tree("v2");
  Host host(tree.path());
  host.containers = {container_4711()};
  host.scrape();
  tree.remove(kScope);
  tree.remove("proc/4711");
  // The engine holds open files of the removed folder; in a cgroup they would give ENODEV.
  host.containers[0].facts.pid = 0;
  host.scrape();
  CHECK(std::isnan(host.of_container("container_memory_usage_bytes")));
  CHECK(host.of_container("container_restart_count") == 3);  // Still in the inventory

  host.containers.clear();
  const std::size_t before = host.names().size();
  host.scrape();
  CHECK(std::isnan(host.of_container("container_restart_count")));

  // The same id again (a runtime that forgot and found it): new numbers, never the old ones.
  const Tree again("v2");
  host.containers = {container_4711()};
  CHECK(host.scrape().forgotten.size() > 30);
  host.scrape();
  std::uint32_t highest_before = 0;
  for (const auto& [id, series] : host.names()) {
    if (id <= before) highest_before = std::max(highest_before, id);
  }
  for (const std::uint32_t id : host.scrape().scrape.series) {
    if (host.names().at(id).target != wire::kHostTarget) CHECK(id > highest_before);
  }
}

TEST_CASE("a container whose process is not yet in its own cgroup gets no samples of another's") {
  const Tree tree("v2");
  tree.write("proc/4711/cgroup", "0::/system.slice/containerd.service\n");
  Host host(tree.path());
  host.containers = {container_4711()};
  host.scrape();
  CHECK(host.of_container("container_memory_usage_bytes") == -12345);
  // Moved: from the next scrape on it is measured, limits included though it is no slow turn.
  tree.write("proc/4711/cgroup", "0::" + kScope.substr(std::string("sys/fs/cgroup").size()) + "\n");
  host.scrape();
  CHECK(host.of_container("container_memory_usage_bytes") == 104857600);
  CHECK(host.of_container("container_spec_memory_limit_bytes") == 134217728);
  CHECK(host.of_container("container_fs_reads_total{device=\"/dev/vda\"}") == 100);
}

TEST_CASE("a machine without the memory controller: the rest is measured, and located once") {
  const Tree tree("v2");
  for (const char* file :
       {"memory.current", "memory.stat", "memory.events", "memory.swap.current", "memory.max"}) {
    tree.remove(kScope + "/" + file);
  }
  Host host(tree.path());
  host.containers = {container_4711()};
  for (int scrape = 0; scrape < 3; ++scrape) {
    host.scrape();
    CHECK(host.of_container("container_cpu_usage_seconds_total") == 12.5);
    CHECK(host.of_container("container_threads") == 17);
    CHECK(host.of_container("container_last_seen") > 0);
    CHECK(host.of_container("container_memory_usage_bytes") == -12345);
    // What locating reads; a container that is kept does not need it.
    tree.remove("proc/4711/cgroup");
  }
}

TEST_CASE("a cgroup of which nothing can be read is gone: the container is looked for again") {
  const Tree tree("v2");
  Host host(tree.path());
  host.containers = {container_4711()};
  std::filesystem::rename(tree.path() + "/" + kScope, tree.path() + "/aside");
  std::filesystem::create_directories(tree.path() + "/" + kScope);
  host.scrape();
  CHECK(host.of_container("container_restart_count") == 3);
  CHECK(host.of_container("container_last_seen") == -12345);
  tree.remove(kScope);
  std::filesystem::rename(tree.path() + "/aside", tree.path() + "/" + kScope);
  host.scrape();
  CHECK(host.of_container("container_last_seen") > 0);
  CHECK(host.of_container("container_memory_usage_bytes") == 104857600);
}

TEST_CASE("a restarted container is found again by its new process") {
  const Tree tree("v2");
  Host host(tree.path());
  host.containers = {container_4711()};
  host.scrape();
  tree.write("proc/5000/cgroup", tree.read("proc/4711/cgroup"));
  tree.link_network("5000", "net:[4026533000]");
  tree.write("proc/5000/net/dev", "h\nh\neth0: 9 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
  tree.write(kScope + "/memory.current", "1000\n");
  host.containers[0].facts.pid = 5000;
  host.scrape();
  CHECK(host.of_container("container_memory_usage_bytes") == 1000);
  CHECK(host.of_container("container_network_receive_bytes_total{interface=\"eth0\"}") == 9);
}

TEST_CASE(
    "a container that rests gives what it gave, and is looked at whole when something moves") {
  const Tree tree("v2");
  Host host(tree.path());
  host.containers = {container_4711()};
  const std::string received = "container_network_receive_bytes_total{interface=\"eth0\"}";
  host.scrape();
  host.scrape();  // The same twice: it rests.
  const auto all = host.values().size();
  tree.write(kScope + "/pids.current", "18\n");
  tree.write("proc/4711/net/dev", "h\nh\neth0: 9 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
  host.scrape();
  CHECK(host.of_container("container_threads") == 17);
  CHECK(host.of_container(received) == 9);  // Packets come without its doing.
  CHECK(host.values().size() == all);
  tree.write(kScope + "/memory.current", "1000\n");
  host.scrape();
  CHECK(host.of_container("container_memory_usage_bytes") == 1000);
  CHECK(host.of_container("container_threads") == 18);

  host.scrape();
  tree.write(kScope + "/pids.current", "19\n");
  host.scrape();
  CHECK(host.of_container("container_threads") == 18);
  host.scrape();  // A slow turn
  CHECK(host.of_container("container_threads") == 19);
}

TEST_CASE("a container that waits for a disk uses no CPU time and does not rest") {
  const Tree tree("v2");
  Host host(tree.path());
  host.containers = {container_4711()};
  host.scrape();
  host.scrape();
  const auto waits = [&](int us) {
    tree.write(kScope + "/io.pressure",
               "some avg10=0.00 avg60=0.00 avg300=0.00 total=" + std::to_string(us) + "\n");
  };
  tree.write(kScope + "/cpu.stat", "usage_usec 12500007\nuser_usec 1\nsystem_usec 2\n");
  for (int seconds = 900; seconds < 903; ++seconds) {
    waits(seconds * 1'000'000);
    host.scrape();
    CHECK(host.of_container("container_pressure_io_waiting_seconds_total") == seconds);
  }
}

TEST_CASE("a container that shares the host's network has no network of its own") {
  const Tree tree("v2");
  tree.link_network("4711", "net:[4026531840]");
  Host host(tree.path());
  host.containers = {container_4711()};
  host.scrape();
  CHECK(host.of_container("container_network_receive_bytes_total{interface=\"eth0\"}") == -12345);
  CHECK(host.of_container("container_memory_usage_bytes") == 104857600);
}

TEST_CASE("a container's network that cannot be told from the host's is not reported") {
  const std::string received = "container_network_receive_bytes_total{interface=\"eth0\"}";
  for (const char* pid : {"1", "4711"}) {
    const Tree tree("v2");
    Host known(tree.path());
    known.containers = {container_4711()};
    known.scrape();
    CHECK(known.of_container(received) >= 0);
    tree.link_network(pid, "");
    Host unknown(tree.path());
    unknown.containers = {container_4711()};
    unknown.scrape();
    CHECK(unknown.of_container(received) == -12345);
    CHECK(unknown.of_container("container_memory_usage_bytes") == 104857600);
  }
}

TEST_CASE("absurd cgroup content: counted, no sample, no crash") {
  const Tree tree("v2");
  tree.write(kScope + "/memory.current", "99999999999999999999999\n");
  tree.write(kScope + "/cpu.stat", "usage_usec\nuser_usec x\nsystem_usec 5\n");
  tree.write(kScope + "/cpu.max", "\n");
  tree.write(kScope + "/io.stat", "::::\n\n254:0 rbytes=\n");
  tree.write(kScope + "/pids.current", "");
  Host host(tree.path());
  host.containers = {container_4711()};
  host.scrape();
  CHECK(host.of_container("container_memory_usage_bytes") == -12345);
  CHECK(host.of_container("container_cpu_usage_seconds_total") == -12345);
  CHECK(host.of_container("container_cpu_system_seconds_total") == 5e-6);
  CHECK(host.engine().malformed() >= 4);
}

TEST_CASE("more descriptors than may be kept: everything is still read") {
  const Tree tree("v2");
  Host host(tree.path());
  for (int i = 0; i < 80; ++i) {
    ObservedContainer container = container_4711();
    std::string number = std::to_string(1000 + i);
    container.facts.id = number + kContainerId.substr(4);
    container.facts.pid = static_cast<std::uint32_t>(10'000 + i);
    const std::string scope = "docker-" + container.facts.id + ".scope";
    const std::string folder = "sys/fs/cgroup/" + scope;
    tree.write("proc/" + std::to_string(container.facts.pid) + "/cgroup", "0::/" + scope + "\n");
    for (const char* file : {"cpu.stat", "cpu.max", "memory.current", "memory.stat",
                             "memory.events", "memory.swap.current", "io.stat", "pids.current",
                             "cgroup.procs", "cpu.pressure", "memory.pressure", "io.pressure"}) {
      tree.write(folder + "/" + file, tree.read(kScope + "/" + file));
    }
    host.containers.push_back(container);
  }
  host.scrape();
  CHECK(host.engine().kept_files() == FileReader::kMaxKept);
  for (const ObservedContainer& container : host.containers) {
    CHECK(host.value("container_memory_usage_bytes", container_target(container.facts.id)) ==
          104857600);
  }
}

TEST_CASE("process groups: the largest are reported, and similar ones do not flap") {
  const observeai::test::TempDir empty;
  Host host(empty.path());
  for (int i = 0; i < 100; ++i) {
    host.processes.push_back({"g" + std::to_string(i), 1.0, 100'000'000, 1, 2, 1});
  }
  host.processes[77].cpu_seconds = 500;
  host.processes[78].rss_bytes = 8'000'000'000;
  host.scrape();
  const auto reported = [&] {
    std::set<std::string> keys;
    for (const auto& [series, value] : host.values()) {
      if (series.starts_with("process/") && !std::isnan(value))
        keys.insert(series.substr(0, series.find(' ')));
    }
    return keys;
  };
  const std::set<std::string> first = reported();
  CHECK(first.size() == 40);
  CHECK(first.contains("process/g77"));
  CHECK(first.contains("process/g78"));

  // Small movements of those that were left out change nothing; a real consumer gets in.
  for (int i = 0; i < 100; ++i) {
    if (!first.contains("process/g" + std::to_string(i))) host.processes[i].rss_bytes += 20'000'000;
  }
  host.scrape();
  CHECK(reported() == first);
  std::size_t outsider = 0;
  while (first.contains("process/g" + std::to_string(outsider))) ++outsider;
  host.processes[outsider].cpu_seconds += 50;
  host.scrape();
  CHECK(reported().contains("process/g" + std::to_string(outsider)));
  CHECK(reported().size() == 40);
}

TEST_CASE("a process group's CPU time rises although its processes come and go") {
  const observeai::test::TempDir empty;
  Host host(empty.path());
  const auto cpu = [&](double seconds) {
    host.processes = {{"web", seconds, 1, 1, 1, 1}};
    host.scrape();
    return host.value("namedprocess_namegroup_cpu_seconds_total", "process/web");
  };
  CHECK(cpu(10) == 10);
  CHECK(cpu(12) == 12);
  CHECK(cpu(3) == 12);
  CHECK(cpu(4) == 13);
}

TEST_CASE("open files that could not be counted are left out, none is a number") {
  const observeai::test::TempDir empty;
  Host host(empty.path());
  host.processes = {{"other", 1.0, 1000, 3, std::nullopt, 1}, {"own", 1.0, 1000, 1, 0, 1}};
  host.scrape();
  const std::string open_files = "namedprocess_namegroup_open_filedesc";
  CHECK_FALSE(host.has(open_files, "process/other"));
  CHECK(host.value("namedprocess_namegroup_num_threads", "process/other") == 3);
  CHECK(host.value(open_files, "process/own") == 0);
}

TEST_CASE("the engine keeps to its limit, counts what it refuses, and recovers") {
  const observeai::test::TempDir empty;
  Host host(empty.path(), fixed_calls(), {50, 100});
  for (int i = 0; i < 30; ++i) {
    host.processes.push_back({"g" + std::to_string(i), 1.0, 1000, 1, 2, 1});
  }
  CHECK(host.scrape().scrape.series.size() == 50);
  CHECK(host.engine().series_counts().refused > 0);
  const auto refused = host.engine().series_counts().refused;
  host.processes.resize(1);
  host.scrape();
  host.scrape();
  CHECK(host.engine().series_counts().refused == refused);
  CHECK(host.value("observeai_agent_series_refused_total") == static_cast<double>(refused));
}

TEST_CASE("more containers than a scrape holds: the host, its groups and the agent lose nothing") {
  const std::string tree = recorded("hybrid");
  const auto own_series = [](const Host& host) {
    std::set<std::string> all;
    for (const auto& [series, value] : host.values()) {
      if (!series.starts_with("container/")) all.insert(series);
    }
    return all;
  };
  Host alone(tree);
  alone.processes = {{"web", 1.0, 1000, 1, 2, 1}};
  alone.scrape();
  const std::set<std::string> expected = own_series(alone);

  Host crowded(tree, fixed_calls(), {expected.size() + 20, 10'000});
  crowded.processes = alone.processes;
  for (int i = 0; i < 100; ++i) {
    ObservedContainer container = container_4711();
    container.facts.id = std::to_string(1000 + i) + kContainerId.substr(4);
    crowded.containers.push_back(container);
  }
  for (int scrape = 0; scrape < 3; ++scrape) {
    crowded.scrape();
    CHECK(own_series(crowded) == expected);
    CHECK(crowded.engine().series_counts().refused > 0);
  }
  CHECK(crowded.value("observeai_agent_series_refused_total") > 0);
}

TEST_CASE("the beginning of a refusal is an event: once, until committed, again after a while") {
  const observeai::test::TempDir empty;
  MetricsEngine engine(roots_of(empty.path()), fixed_calls(), {}, 1, {50, 100});
  std::vector<ProcessUsage> many, few;
  for (int i = 0; i < 30; ++i) many.push_back({"g" + std::to_string(i), 1.0, 1000, 1, 2, 1});
  few = {many.front()};
  const auto events = [&](const std::vector<ProcessUsage>& processes) {
    ScrapeInput input;
    input.now_ms = 1000;
    input.processes = processes;
    return engine.scrape(input).events;
  };
  CHECK(events(few).empty());
  const auto first = events(many);
  REQUIRE(first.size() == 1);
  CHECK(first[0].kind == "metrics.refused");
  CHECK(first[0].target == wire::kHostTarget);
  CHECK(first[0].ts_ms == 1000);
  CHECK(events(many).size() == 1);  // The result before was not committed
  engine.committed();
  CHECK(events(many).empty());
  for (std::uint32_t i = 0; i < MetricsEngine::kQuietScrapes - 1; ++i) CHECK(events(few).empty());
  CHECK(events(many).empty());
  for (std::uint32_t i = 0; i < MetricsEngine::kQuietScrapes; ++i) CHECK(events(few).empty());
  CHECK(events(many).size() == 1);
}

TEST_CASE("an engine outlives everything it was made of") {
  const auto engine = [] {
    const MetricRoots roots = roots_of(recorded("v2"));
    const std::vector<wire::SeriesDefinition> known;
    return std::make_unique<MetricsEngine>(roots, fixed_calls(), known, 1);
  }();
  const ScrapeResult result = engine->scrape({});
  CHECK_FALSE(result.scrape.series.empty());
  CHECK(result.duration_us > 0);
}

TEST_CASE("definitions and forgotten ids are repeated until they are committed") {
  MetricsEngine engine(roots_of(recorded("v2")), fixed_calls(), {}, 1);
  const std::vector<ObservedContainer> containers = {container_4711()};
  ScrapeInput input;
  input.containers = containers;
  const std::size_t first = engine.scrape(input).new_series.size();
  CHECK(engine.scrape(input).new_series.size() == first);
  engine.committed();
  CHECK(engine.scrape(input).new_series.empty());
  input.containers = {};
  const std::size_t with_marks = engine.scrape(input).scrape.series.size();
  const ScrapeResult repeated = engine.scrape(input);
  CHECK(repeated.scrape.series.size() == with_marks);
  CHECK(repeated.forgotten.empty());  // Their marks are not committed yet
  engine.committed();
  const ScrapeResult after = engine.scrape(input);
  CHECK(after.scrape.series.size() + after.forgotten.size() == with_marks);
  const std::size_t forgotten = after.forgotten.size();
  CHECK(forgotten > 0);
  CHECK(engine.scrape(input).forgotten.size() == forgotten);
  engine.committed();
  CHECK(engine.scrape(input).forgotten.empty());
}

TEST_CASE("containers removed while nothing is committed: a limit, then their age decides") {
  const observeai::test::TempDir empty;
  for (const std::size_t removed : {MetricsEngine::kMaxRemoved, MetricsEngine::kMaxRemoved + 1}) {
    MetricsEngine engine(roots_of(empty.path()), fixed_calls(), {}, 1);
    std::vector<ObservedContainer> containers(removed);
    for (std::size_t i = 0; i < removed; ++i) containers[i].facts.id = std::to_string(100'000 + i);
    ScrapeInput input;
    input.containers = containers;
    engine.scrape(input);
    input.containers = {};
    engine.scrape(input);
    engine.committed();
    CHECK(engine.scrape(input).forgotten.size() ==
          (removed <= MetricsEngine::kMaxRemoved ? removed : 0));
  }
}

}  // namespace
}  // namespace observeai::agent::test
