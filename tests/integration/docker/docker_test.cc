// Discovery against a real Docker daemon that this test starts and stops.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "agent/discovery/docker_loop.h"
#include "agent/discovery/listening_ports.h"
#include "agent/discovery/proc_scanner.h"
#include "agent/runtime/co.h"
#include "protocol/base/clock.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

std::string same(std::string_view text) {
  return std::string(text);
}

bool run(const std::string& command) {
  return std::system(command.c_str()) == 0;
}

struct SeenEvent {
  std::string text;
  std::int64_t ts_ms = 0;
  std::int64_t arrived_ms = 0;
};

struct RecordingSink final : DiscoverySink {
  SystemClock clock;
  std::map<std::string, ObservedContainer> containers;  // By name
  std::map<std::string, ObservedContainer> last_seen;   // Also those that are gone
  std::map<std::string, std::string> names;
  std::vector<SeenEvent> events;
  std::string status;

  void containers_changed(wire::SectionUpdate<ObservedContainer> update) override {
    if (update.full) containers.clear();
    for (auto& item : update.upserts) {
      names[item.facts.id] = item.facts.name;
      last_seen[item.facts.name] = item;
      containers[item.facts.name] = std::move(item);
    }
    for (const auto& id : update.removed) containers.erase(names[id]);
  }
  void event(wire::Event item) override {
    SeenEvent seen{item.kind, item.ts_ms, clock.unix_ms()};
    for (const auto& attribute : item.attributes) {
      if (attribute.name == "name" || attribute.name == "exit_code")
        seen.text += " " + attribute.value;
      if (attribute.name == "signal") seen.text += " signal " + attribute.value;
      if (attribute.name == "oom" && attribute.value == "true") seen.text += " oom";
    }
    std::printf("  %s, %lld ms after it happened\n", seen.text.c_str(),
                static_cast<long long>(seen.arrived_ms - seen.ts_ms));
    events.push_back(std::move(seen));
  }
  void docker_status(std::string text) override {
    std::printf("  docker is %s\n", text.c_str());
    status = std::move(text);
  }
  const SeenEvent* find(const std::string& text) const {
    for (const auto& event : events) {
      if (event.text == text) return &event;
    }
    return nullptr;
  }
  std::size_t count(const std::string& text) const {
    return static_cast<std::size_t>(std::count_if(
        events.begin(), events.end(), [&](const auto& event) { return event.text == text; }));
  }
};

// The daemon, kept for all cases: starting it takes seconds.
struct Daemon {
  test::TempDir dir;
  bool running = false;

  Daemon() {
    running =
        script("start") && run(std::string(OBSERVEAI_DOCKERD_SH) + " image " + dir.path() + " obs");
  }
  ~Daemon() { script("stop"); }
  bool script(const std::string& verb) const {
    return run(std::string(OBSERVEAI_DOCKERD_SH) + " " + verb + " " + dir.path());
  }
  bool docker(const std::string& arguments) const {
    return run("docker -H unix://" + (dir / "docker.sock") + " " + arguments + " >" +
               (dir / "out"));
  }
  void remove_all() const {
    const std::string client = "docker -H unix://" + (dir / "docker.sock");
    run(client + " ps -aq | xargs -r " + client + " rm -f >/dev/null");
  }
};

struct Fixture {
  static Daemon& daemon() {
    static Daemon one;
    return one;
  }
  Loop loop;
  SystemAsyncClock clock;
  DockerClient client{loop, clock, {daemon().dir / "docker.sock"}, same};
  RecordingSink sink;
  DockerWatcher watcher{loop, clock, client, sink};

