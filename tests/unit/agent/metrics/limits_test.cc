// What prediction needs of a host: what is used up, and what its limit is.
#include <doctest/doctest.h>

#include <cmath>

#include "tests/unit/agent/metrics/metrics_fixture.h"

namespace observeai::agent::test {

TEST_CASE("process groups: one near its limit of open files is reported whatever else it uses") {
  Host host(recorded("v2"));
  for (int i = 0; i < 80; ++i) {
    ProcessUsage usage;
    usage.key = "g" + std::to_string(i);
    usage.rss_bytes = 1'000'000 + static_cast<std::uint64_t>(i) * 1'000'000;
    usage.open_fds = 30;
    usage.worst_fds = i < 10 ? 30 : 3;
    usage.worst_fd_limit = i < 10 ? 100 : 1024;
    usage.started_ms = 1'700'000'000'500;
    host.processes.push_back(usage);
  }
  host.scrape();
  CHECK(host.value("namedprocess_namegroup_worst_fd_ratio", "process/g0") == 0.3);
  CHECK(host.value("namedprocess_namegroup_worst_fd_limit", "process/g0") == 100);
  CHECK(host.value("namedprocess_namegroup_oldest_start_time_seconds", "process/g0") ==
        1'700'000'000.5);
  CHECK(host.has("namedprocess_namegroup_worst_fd_ratio", "process/g79"));
  CHECK_FALSE(host.has("namedprocess_namegroup_open_filedesc", "process/g40"));
}

TEST_CASE("threads of the host, and how many there may be") {
  const Tree tree("hybrid");
  tree.write("proc/loadavg", "0.5 0.4 0.3 2/415 7712\n");
  tree.write("proc/sys/kernel/threads-max", "192730\n");
  tree.write("proc/sys/kernel/pid_max", "32768\n");
  Host host(tree.path());
  host.scrape();
  CHECK(host.value("node_processes_threads") == 415);
  CHECK(host.value("node_processes_max_threads") == 192'730);
  CHECK(host.value("node_processes_max_processes") == 32'768);
  host.scrape();
  CHECK(host.value("node_processes_max_threads") == 192'730);
  for (const char* odd : {"415", "2/", "/", "2/x"}) {
    CAPTURE(odd);
    const std::uint64_t before = host.engine().malformed();
    tree.write("proc/loadavg", std::string("0.5 0.4 0.3 ") + odd + " 7712\n");
    host.scrape();
    CHECK(host.engine().malformed() == before + 1);
  }
}

TEST_CASE("what of a container's memory can be given back, and how much swap it may get") {
  {
    const Tree tree("v2");
    const std::string scope =
        "sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/docker-" + kContainerId + ".scope/";
    tree.write(scope + "memory.stat", tree.read(scope + "memory.stat") + "slab_reclaimable 4096\n");
    tree.write(scope + "memory.max", "1048576\n");
    tree.write(scope + "memory.swap.max", "max\n");
    tree.write("sys/fs/cgroup/kubepods.slice/memory.swap.max", "65536\n");
    Host host(tree.path());
    host.containers = {container_4711()};
    host.scrape();
    CHECK(host.of_container("container_memory_slab_reclaimable_bytes") == 4096);
    CHECK(host.of_container("container_spec_memory_swap_limit_bytes") == 65536);
    tree.remove("sys/fs/cgroup/kubepods.slice/memory.swap.max");
    Host unlimited(tree.path());
    unlimited.containers = {container_4711()};
    unlimited.scrape();
    CHECK(unlimited.of_container("container_spec_memory_swap_limit_bytes") > 1e19);
    tree.write(scope + "memory.max", "max\n");
    tree.write("sys/fs/cgroup/kubepods.slice/memory.max", "max\n");
    tree.write("sys/fs/cgroup/kubepods.slice/kubepods-pod1.slice/memory.max", "max\n");
    Host free(tree.path());
    free.containers = {container_4711()};
    free.scrape();
    CHECK(free.of_container("container_spec_memory_swap_limit_bytes") == -12345.0);
  }
  {
    const Tree tree("v1");
    const std::string folder = "sys/fs/cgroup/memory/docker/" + kContainerId + "/";
    tree.write(folder + "memory.kmem.usage_in_bytes", "8192\n");
    Host host(tree.path());
    host.containers = {container_4711()};
    host.scrape();
    CHECK(host.of_container("container_memory_kernel_usage") == 8192);
    CHECK(host.of_container("container_spec_memory_limit_bytes") == 33554432);
    CHECK(host.of_container("container_spec_memory_swap_limit_bytes") == 134217728 - 33554432);
  }
}

TEST_CASE(
    "certificates: asked for once an hour, kept when there is no answer, ended when they are "
    "gone") {
  HostCalls calls = fixed_calls();
  std::vector<CertificateDates> there = {
      {"/etc/nginx/a.pem", "0a1b", "a.example", "CA", 1'700'000'000, 1'800'000'000}};
  bool answers = true;
  int asked = 0;
  calls.certificates = [&]() -> Result<std::vector<CertificateDates>> {
    ++asked;
    if (!answers) return Error(Errc::kTimeout, "no answer");
    return there;
  };
  Host host(recorded("v2"), calls);
  const std::string labels =
      "{filepath=\"/etc/nginx/"
      "a.pem\",issuer_CN=\"CA\",serial_number=\"0a1b\",subject_CN=\"a.example\"}";
  for (int scrape = 0; scrape < 360; ++scrape) {  // An hour of scrapes
    host.scrape();
    REQUIRE(host.value("x509_cert_not_after" + labels) == 1'800'000'000);
  }
  CHECK(host.value("x509_cert_not_before" + labels) == 1'700'000'000);
  CHECK(asked == 1);
  answers = false;
  host.scrape();
  CHECK(asked == 2);
  CHECK(host.value("x509_cert_not_after" + labels) == 1'800'000'000);
  answers = true;
  there[0].serial = "0c";
  for (int scrape = 0; scrape <= 360; ++scrape) host.scrape();
  CHECK(asked == 3);
  CHECK_FALSE(host.has("x509_cert_not_after" + labels));
  CHECK(host.has(
      "x509_cert_not_after{filepath=\"/etc/nginx/a.pem\",issuer_CN=\"CA\",serial_number=\"0c\","
      "subject_CN=\"a.example\"}"));
}

TEST_CASE("lines that targets log, until a container is gone") {
  Host host(recorded("v2"));
  host.containers = {container_4711()};
  const std::string target = container_target(kContainerId);
  host.log_lines = {{target, 3, 1000}, {"file/var/log/x", 0, 5}, {"container/ghost", 1, 1}};
  host.scrape();
  const std::string errors = "observeai_log_lines_total{level=\"error\"}";
  CHECK(host.value(errors, target) == 3);
  CHECK(host.value("observeai_log_lines_total{level=\"other\"}", target) == 1000);
  CHECK(host.value(errors, "file/var/log/x") == 0);
  CHECK_FALSE(host.has(errors, "container/ghost"));
  host.containers.clear();
  host.scrape();
  CHECK(std::isnan(host.value(errors, target)));
  host.scrape();
  CHECK_FALSE(host.has(errors, target));
}

}  // namespace observeai::agent::test
