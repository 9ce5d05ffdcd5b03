#include "agent/budget/own_usage.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

TEST_CASE("what this very process uses") {
  OwnUsageMeter meter;
  ManualClock clock;
  const auto first = meter.measure(clock.steady_now());
  REQUIRE(first);
  CHECK(first->cpu_percent == 0);
  CHECK(first->memory_bytes > 1U << 20);
  CHECK(first->open_files >= 3);
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  volatile std::uint64_t work = 0;
  for (int i = 0; i < 30'000'000; ++i) work = work + 1;
  clock.advance(1s);  // Of a second that this clock says, what the work took.
  const auto second = meter.measure(clock.steady_now());
  REQUIRE(second);
  CHECK(second->cpu_percent > 0);
  CHECK(second->open_files >= first->open_files + 1);
  ::close(fd);
}

TEST_CASE("the limits of the control group and those above it") {
  const test::TempDir dir;
  const auto write = [&](const std::string& name, const std::string& text) {
    const std::filesystem::path path = dir / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  };
  const auto limits = [&] { return own_group_limits(dir / "proc", dir / "cgroup"); };
  CHECK_FALSE(limits().memory_bytes);
  SUBCASE("v2: the least on the way up") {
    write("proc/self/cgroup", "0::/system.slice/agent.service\n");
    write("cgroup/system.slice/agent.service/memory.max", "max\n");
    write("cgroup/system.slice/agent.service/cpu.max", "20000 100000\n");
    write("cgroup/system.slice/memory.max", "67108864\n");
    write("cgroup/system.slice/cpu.max", "max 100000\n");
    CHECK(limits().memory_bytes == 67'108'864);
    CHECK(limits().cpu_percent == 20.0);
    const auto budget = within({50, 80 << 20, 5, 6}, limits());
    CHECK(budget.memory_bytes == 60'397'977);  // Nine tenths
    CHECK(budget.cpu_percent == 18.0);
    CHECK(budget.spool_bytes == 5);
    CHECK(budget.open_files == 6);
    CHECK(within({5, 1 << 20, 0, 0}, limits()).memory_bytes == 1 << 20);
  }
  SUBCASE("v1 and hybrid") {
    write("proc/self/cgroup", "7:memory:/agent\n6:cpu,cpuacct:/agent\n0::/\n");
    write("cgroup/memory/agent/memory.limit_in_bytes", "9223372036854771712\n");
    CHECK_FALSE(limits().memory_bytes);  // That number says "none".
    write("cgroup/memory/agent/memory.limit_in_bytes", "1000000\n");
    write("cgroup/cpu,cpuacct/agent/cpu.cfs_quota_us", "-1\n");
    write("cgroup/cpu,cpuacct/agent/cpu.cfs_period_us", "100000\n");
    CHECK(limits().memory_bytes == 1'000'000);
    CHECK_FALSE(limits().cpu_percent);
  }
  SUBCASE("nonsense is no limit") {
    write("proc/self/cgroup", "\n0\n0:x\n0::/../../etc\nmemory\n");
    write("cgroup/memory.max", "many\n");
    CHECK_FALSE(limits().memory_bytes);
  }
  CHECK(parse_cpu_max("50000 100000\n") == 50.0);
  for (const char* bad : {"", "max 100000", "1", "1 0", "1 2 3", "-1 5"}) {
    CHECK_FALSE(parse_cpu_max(bad));
  }
}
