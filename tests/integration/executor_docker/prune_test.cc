// docker.prune against a real daemon.
#include <doctest/doctest.h>

#include "tests/integration/executor_docker/docker_rig.h"

using namespace observeai;
using namespace observeai::test;

namespace {

const wire::Parameters kAll = {{"build_cache", false}, {"older_than_h", std::int64_t{0}}};

struct Fixture : DockerRig {
  // An image of its own layers, and then without its name: "dangling".
  std::string dangling(const std::string& mark) const {
    make_image("rubbish", {"LABEL first=" + mark, "LABEL second=" + mark});
    const auto id = inspect("rubbish", "{{.Id}}");
    docker("tag rubbish keep:" + mark);
    docker("rmi rubbish");
    // Made anew under another name, so that the first one loses its last.
    docker("tag obs:base keep:" + mark);
    return id;
  }
  std::string images() const { return docker("images -qa --no-trunc"); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "dangling images with their nameless parents, exactly as listed") {
  const auto id = dangling("one");
  const auto parent = inspect(id, "{{.Parent}}");
  const auto used = dangling("two");
  docker("create --network none --name web " + used + " true");
  make_image("named", {"LABEL third=3"});
  docker("volume create precious");
  const auto before = images();
  REQUIRE(before.find(id) != std::string::npos);
  REQUIRE(before.find(parent) != std::string::npos);

  const auto outcome = perform("docker.prune", kAll);
  CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(outcome.seen->diff.size() == 2);
  CHECK(outcome.seen->diff[0].what == "image " + id);
  CHECK(outcome.seen->diff[1].what == "image " + parent);
  CHECK(outcome.seen->diff[0].after == "removed");
  const auto after = images();
  CHECK(after.find(id) == std::string::npos);
  CHECK(after.find(parent) == std::string::npos);
  CHECK(after.find(used) != std::string::npos);
  CHECK(docker("images -q named").size() == 12);
  CHECK(docker("volume ls -q") == "precious");
  CHECK_FALSE(assess("docker.prune", kAll));  // Nothing more
  docker("rm web");
  CHECK(perform("docker.prune", kAll).as_simulated());
}

TEST_CASE_FIXTURE(Fixture, "what is young stays, and a longer list voids the approval") {
  const auto id = dangling("three");
  CHECK_FALSE(assess("docker.prune", {}));  // A day old at least
  const auto approved = assess("docker.prune", kAll);
  REQUIRE(approved);
  SUBCASE("another one") {
    dangling("four");
    CHECK(perform_approved("docker.prune", kAll, *approved).stale);
  }
  SUBCASE("used by now") {
    docker("create --network none --name web " + id + " true");
    const auto outcome = perform_approved("docker.prune", kAll, *approved);
    CHECK((outcome.stale || !outcome.seen));
    // Even when nobody looked again.
    agent::executor::Run run(clock(), clock().steady_now() + std::chrono::seconds(20), 1000);
    CHECK_FALSE(action("docker.prune").execute(kAll, *approved, run));
    CHECK(images().find(id) != std::string::npos);
    docker("rm web");
  }
  CHECK(perform("docker.prune", kAll).as_simulated());
}

TEST_CASE_FIXTURE(Fixture, "build cache of a real build, record by record as listed") {
  wire::Parameters with_cache = kAll;
  with_cache["build_cache"] = true;
  const auto records = [&] { return docker("system df -v --format '{{len .BuildCache}}'"); };
  make_build_cache("one");
  REQUIRE(records() == "4");

  // What an image still stands upon is shared with it and stays.
  const auto first = perform("docker.prune", with_cache);
  REQUIRE_MESSAGE(first.as_simulated(), first.why());
  CHECK(first.seen->diff.size() == 2);  // The context and what was made ready for it
  CHECK(first.seen->diff[0].what.substr(0, 12) == "build cache ");
  CHECK(records() == "2");
  CHECK(docker("images -q built:one").size() == 12);

  docker("rmi built:one");
  CHECK_FALSE(assess("docker.prune", kAll));  // Not asked for
  const auto approved = assess("docker.prune", with_cache);
  REQUIRE(approved);
  CHECK(approved->diff.size() == 2);
  make_build_cache("two");  // Two more that nobody approved
  CHECK(perform_approved("docker.prune", with_cache, *approved).stale);
  const auto rest = perform("docker.prune", with_cache);
  REQUIRE_MESSAGE(rest.as_simulated(), rest.why());
  CHECK(rest.seen->diff.size() == 4);
  CHECK(records() == "2");  // Of built:two
  docker("rmi built:two");
  CHECK(perform("docker.prune", with_cache).as_simulated());
  CHECK(records() == "0");
}
