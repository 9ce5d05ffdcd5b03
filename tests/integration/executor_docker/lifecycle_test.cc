// docker.restart, docker.start and docker.stop against a real daemon.
#include <doctest/doctest.h>

#include "tests/integration/executor_docker/docker_rig.h"

using namespace observeai;
using namespace observeai::test;
using namespace std::chrono_literals;

namespace {

wire::Parameters container(const std::string& name) {
  return {{"container", name}};
}
wire::Parameters quickly(const std::string& name) {
  return {{"container", name}, {"stop_timeout_s", std::int64_t{0}}};
}

constexpr const char* kStatus = "{{.State.Status}}";

}  // namespace

TEST_CASE_FIXTURE(DockerRig, "a restart: what was simulated is what happens, and facts are true") {
  docker(
      "run -d --network none --name shop-web-1 --restart always -v data:/data "
      "--label com.docker.compose.project=shop --label com.docker.compose.service=web "
      "obs:base sleep 1000");
  docker(
      "run -d --network none --name shop-web-2 --label com.docker.compose.project=shop "
      "--label com.docker.compose.service=web obs:base sleep 1000");
  docker(
      "run -d --network none --name shop-db-1 --label com.docker.compose.project=shop "
      "--label com.docker.compose.service=db obs:base sleep 1000");
  const auto started = inspect("shop-web-1", "{{.State.StartedAt}}");
  const auto id = inspect("shop-web-1", "{{.Id}}");

  const auto outcome = perform("docker.restart", quickly("shop-web-1"));
  CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(outcome.seen->diff ==
        std::vector<wire::Change>{{"container shop-web-1", "up", "up, restarted"}});
  CHECK(outcome.seen->state.find("id=" + id + "\n") != std::string::npos);
  CHECK(fact(*outcome.seen, "replicas") == "2");
  CHECK(fact(*outcome.seen, "project") == "shop");
  CHECK(fact(*outcome.seen, "service") == "web");
  CHECK(fact(*outcome.seen, "has_volumes") == "true");
  CHECK(fact(*outcome.seen, "restart_policy") == "always");
  CHECK(inspect("shop-web-1", "{{.State.StartedAt}}") != started);
  CHECK(inspect("shop-web-1", kStatus) == "running");
  CHECK(outcome.seen->downtime_ms == 1'000);
  CHECK(std::is_sorted(outcome.seen->facts.begin(), outcome.seen->facts.end()));
  // Nothing was changed that an approval covers.
  CHECK(assess("docker.restart", quickly("shop-web-1"))->state == outcome.seen->state);
}

TEST_CASE_FIXTURE(DockerRig, "a stop and a start, each with its way back") {
  // Ends at once also where it is given ten seconds: process 1 does not hear SIGTERM.
  docker("run -d --network none --stop-signal KILL --name web obs:base sleep 1000");
  auto outcome = perform("docker.stop", quickly("web"));
  CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(inspect("web", kStatus) == "exited");
  CHECK(undo("docker.stop", quickly("web"), *outcome.seen));
  CHECK(inspect("web", kStatus) == "running");
  CHECK(assess("docker.stop", quickly("web"))->state == outcome.seen->state);

  docker("stop -t 0 web");
  outcome = perform("docker.start", container("web"));
  CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(inspect("web", kStatus) == "running");
  CHECK(undo("docker.start", container("web"), *outcome.seen));
  CHECK(inspect("web", kStatus) == "exited");
}

TEST_CASE_FIXTURE(DockerRig, "what the container must be for each of them") {
  docker("run -d --network none --name web --rm obs:base sleep 1000");
  docker("create --network none --name made obs:base sleep 1000");
  const auto code = [&](const char* action, const char* name) {
    const auto seen = assess(action, container(name));
    return seen ? std::string("fine") : std::string(to_string(seen.error().code()));
  };
  CHECK(code("docker.restart", "nobody") == "not_found");
  CHECK(code("docker.start", "web") == "unavailable");
  CHECK(code("docker.restart", "made") == "unavailable");
  CHECK(code("docker.stop", "made") == "unavailable");
  CHECK(code("docker.start", "made") == "fine");
  // Stopping it would remove it.
  CHECK(code("docker.stop", "web") == "unavailable");
  CHECK(code("docker.restart", "web") == "fine");
  docker("pause web");
  CHECK(code("docker.restart", "web") == "unavailable");
}

TEST_CASE_FIXTURE(DockerRig, "an approval is void when the container is another one") {
  docker("run -d --network none --name web obs:base sleep 1000");
  const auto approved = assess("docker.restart", quickly("web"));
  REQUIRE(approved);
  const auto is_stale = [&] {
    return perform_approved("docker.restart", quickly("web"), *approved).stale;
  };
  SUBCASE("of the same name") {
    docker("rm -f web");
    docker("run -d --network none --name web obs:base sleep 1000");
    CHECK(is_stale());
  }
  SUBCASE("that took its name") {
    docker("rename web old");
    docker("run -d --network none --name web obs:base sleep 1000");
    CHECK(is_stale());
  }
  SUBCASE("with another limit") {
    docker("update -m 64m --memory-swap 64m web");
    CHECK(is_stale());
  }
  SUBCASE("with another restart policy") {
    docker("update --restart always web");
    CHECK(is_stale());
  }
  SUBCASE("on another network") {
    docker("network create --internal back");
    docker("network disconnect none web");
    docker("network connect back web");
    CHECK(is_stale());
  }
  SUBCASE("stopped") {
    docker("stop -t 0 web");
    CHECK_FALSE(perform_approved("docker.restart", quickly("web"), *approved).seen);
  }
  SUBCASE("but not when it was only restarted") {
    docker("restart -t 0 web");
    CHECK_FALSE(is_stale());
  }
}

TEST_CASE_FIXTURE(DockerRig, "renamed between the assessment and the act: the id counts") {
  docker("run -d --network none --name web obs:base sleep 1000");
  const auto seen = assess("docker.stop", quickly("web"));
  REQUIRE(seen);
  docker("rename web old");
  docker("run -d --network none --name web obs:base sleep 1000");
  agent::executor::Run run(clock(), clock().steady_now() + 20s, 1000);
  CHECK(action("docker.stop").execute(quickly("web"), *seen, run));
  CHECK(inspect("web", kStatus) == "running");
  CHECK(inspect("old", kStatus) == "exited");
}

TEST_CASE_FIXTURE(DockerRig, "names that could mean two containers are refused") {
  docker("run -d --network none --name web obs:base sleep 1000");
  const auto id = inspect("web", "{{.Id}}");
  // A container whose name is the short id of the other.
  docker("run -d --network none --name " + id.substr(0, 12) + " obs:base sleep 1000");
  const auto code = [&](const std::string& name) {
    const auto seen = assess("docker.restart", container(name));
    return seen ? agent::executor::Assessment(*seen).state
                : std::string(to_string(seen.error().code()));
  };
  CHECK(code(id.substr(0, 12)) == "invalid");
  CHECK(code(id.substr(0, 11)) == "invalid");
  CHECK(code("/web") == "invalid");
  CHECK(code("web/../../images") == "invalid");
  CHECK(code("..") == "invalid");
  CHECK(code("nobody") == "not_found");
  CHECK(code(id).find("id=" + id) != std::string::npos);
  CHECK(code(id.substr(0, 13)).find("id=" + id) != std::string::npos);
}

TEST_CASE_FIXTURE(DockerRig, "a container that does not come back well is no success") {
  SUBCASE("it ends at once") {
    docker(
        "run -d --network none --name web -v flag:/flag obs:base "
        "sh -c 'test -e /flag/bad && exit 3; sleep 1000'");
    docker("exec web dd if=/dev/null of=/flag/bad");
    const auto outcome = perform("docker.restart", quickly("web"));
    CHECK(outcome.executed);
    REQUIRE_FALSE(outcome.verified);
    CHECK(outcome.verified.error().message().find("exit code 3") != std::string::npos);
  }
  SUBCASE("it ends at once and is started again and again") {
    docker(
        "run -d --network none --name web --restart always -v flag:/flag obs:base "
        "sh -c 'test -e /flag/bad && sleep 0.5 && exit 3; sleep 1000'");
    docker("exec web dd if=/dev/null of=/flag/bad");
    const auto outcome = perform("docker.restart", quickly("web"));
    CHECK(outcome.executed);
    CHECK_FALSE(outcome.verified);
  }
  SUBCASE("its health check fails; started, it is stopped again") {
    docker(
        "create --network none --name web --health-cmd false --health-interval 1s "
        "--health-retries 1 --stop-signal KILL obs:base sleep 1000");
    const auto outcome = perform("docker.start", container("web"), true);
    REQUIRE_FALSE(outcome.verified);
    CHECK(outcome.verified.error().message().find("health") != std::string::npos);
    CHECK(outcome.undone);
    CHECK(inspect("web", kStatus) == "exited");
  }
  SUBCASE("its health check passes after a while: it is waited for") {
    docker(
        "create --network none --name web --health-cmd true --health-interval 3s obs:base "
        "sleep 1000");
    const auto outcome = perform("docker.start", container("web"));
    CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
    CHECK(inspect("web", "{{.State.Health.Status}}") == "healthy");
  }
  SUBCASE("nobody knows in time") {
    docker(
        "create --network none --name web --health-cmd true --health-interval 60s obs:base "
        "sleep 1000");
    const auto outcome = perform("docker.start", container("web"), false, 4s);
    REQUIRE_FALSE(outcome.verified);
    CHECK(outcome.verified.error().code() == Errc::kTimeout);
  }
}