  Fixture() {
    if (::getuid() != 0 || !run("command -v dockerd >/dev/null") ||
        !run("command -v docker >/dev/null") || !run("command -v busybox >/dev/null")) {
      std::printf("skipped: needs root, dockerd, docker and busybox\n");
      std::exit(77);
    }
    REQUIRE(daemon().running);
    spawn(loop, "docker", watcher.run());
    REQUIRE(until([&] { return !sink.status.empty() && sink.status != "missing"; }));
  }
  ~Fixture() { daemon().remove_all(); }
  bool until(const std::function<bool()>& done, std::chrono::milliseconds limit = 15s) {
    return loop.run_until(done, limit);
  }
};

constexpr const char* kRun = "run --network none ";

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a container from start to exit, in time and with all it is") {
  REQUIRE(daemon().docker(
      std::string(kRun) +
      "-d --name web-1 -m 32m --cpus 0.5 --pids-limit 20 --label a=b "
      "--label com.docker.compose.project=shop --label com.docker.compose.service=web "
      "obs sh -c 'nc -l -p 8080 & sleep 100'"));
  REQUIRE(until([&] { return sink.find("container.start web-1") != nullptr; }));
  const auto& seen = sink.containers["web-1"];
  CHECK(seen.facts.service == "web");
  CHECK(seen.facts.project == "shop");
  CHECK(seen.facts.state == "running");
  CHECK(seen.facts.pid > 1);
  CHECK(seen.facts.memory_limit_bytes == 32U << 20);
  CHECK(seen.facts.cpu_limit_cores == 0.5);
  CHECK(seen.facts.pids_limit == 20);
  CHECK(seen.facts.log_driver == "json-file");
  CHECK(files::exists(seen.log_path));
  const auto* start = sink.find("container.start web-1");
  CHECK(start->arrived_ms - start->ts_ms < 300);

  // The same container found from below: by cgroup, and its port in its own network namespace.
  ProcScanner scanner(Paths(), same);
  // Scans follow each other much faster here than in the agent, where each time fills the allowance
  // for reading the tables of other namespaces.
  PortScanner ports(Paths{});
  auto now = SystemClock().steady_now();
  const auto has_port = [&] {
    now += 10s;
    const auto scan = ports.scan(scanner.scan().processes, now);
    for (const auto& port : scan.ports) {
      // Its owner may be found one scan later.
      if (port.port == 8080 && port.container_id == seen.facts.id && !port.process.empty()) {
        CHECK(port.key.substr(port.key.find('@')) == "@" + seen.facts.id);
        CHECK(port.process == "nc");
        return true;
      }
    }
    return false;
  };
  REQUIRE(until(has_port));
  const auto scan = scanner.scan();
  const auto main_process =
      std::find_if(scan.processes.begin(), scan.processes.end(),
                   [&](const auto& process) { return process.pid == seen.facts.pid; });
  REQUIRE(main_process != scan.processes.end());
  CHECK(main_process->container_id == seen.facts.id);

  REQUIRE(daemon().docker("kill web-1"));
  REQUIRE(until([&] { return sink.find("container.exit 137 web-1 signal 9") != nullptr; }));
  const auto* exit = sink.find("container.exit 137 web-1 signal 9");
  CHECK(exit->arrived_ms - exit->ts_ms < 1'000);
  CHECK(sink.containers["web-1"].facts.state == "exited");
  REQUIRE(daemon().docker("rm web-1"));
  REQUIRE(until([&] { return !sink.containers.contains("web-1"); }));
}

TEST_CASE_FIXTURE(Fixture, "a container that lives for a moment and removes itself") {
  CHECK_FALSE(
      daemon().docker(std::string(kRun) + "--rm --name flash obs sh -c 'exit 5'"));  // Its code
  REQUIRE(until([&] { return sink.find("container.exit 5 flash") != nullptr; }));
  CHECK(sink.find("container.start flash") != nullptr);
  REQUIRE(until([&] { return !sink.containers.contains("flash"); }));
  CHECK(sink.last_seen["flash"].facts.image == "obs");
}

