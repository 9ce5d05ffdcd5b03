// docker.rollback_image against a real daemon.
#include <doctest/doctest.h>

#include "tests/integration/executor_docker/docker_rig.h"

using namespace observeai;
using namespace observeai::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* kAction = "docker.rollback_image";

wire::Parameters to(const std::string& image) {
  return {{"container", "web"}, {"image", image}};
}

struct Fixture : DockerRig {
  Fixture() {
    static const bool made = [this] {
      make_image("shop:1",
                 {"ENV RELEASE=1", "ENV PLAIN=image", "LABEL release=1", "LABEL vendor=acme",
                  "CMD [\"sleep\", \"1001\"]", "WORKDIR /tmp", "EXPOSE 80", "VOLUME /spare"});
      make_image("shop:2", {"ENV RELEASE=2", "ENV ADDED=yes", "ENV PLAIN=image", "LABEL release=2",
                            "LABEL vendor=acme", "CMD [\"sleep\", \"1002\"]", "WORKDIR /bin",
                            "EXPOSE 81", "STOPSIGNAL KILL"});
      make_image("shop:broken", {"CMD [\"/no/such/program\"]", "STOPSIGNAL KILL"});
      make_image("shop:ends", {"CMD [\"sh\", \"-c\", \"exit 4\"]", "STOPSIGNAL KILL"});
      make_image("shop:sick", {"CMD [\"sleep\", \"1003\"]", "STOPSIGNAL KILL",
                               "HEALTHCHECK --interval=1s --retries=1 CMD false"});
      return true;
    }();
    REQUIRE(made);
  }
  // Everything that a container can be told, on two networks.
  void run_web() const {
    docker("network create --internal --subnet 10.93.1.0/24 front");
    docker("network create --internal --subnet 10.93.2.0/24 back");
    docker("volume create named");
    docker(
        "create --name web --network front --ip 10.93.1.9 --network-alias www "
        "--restart unless-stopped -v named:/named -v /anonymous -v /proc/version:/host/version:ro "
        "--mount type=volume,target=/mounted -e USER_GIVEN=secret -e RELEASE=pinned "
        "--label com.docker.compose.project=shop --label com.docker.compose.service=web "
        "-m 32m --memory-swap 48m --cpus 0.5 --pids-limit 50 --cap-drop NET_RAW "
        "--ulimit nofile=100:200 --add-host x:10.0.0.1 --dns 10.0.0.2 --log-opt max-size=1m "
        "--read-only --tmpfs /scratch --user 0:0 --stop-timeout 1 -p 127.0.0.1::80 "
        "--security-opt no-new-privileges --sysctl net.ipv4.ip_unprivileged_port_start=0 "
        "shop:2");
    docker("network connect --ip 10.93.2.9 --alias db back web");
    docker("start web");
    docker("exec web sh -c 'echo kept >/named/a; echo kept >/anonymous/a; echo kept >/mounted/a'");
  }
  std::string files() const { return docker("exec web cat /named/a /anonymous/a /mounted/a"); }
  std::string image_;
  std::string containers() const { return docker("ps -a --format {{.Names}}"); }
};

constexpr const char* kAll =
    "{{json .HostConfig.Binds}} {{.HostConfig.NetworkMode}} {{json .HostConfig.RestartPolicy}} "
    "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} "
    "{{.HostConfig.PidsLimit}} {{json .HostConfig.CapDrop}} {{json .HostConfig.Ulimits}} "
    "{{json .HostConfig.ExtraHosts}} {{json .HostConfig.Dns}} {{json .HostConfig.LogConfig}} "
    "{{json .HostConfig.PortBindings}} {{json .HostConfig.SecurityOpt}} {{json "
    ".HostConfig.Sysctls}} "
    "{{.HostConfig.ReadonlyRootfs}} {{json .HostConfig.Tmpfs}} {{.Config.User}} "
    "{{.Config.StopTimeout}} {{.Name}} "
    "{{with index .NetworkSettings.Networks \"front\"}}{{.IPAddress}} {{index .Aliases 0}}{{end}} "
    "{{with index .NetworkSettings.Networks \"back\"}}{{.IPAddress}} {{index .Aliases 0}}{{end}} "
    "{{index .Config.Labels \"com.docker.compose.project\"}}";
