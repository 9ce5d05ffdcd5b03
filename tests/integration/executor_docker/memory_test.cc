// docker.update_memory against a real daemon.
#include <doctest/doctest.h>

#include "protocol/base/files.h"
#include "tests/integration/executor_docker/docker_rig.h"

using namespace observeai;
using namespace observeai::test;

namespace {

constexpr std::int64_t kMiB = 1 << 20;
constexpr const char* kLimits = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}";

wire::Parameters limit(std::int64_t mib) {
  return {{"container", "web"}, {"memory_bytes", mib * kMiB}};
}

}  // namespace

TEST_CASE_FIXTURE(DockerRig, "a memory limit up and back, the swap stays as it was") {
  docker("run -d --network none --name web -m 32m --memory-swap 48m obs:base sleep 1000");
  const auto outcome = perform("docker.update_memory", limit(64));
  CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(outcome.seen->diff ==
        std::vector<wire::Change>{
            {"memory limit of web", "33554432 bytes", "67108864 bytes"},
            {"memory and swap limit of web", "50331648 bytes", "83886080 bytes"}});
  CHECK(inspect("web", kLimits) == "67108864 83886080");
  CHECK(std::stoll(fact(*outcome.seen, "memory_free_bytes")) > 0);
  // Its own next dry run sees another state.
  CHECK(assess("docker.update_memory", limit(65))->state != outcome.seen->state);
  CHECK(undo("docker.update_memory", limit(64), *outcome.seen));
  CHECK(inspect("web", kLimits) == "33554432 50331648");
  CHECK(assess("docker.update_memory", limit(64))->state == outcome.seen->state);
}

TEST_CASE_FIXTURE(DockerRig, "a memory limit down, and a container without limit for its swap") {
  docker("run -d --network none --name web -m 64m --memory-swap -1 obs:base sleep 1000");
  const auto outcome = perform("docker.update_memory", limit(32));
  CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(inspect("web", kLimits) == "33554432 -1");
}

TEST_CASE_FIXTURE(DockerRig, "what a change of the limit needs") {
  docker(
      "run -d --network none --name web -m 64m obs:base sh -c "
      "'head -c 20000000 /dev/zero | tail -c 20000000 | sleep 1000'");
  const auto why = [&](std::int64_t mib) {
    const auto seen = assess("docker.update_memory", limit(mib));
    return seen ? std::string("fine") : seen.error().message();
  };
  CHECK(why(96) == "fine");
  CHECK(why(64).find("already") != std::string::npos);
  for (int i = 0; i < 50 && why(10) == "fine"; ++i) docker("exec web sleep 0.1");
  CHECK(why(10).find("uses") != std::string::npos);
  // A tenth more than the difference must be available: 32 MiB want 35.2.
  TempDir proc;
  host().proc_root = proc.path();
  const auto available = [&](std::int64_t kib) {
    const std::string text =
        "MemTotal: 99999999 kB\nMemAvailable:   " + std::to_string(kib) + " kB\n";
    REQUIRE(files::write_atomic(proc / "meminfo", text, 0600));
  };
  available(36'045);
  CHECK(why(96) == "fine");
  available(36'044);
  CHECK(why(96).find("too few") != std::string::npos);
  CHECK(why(63) == "fine");
  REQUIRE(files::write_atomic(proc / "meminfo", "", 0600));
  CHECK(why(96) != "fine");
  host().proc_root = "/proc";
  docker("rm -f web");
  docker("run -d --network none --name web obs:base sleep 1000");
  CHECK(why(96).find("no memory limit") != std::string::npos);
}

TEST_CASE_FIXTURE(DockerRig, "another limit set meanwhile voids the approval") {
  docker("run -d --network none --name web -m 32m obs:base sleep 1000");
  const auto approved = assess("docker.update_memory", limit(64));
  REQUIRE(approved);
  docker("update -m 48m --memory-swap 64m web");
  CHECK(perform_approved("docker.update_memory", limit(64), *approved).stale);
}