TEST_CASE_FIXTURE(Fixture, "a container that is killed for its memory") {
  REQUIRE_FALSE(daemon().docker(
      std::string(kRun) + "--name greedy -m 16m obs sh -c 'x=a; while true; do x=$x$x; done'"));
  REQUIRE(until([&] { return sink.find("container.exit 137 greedy oom signal 9") != nullptr; }));
  CHECK(sink.find("container.oom greedy") != nullptr);
  CHECK(sink.containers["greedy"].facts.oom_killed);
  CHECK(sink.containers["greedy"].facts.exit_code == 137);
}

TEST_CASE_FIXTURE(Fixture, "a restart policy shows as restarts") {
  REQUIRE(daemon().docker(std::string(kRun) + "-d --name loop --restart on-failure:3 obs false"));
  REQUIRE(until([&] { return sink.count("container.exit 1 loop") >= 4; }));
  CHECK(sink.count("container.start loop") == 4);
  CHECK(sink.count("container.exit 1 loop") == 4);
  REQUIRE(until([&] { return sink.containers["loop"].facts.restart_count == 3; }));
  CHECK(sink.find("container.restart loop") != nullptr);
}

TEST_CASE_FIXTURE(Fixture, "rename, pause and update are seen") {
  REQUIRE(daemon().docker(std::string(kRun) + "-d --name before obs sleep 100"));
  REQUIRE(until([&] { return sink.containers.contains("before"); }));
  REQUIRE(daemon().docker("rename before after"));
  REQUIRE(daemon().docker("update --cpus 0.25 after"));
  REQUIRE(until([&] { return sink.containers["after"].facts.cpu_limit_cores == 0.25; }));
  REQUIRE(daemon().docker("pause after"));
  REQUIRE(until([&] { return sink.containers["after"].facts.state == "paused"; }));
  REQUIRE(daemon().docker("unpause after"));
  REQUIRE(until([&] { return sink.containers["after"].facts.state == "running"; }));
  CHECK(sink.count("container.start after") + sink.count("container.start before") == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "a restart of the daemon is survived and what it did to the containers is told") {
  REQUIRE(daemon().docker(std::string(kRun) + "-d --name first obs sleep 100"));
  REQUIRE(daemon().docker(std::string(kRun) + "-d --name second --restart always obs sleep 100"));
  REQUIRE(until([&] {
    return sink.count("container.start first") + sink.count("container.start second") == 2;
  }));
  REQUIRE(daemon().script("stop"));
  REQUIRE(until([&] { return sink.status == "missing" || sink.status == "stopped"; }));
  CHECK(sink.count("docker.unavailable") == 1);
  CHECK(sink.containers.size() == 2);
  REQUIRE(daemon().script("start"));
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(until([&] { return sink.count("docker.recovered") == 1; }));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("  in sync %.2f s after the daemon answered\n", took.count());
  CHECK(took.count() < 3.0);
  REQUIRE(until([&] {
    return sink.containers["second"].facts.state == "running" &&
           sink.count("container.start second") == 2;
  }));
  CHECK(sink.containers["first"].facts.state == "exited");
  const auto exits_of_first =
      std::count_if(sink.events.begin(), sink.events.end(), [](const auto& event) {
        return event.text.substr(0, 14) == "container.exit" &&
               event.text.find(" first") != std::string::npos;
      });
  CHECK(exits_of_first == 1);
}

TEST_CASE_FIXTURE(Fixture, "a daemon that is killed leaves its socket: stopped, not missing") {
  REQUIRE(daemon().script("kill"));
  REQUIRE(until([&] { return sink.status == "stopped"; }));
  CHECK(sink.count("docker.unavailable") == 1);
  REQUIRE(daemon().script("start"));
  REQUIRE(until([&] { return sink.count("docker.recovered") == 1; }));
  REQUIRE(daemon().docker(std::string(kRun) + "-d --name later obs sleep 100"));
  REQUIRE(until([&] { return sink.count("container.start later") == 1; }));
}
