#include "agent/discovery/docker_loop.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "protocol/base/text.h"
#include "tests/support/fake_docker.h"
#include "tests/support/temp_dir.h"

// Sanitizers keep freed memory: its measure means nothing then.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OBSERVEAI_TEST_SANITIZED 1
#elif defined(__has_feature)
#define OBSERVEAI_TEST_SANITIZED \
  (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define OBSERVEAI_TEST_SANITIZED 0
#endif

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
using test::fake_id;

namespace {

constexpr std::int64_t kNow = 1'795'248'010'000'000'000;

std::string same(std::string_view text) {
  return std::string(text);
}

struct RecordingSink final : DiscoverySink {
  std::map<std::string, ObservedContainer> containers;
  std::vector<std::string> events;
  std::vector<std::string> statuses;
  std::size_t updates = 0;
  std::size_t full_updates = 0;
  std::set<std::string> ever;

  void containers_changed(wire::SectionUpdate<ObservedContainer> update) override {
    ++updates;
    full_updates += update.full ? 1 : 0;
    if (update.full) containers.clear();
    for (auto& item : update.upserts) {
      ever.insert(item.facts.name);
      containers[item.facts.id] = std::move(item);
    }
    for (const auto& id : update.removed) containers.erase(id);
  }
  void event(wire::Event item) override {
    std::string text = item.kind;
    for (const auto& attribute : item.attributes) {
      if (attribute.name == "name" || attribute.name == "reason" || attribute.name == "exit_code") {
        text += " " + attribute.value;
      }
    }
    events.push_back(text);
  }
  void docker_status(std::string status) override { statuses.push_back(std::move(status)); }
  std::size_t count(const std::string& text) const {
    return static_cast<std::size_t>(std::count(events.begin(), events.end(), text));
  }
};

struct Fixture {
  test::TempDir dir;
  Loop loop;
  ManualAsyncClock clock{loop};
  DockerClient client{loop, clock, {dir / "docker.sock"}, same};
  RecordingSink sink;
  DockerWatcher watcher{loop, clock, client, sink};
  std::unique_ptr<test::FakeDocker> docker;

  void run_engine() { docker = std::make_unique<test::FakeDocker>(loop, dir / "docker.sock"); }
  void watch() {
    spawn(loop, "docker", watcher.run());
    loop.poll();
  }
  void add(std::uint64_t number, const std::string& name, const std::string& state = "running") {
    test::FakeContainer container;
    container.name = name;
    container.state = state;
    docker->containers[fake_id(number)] = container;
  }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what runs is found, with its version and its log file") {
  run_engine();
  add(1, "web");
  add(2, "old", "exited");
  watch();
  CHECK(sink.statuses == Words{"20.10.24"});
  CHECK(sink.events.empty());
  REQUIRE(sink.containers.size() == 2);
  CHECK(sink.containers[fake_id(1)].facts.pid == 4711);
  CHECK(sink.containers[fake_id(1)].log_path ==
        "/logs/containers/" + fake_id(1) + "/" + fake_id(1) + "-json.log");
  CHECK(sink.containers[fake_id(2)].facts.state == "exited");
  // First the stream, then the list: what starts between is not missed.
  REQUIRE(docker->requests.size() >= 3);
  CHECK(docker->requests[0] == "/version");
  CHECK(docker->requests[1].substr(0, 14) == "/v1.41/events?");
  CHECK(docker->requests[2] == "/v1.41/containers/json?all=1");
}

TEST_CASE_FIXTURE(Fixture, "start and exit arrive without time passing") {
  run_engine();
  watch();
  add(1, "web");
  docker->emit("create", fake_id(1), kNow);
  docker->emit("start", fake_id(1), kNow + 1);
  loop.poll();
  CHECK(sink.events == Words{"container.start web"});
  CHECK(sink.containers[fake_id(1)].facts.pid == 4711);
  docker->containers[fake_id(1)].state = "exited";
  docker->containers[fake_id(1)].exit_code = 3;
  docker->emit("die", fake_id(1), kNow + 9'000'000'000, R"("exitCode":"3")");
  loop.poll();
  CHECK(sink.events.back() == "container.exit 3 web");
  docker->containers.erase(fake_id(1));
  docker->emit("destroy", fake_id(1), kNow + 9'500'000'000);
  loop.poll();
  CHECK(sink.containers.empty());
}

TEST_CASE_FIXTURE(Fixture, "one that lives for a moment appears although it cannot be inspected") {
  run_engine();
  watch();
  add(1, "flash");
  docker->not_found.insert(fake_id(1));
  docker->emit("create", fake_id(1), kNow);
  docker->emit("start", fake_id(1), kNow + 1'000'000);
  docker->emit("die", fake_id(1), kNow + 50'000'000, R"("exitCode":"0")");
  docker->emit("destroy", fake_id(1), kNow + 60'000'000);
  loop.poll();
  CHECK(sink.events == Words{"container.start flash", "container.exit 0 flash"});
  CHECK(sink.ever == std::set<std::string>{"flash"});
  CHECK(sink.containers.empty());
}

TEST_CASE_FIXTURE(Fixture, "a host without an engine is no fault; one that appears is found") {
  watch();
  CHECK(sink.statuses == Words{"missing"});
  clock.advance(60s);
  CHECK(sink.statuses == Words{"missing"});
  CHECK(sink.events.empty());
  run_engine();
  add(1, "web");
  clock.advance(2s);
  CHECK(sink.statuses == Words{"missing", "20.10.24"});
  CHECK(sink.containers.size() == 1);
  CHECK(sink.events.empty());
}

TEST_CASE_FIXTURE(
    Fixture, "an engine that stops is reported once, its containers stay, its return is told") {
  run_engine();
  add(1, "web");
  watch();
  docker->refuse();
  clock.advance(5s);
  CHECK(sink.statuses == Words{"20.10.24", "stopped"});
  CHECK(sink.events == Words{"docker.unavailable stopped"});
  docker->stop();
  clock.advance(5s);
  CHECK(sink.statuses.back() == "missing");
  CHECK(sink.events.size() == 1);
  CHECK(sink.containers.size() == 1);
  docker->start();
  clock.advance(3s);  // The promise: in sync again within 3 s.
  CHECK(sink.statuses.back() == "20.10.24");
  CHECK(sink.events == Words{"docker.unavailable stopped", "docker.recovered"});
  CHECK(sink.full_updates == 2);
}

TEST_CASE_FIXTURE(Fixture, "what happened while the engine was away is made up for, once") {
  run_engine();
  add(1, "a");
  add(2, "b");
  watch();
  docker->emit("pause", fake_id(1), kNow);
  loop.poll();
  docker->refuse();
  docker->containers[fake_id(1)].state = "exited";
  docker->containers[fake_id(1)].finished = "2026-11-21T08:00:20Z";
  docker->containers[fake_id(1)].exit_code = 9;
  docker->emit("die", fake_id(1), kNow + 10'000'000'000, R"("exitCode":"9")");  // Remembered
  docker->start();
  clock.advance(3s);
  CHECK(docker->last_events_target.find("&since=1795248010.000000001") != std::string::npos);
  CHECK(sink.count("container.exit 9 a") == 1);
  CHECK(sink.containers[fake_id(1)].facts.state == "exited");
  clock.advance(120s);
  CHECK(sink.count("container.exit 9 a") == 1);
}

TEST_CASE_FIXTURE(Fixture, "a stream that is cut in the middle of an event is taken up again") {
  run_engine();
  add(1, "a");
  watch();
  docker->send_to_streams(R"({"Type":"container","Action":"die","Actor":{"ID":")");
  loop.poll();
  docker->cut_streams();
  clock.advance(1s);
  CHECK(docker->open_streams() == 1);
  CHECK(sink.statuses == Words{"20.10.24"});
  CHECK(sink.events.empty());  // It was back before anyone could call it unavailable.
  add(2, "b");
  docker->emit("start", fake_id(2), kNow);
  loop.poll();
  CHECK(sink.events == Words{"container.start b"});
}

TEST_CASE_FIXTURE(Fixture, "garbage in the stream is counted and passed over") {
  run_engine();
  watch();
  docker->send_to_streams("not json\n{\"Type\":\"container\"}\n");
  docker->send_to_streams(std::string(DockerClient::kMaxElementBytes + 10, 'x') + "\n");
  add(1, "a");
  docker->emit("start", fake_id(1), kNow);
  loop.poll();
  CHECK(sink.events == Words{"container.start a"});
  CHECK(client.counters().malformed == 2);
  CHECK(client.counters().oversized == 1);
}

TEST_CASE_FIXTURE(Fixture, "an engine that hangs is told from one that is gone") {
  SUBCASE("from the start") {
    run_engine();
    docker->hang.insert("*");
    watch();
    CHECK(sink.statuses.empty());
    clock.advance(5s);
    CHECK(sink.statuses == Words{"hanging"});
    CHECK(sink.events == Words{"docker.unavailable hanging"});
    docker->hang.clear();
    clock.advance(8s);
    CHECK(sink.statuses.back() == "20.10.24");
    CHECK(sink.events.back() == "docker.recovered");
  }
  SUBCASE("later, noticed by the ping") {
    run_engine();
    watch();
    docker->hang.insert("*");
    clock.advance(16s);
    CHECK(sink.statuses == Words{"20.10.24", "hanging"});
    CHECK(sink.events == Words{"docker.unavailable hanging"});
  }
  SUBCASE("in the list only") {
    run_engine();
    docker->hang.insert("/containers/json");
    watch();
    clock.advance(29s);
    CHECK(sink.statuses.empty());
    clock.advance(2s);
    CHECK(sink.statuses == Words{"hanging"});
  }
}

TEST_CASE_FIXTURE(Fixture, "a single container that cannot be inspected does not stop the others") {
  run_engine();
  add(1, "stuck");
  add(2, "fine");
  docker->hang.insert("/containers/" + fake_id(1) + "/json");
  watch();
  clock.advance(6s);
  CHECK(sink.statuses == Words{"20.10.24"});
  CHECK(sink.containers[fake_id(2)].facts.pid == 4711);
  CHECK(sink.containers[fake_id(1)].facts.name == "stuck");
  CHECK(watcher.counters().inspections_failed == 1);
  add(3, "new");
  docker->emit("start", fake_id(3), kNow);
  loop.poll();
  CHECK(sink.events == Words{"container.start new"});
}

TEST_CASE_FIXTURE(Fixture,
                  "when no container can be inspected the engine hangs, whatever its ping says") {
  run_engine();
  for (std::uint64_t i = 1; i <= 40; ++i) {
    add(i, "c" + std::to_string(i));
    docker->hang.insert("/containers/" + fake_id(i) + "/json");
  }
  watch();
  clock.advance(11s);
  CHECK(sink.statuses == Words{"hanging"});
  CHECK(sink.containers.size() == 40);  // From the list
}

TEST_CASE_FIXTURE(Fixture, "answers that are none are told as such, and survived") {
  run_engine();
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::string reason;
  SUBCASE("not HTTP") {
    docker->raw["/version"] = "SSH-2.0-OpenSSH\r\n\r\n";
    reason = "error: not an HTTP answer: bad version";
  }
  SUBCASE("not JSON") {
    docker->bodies["/version"] = "<html>";
    reason = "error: GET /version: not JSON: syntax error";
  }
  SUBCASE("no version") {
    docker->bodies["/version"] = "{}";
    reason = "error: GET /version: no ApiVersion in the answer";
  }
  SUBCASE("an error status") {
    docker->raw["/version"] = "HTTP/1.1 500 X\r\nContent-Length: 17\r\n\r\n{\"message\":\"bad\"}";
    reason = "error: HTTP 500 bad";
  }
  SUBCASE("404 where nothing can be missing") {
    docker->raw["/version"] = "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n";
    reason = "error: HTTP 404 ";
  }
  SUBCASE("half an answer") {
    docker->raw["/version"] = ok + "Content-Length: 100\r\n\r\n{\"Version\":";
    reason = "stopped";
  }
  SUBCASE("a header without end") {
    docker->raw["/version"] = ok + "X: " + std::string(100'000, 'x');
    reason = "error: the answer is too long: header limit exceeded";
  }
  SUBCASE("a body that is too long") {
    docker->raw["/version"] = ok + "Content-Length: 99999999\r\n\r\n";
    reason = "error: the answer is too long: body limit exceeded";
  }
  SUBCASE("a list that is none") {
    docker->bodies["/containers/json"] = "{}";
    reason = "error: list containers: not a JSON array of objects: unexpected '{'";
  }
  SUBCASE("a list that is cut") {
    docker->bodies["/containers/json"] = R"([{"Id":")";
    reason = "error: the list of containers has no end";
  }
  SUBCASE("no event stream") {
    docker->raw["/events"] = "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n";
    reason = "error: event stream: HTTP 400 ";
  }
  watch();
  clock.advance(1s);
  CHECK(sink.statuses == Words{reason});
  CHECK(sink.count("docker.unavailable " + reason) == 1);
  docker->raw.clear();
  docker->bodies.clear();
  clock.advance(4s);
  CHECK(sink.statuses.back() == "20.10.24");
  CHECK(sink.events.back() == "docker.recovered");
}

TEST_CASE_FIXTURE(Fixture, "an inspection that describes another container is not believed") {
  run_engine();
  add(1, "a");
  docker->bodies["/containers/" + fake_id(1) + "/json"] =
      test::FakeDocker::inspection(fake_id(2), test::FakeContainer());
  watch();
  CHECK(sink.containers.size() == 1);
  CHECK(sink.containers[fake_id(1)].facts.name == "a");
  CHECK(client.counters().malformed == 1);
}

TEST_CASE_FIXTURE(Fixture,
                  "the listing each minute finds what no event told, and says nothing otherwise") {
  run_engine();
  add(1, "a");
  watch();
  const std::size_t updates = sink.updates;
  const auto inspections = watcher.counters().inspections;
  clock.advance(61s);
  CHECK(watcher.counters().listings == 2);
  CHECK(sink.updates == updates);
  CHECK(watcher.counters().inspections == inspections);
  add(2, "silent");
  clock.advance(60s);
  CHECK(sink.containers.size() == 2);
  CHECK(sink.events == Words{"container.start silent"});
}

TEST_CASE("a socket path that is too long is an error, not a crash") {
  Loop loop;
  ManualAsyncClock clock(loop);
  DockerClient client(loop, clock, {"/tmp/" + std::string(200, 'x')}, same);
  RecordingSink sink;
  DockerWatcher watcher(loop, clock, client, sink);
  spawn(loop, "docker", watcher.run());
  loop.poll();
  REQUIRE(sink.statuses.size() == 1);
  CHECK(sink.statuses[0].substr(0, 53) == "error: the path of the engine's socket is longer than");
}

TEST_CASE_FIXTURE(Fixture,
                  "more events than may wait are counted, and a full listing takes their place") {
  run_engine();
  watch();
  docker->hang.insert("/containers/" + fake_id(1) + "/json");
  add(1, "slow");
  docker->emit("start", fake_id(1), kNow);
  loop.poll();  // The watcher now waits for this inspection.
  std::string burst;
  for (int i = 0; i < 5'000; ++i) {
    burst += R"({"Type":"container","Action":"create","Actor":{"ID":")" + fake_id(100 + i % 3) +
             "\"}}\n";
  }
  docker->send_to_streams(burst);
  loop.poll();
  add(2, "unheard");
  clock.advance(6s);
  CHECK(watcher.counters().events_dropped > 0);
  CHECK(watcher.counters().listings >= 2);
  CHECK(sink.containers.contains(fake_id(2)));
}

TEST_CASE_FIXTURE(Fixture, "ten thousand containers") {
  run_engine();
  for (std::uint64_t i = 0; i < 10'000; ++i)
    add(i, "c" + std::to_string(i), i % 10 == 0 ? "running" : "exited");
  struct rusage before {};
  ::getrusage(RUSAGE_SELF, &before);
  watch();
  struct rusage after {};
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(sink.containers.size() == 10'000);
  CHECK(sink.full_updates == 1);
  CHECK(watcher.counters().inspections == 1'000 + ContainerTable::kMaxStoppedInspections);
  // The table, the sink's copy, the fake's own strings; a parsed list alone would be more.
  MESSAGE("peak memory grew by " << (after.ru_maxrss - before.ru_maxrss) / 1024 << " MiB");
#if !OBSERVEAI_TEST_SANITIZED
  CHECK(after.ru_maxrss - before.ru_maxrss < 100 * 1024);
#endif
  add(20'000, "newest");
  docker->emit("start", fake_id(20'000), kNow);
  loop.poll();
  CHECK(sink.events == Words{"container.start newest"});
}
