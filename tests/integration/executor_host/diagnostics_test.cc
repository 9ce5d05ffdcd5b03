// collect.diagnostics on this host.
#include "tests/integration/executor_host/action_rig.h"

using namespace observeai;

TEST_CASE("the host as it is: every part, nothing changed") {
  test::ActionRig rig;
  const auto outcome = rig.carry_out("collect.diagnostics", {});
  CHECK(outcome.real.empty());
  for (const char* part :
       {"load: ", "memory: MemTotal", "disk: ", "processes: ", "by memory: ", "by CPU: ", "oom: "})
    CHECK_MESSAGE(outcome.output.find(part) != std::string::npos, part);
}

TEST_CASE("a container where there is no engine is an error, not a guess") {
  test::ActionRig rig;
  rig.host.docker_socket = "/nonexistent/docker.sock";
  CHECK(rig.refused("collect.diagnostics", {{"container", "web"}}) == Errc::kUnavailable);
}