constexpr const char* kVolumes =
    "{{range .Mounts}}{{if ne .Destination \"/spare\"}}{{.Destination}} {{.Name}} "
    "{{.RW}}\n{{end}}{{end}}";

std::string sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::string line;
  for (const char c : text + "\n") {
    if (c != '\n') {
      line.push_back(c);
    } else {
      lines.push_back(std::exchange(line, ""));
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string out;
  for (const auto& one : lines) out += one + "\n";
  return out;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "the same container from the earlier image: volumes, networks, settings") {
  run_web();
  const auto before = inspect("web", kAll);
  const auto volumes = sorted_lines(inspect("web", kVolumes));
  const auto old_id = inspect("web", "{{.Id}}");
  const auto image_1 = inspect("shop:1", "{{.Id}}");
  const auto image_2 = inspect("shop:2", "{{.Id}}");

  const auto outcome = perform(kAction, to("shop:1"));
  REQUIRE_MESSAGE(outcome.as_simulated(), outcome.why());
  CHECK(inspect("web", kAll) == before);
  CHECK(sorted_lines(inspect("web", kVolumes)) == volumes);
  CHECK(files() == "kept\nkept\nkept");
  CHECK(inspect("web", "{{.Image}}") == image_1);
  CHECK(inspect("web", "{{.Id}}") != old_id);
  CHECK(inspect("web", "{{.Config.Hostname}}") == inspect("web", "{{.Id}}").substr(0, 12));
  CHECK(docker("exec web sh -c 'echo $USER_GIVEN $RELEASE $PLAIN -$ADDED- $PWD'") ==
        "secret pinned image -- /tmp");
  CHECK(inspect("web", "{{json .Config.Cmd}}") == R"(["sleep","1001"])");
  CHECK(inspect("web", "{{.Config.Labels.release}}") == "1");
  CHECK(inspect("web", "{{.State.Status}}") == "running");
  const auto kept = "web.kept-" + old_id.substr(0, 12);
  CHECK(containers() == "web\n" + kept);
  CHECK(inspect(old_id, "{{.Name}} {{.State.Status}} {{.HostConfig.RestartPolicy.Name}}") ==
        "/" + kept + " exited no");
  CHECK(inspect("web", "{{index .Config.Labels \"observeai.made_by\"}}") == command());

  // Told in words, and nothing of the environment's values.
  const auto text = text_of(outcome.seen->diff);
  CHECK(text == "  Image of web: " + image_2 + " -> " + image_1 +
                    "\n"
                    "  Config.Cmd of web: [\"sleep\",\"1002\"] -> [\"sleep\",\"1001\"]\n"
                    "  Config.ExposedPorts of web: {\"80/tcp\":{},\"81/tcp\":{}} -> "
                    "{\"80/tcp\":{}}\n"
                    "  Config.Image of web: shop:2 -> shop:1\n"
                    "  Config.StopSignal of web: KILL -> not set\n"
                    "  Config.Volumes of web: {\"/anonymous\":{}} -> "
                    "{\"/anonymous\":{},\"/spare\":{}}\n"
                    "  Config.WorkingDir of web: /bin -> /tmp\n"
                    "  environment ADDED of web: set -> not set\n"
                    "  label observeai.made_by of web: not set -> this command\n"
                    "  label observeai.replaces of web: not set -> " +
                    old_id +
                    "\n"
                    "  label release of web: 2 -> 1\n"
                    "  mount /spare of web: not set -> volume (new)\n"
                    "  container of web until now: up -> kept, stopped, as " +
                    kept + "\n");
  CHECK(fact(*outcome.seen, "image_local") == "true");
  CHECK(fact(*outcome.seen, "has_volumes") == "true");
  CHECK(outcome.seen->downtime_ms == 3'000);

  // And forward again: the way is the same. What was kept goes, as the diff says.
  const auto second_id = inspect("web", "{{.Id}}");
  const auto forward = perform(kAction, to("shop:2"));
  REQUIRE_MESSAGE(forward.as_simulated(), forward.why());
  CHECK(forward.seen->diff.back() == wire::Change{"container " + kept, "kept, stopped", "removed"});
  CHECK(containers() == "web\nweb.kept-" + second_id.substr(0, 12));
  CHECK(docker_fails("inspect " + old_id));
  CHECK(files() == "kept\nkept\nkept");
  CHECK(inspect("web", kAll) == before);
  CHECK(docker("exec web sh -c 'echo $RELEASE $ADDED'") == "pinned yes");
}

TEST_CASE_FIXTURE(Fixture,
                  "a command, entrypoint and variable of the image follow it, the user's stay") {
  make_image("entry:1", {"ENTRYPOINT [\"sh\", \"-c\"]", "CMD [\"sleep 1001\"]", "ENV A=1",
                         "ENV PATH=/bin", "STOPSIGNAL KILL"});
  make_image("entry:2", {"ENTRYPOINT [\"sh\", \"-e\", \"-c\"]", "CMD [\"sleep 1002\"]", "ENV A=2",
                         "ENV PATH=/bin", "STOPSIGNAL KILL"});
  struct Example {
    std::string options;
    std::string command;
    std::string after;
  };
  const Example examples[] = {
      {"", "", R"(["sh","-c"] ["sleep 1001"] ["PATH=/bin","A=1"])"},
      {"", "\"sleep 1003\"", R"(["sh","-c"] ["sleep 1003"] ["PATH=/bin","A=1"])"},
      {"--entrypoint sleep", "1003", R"(["sleep"] ["1003"] ["PATH=/bin","A=1"])"},
      {"--entrypoint \"\"", "sleep 1003", R"(null ["sleep","1003"] ["PATH=/bin","A=1"])"},
      // One each: docker gives several in any order.
      {"-e A=3", "", R"(["sh","-c"] ["sleep 1001"] ["A=3","PATH=/bin"])"},
      {"-e B=4", "", R"(["sh","-c"] ["sleep 1001"] ["B=4","PATH=/bin","A=1"])"},
      {"--hostname web.example", "", R"(["sh","-c"] ["sleep 1001"] ["PATH=/bin","A=1"])"},
      {"--no-healthcheck", "", R"(["sh","-c"] ["sleep 1001"] ["PATH=/bin","A=1"])"},
  };
  for (const auto& example : examples) {
    CAPTURE(example.options);
    CAPTURE(example.command);
    // The first one runs; what a configuration becomes can be seen without that.
    docker((&example == examples ? "run -d" : "create") +
           std::string(" --name web --network none ") + example.options + " entry:2 " +
           example.command);
    const auto host = inspect("web", "{{.Config.Hostname}}");
    const auto outcome = perform(kAction, to("entry:1"));
    CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
    CHECK(inspect("web", "{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{json .Config.Env}}") ==
          example.after);
    if (host == "web.example") CHECK(inspect("web", "{{.Config.Hostname}}") == host);
    docker("rm -fv web");
  }
}

TEST_CASE_FIXTURE(Fixture, "networks: none, host, and one that was left for another") {
  const auto networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
  for (const std::string how : {"none", "host", "left", "named by id"}) {
    CAPTURE(how);
    if (how == "none" || how == "host") {
      docker("run -d --name web --network " + how + " shop:2");
    } else if (how == "left") {
      docker("network create --internal left");
      docker("run -d --name web --network none shop:2");
      docker("network disconnect none web");
      docker("network connect left web");
    } else {
      const auto id = docker("network create --internal byid");
      docker("run -d --name web --network " + id + " shop:2");
    }
    const auto before = inspect("web", networks);
    const auto outcome = perform(kAction, to("shop:1"));
    CHECK_MESSAGE(outcome.as_simulated(), outcome.why());
    CHECK(inspect("web", networks) == before);
    docker("rm -fv web");
  }
}

TEST_CASE_FIXTURE(Fixture, "what a rollback needs, and which names of images are understood") {
  docker("run -d --name web --network none shop:2");
  const auto why = [&](const std::string& image) {
    const auto seen = assess(kAction, to(image));
    return seen ? std::string("fine") : seen.error().message();
  };
  const auto id = inspect("shop:1", "{{.Id}}");
  CHECK(why("shop:1") == "fine");
  CHECK(why(id) == "fine");
  CHECK(why("docker.io/library/shop:1") == "fine");
  CHECK(why(id.substr(0, 20)).find("in full") != std::string::npos);
  CHECK(why(id.substr(7, 12)).find("in full") != std::string::npos);
  CHECK(why("shop:9").find("not on this host") != std::string::npos);
  CHECK(why("shop").find("not on this host") != std::string::npos);
  CHECK(why("shop:2").find("already") != std::string::npos);
  CHECK_FALSE(assess(kAction, to("../containers")));
  CHECK_FALSE(assess(kAction, to("shop:1/json?x=")));
  docker("run -d --name sidecar --network container:web obs:base sleep 1000");
  CHECK(why("shop:1").find("lends") != std::string::npos);
  docker("rm -f sidecar");
  docker("pause web");
  CHECK(why("shop:1").find("paused") != std::string::npos);
  docker("rm -f web");
  docker("run -d --name web --rm --network none shop:2");
  CHECK(why("shop:1").find("--rm") != std::string::npos);
  docker("rm -f web");
  docker("run -d --name web --label com.docker.swarm.task.id=x --network none shop:2");
  CHECK(why("shop:1").find("orchestrator") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "an image that does not work: the old container is back as it was") {
  run_web();
  const auto old_id = inspect("web", "{{.Id}}");
  const auto before = inspect("web", kAll);
  const auto check_back = [&](const Outcome& outcome) {
    CHECK(inspect("web", "{{.Id}}") == old_id);
    CHECK(inspect("web", kAll) == before);
    CHECK(inspect("web", "{{.State.Status}}") == "running");
    CHECK(files() == "kept\nkept\nkept");
    CHECK(containers() == "web");
    CHECK(assess(kAction, to(image_))->state == outcome.seen->state);
  };
  SUBCASE("it cannot be started: back at once, asked for or not") {
    image_ = "shop:broken";
    const auto outcome = perform(kAction, to(image_));
    REQUIRE_FALSE(outcome.executed);
    CHECK(outcome.executed.error().message().find("the old container is back") !=
          std::string::npos);
    check_back(outcome);
  }
  SUBCASE("it ends at once") {
    image_ = "shop:ends";
    const auto outcome = perform(kAction, to(image_), true);
    CHECK(outcome.executed);
    CHECK_FALSE(outcome.verified);
    REQUIRE_MESSAGE(outcome.undone, outcome.undone.error().message());
    check_back(outcome);
  }
  SUBCASE("its health check fails") {
    image_ = "shop:sick";
    const auto outcome = perform(kAction, to(image_), true);
    CHECK(outcome.executed);
    CHECK_FALSE(outcome.verified);
    REQUIRE_MESSAGE(outcome.undone, outcome.undone.error().message());
    check_back(outcome);
  }
  SUBCASE("its health check fails and nobody asked for the way back: the old one is kept aside") {
    image_ = "shop:sick";
    const auto outcome = perform(kAction, to(image_));
    CHECK_FALSE(outcome.verified);
    CHECK(containers() == "web\nweb.kept-" + old_id.substr(0, 12));
    CHECK(inspect(old_id, "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}") == "exited no");
    CHECK(undo(kAction, to(image_), *outcome.seen));
    check_back(outcome);
  }
}

TEST_CASE_FIXTURE(Fixture, "an approval is void when the image's name stands for another one") {
  docker("tag shop:1 moving:1");
  docker("run -d --name web --network none shop:2");
  const auto approved = assess(kAction, to("moving:1"));
  REQUIRE(approved);
  CHECK_FALSE(assess(kAction, to("shop:1"))->diff == approved->diff);  // Config.Image
  docker("tag shop:sick moving:1");
  CHECK(perform_approved(kAction, to("moving:1"), *approved).stale);
  auto run = begin();
  CHECK_FALSE(action(kAction).execute(to("moving:1"), *approved, run));
  CHECK(containers() == "web");
  docker("rmi moving:1");
}
