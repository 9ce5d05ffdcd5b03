#include "agent/app/remote_logs.h"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "agent/app/logs_loop.h"
#include "protocol/wire/batch_codec.h"
#include "tests/support/memory_spool.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

// Whoever asks a worker's collector waits here while the mount hangs.
class HangingClock final : public Clock {
 public:
  WallTime wall_now() const override {
    wait();
    return clock_.wall_now();
  }
  SteadyTime steady_now() const override {
    wait();
    return clock_.steady_now();
  }
  void hang(bool on) {
    {
      const std::lock_guard lock(mutex_);
      hangs_ = on;
    }
    changed_.notify_all();
  }

 private:
  void wait() const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !hangs_; });
  }
  SystemClock clock_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool hangs_ = false;
};

ObservedContainer container(const std::string& id, const std::string& log) {
  ObservedContainer out;
  out.facts.id = id;
  out.facts.state = "running";
  out.log_path = log;
  return out;
}

struct Fixture {
  const test::TempDir dir;
  const std::string root = fs::canonical(dir.path()).string();
  const std::string far = root + "/far";
  Loop loop;
  ManualAsyncClock clock{loop};
  std::shared_ptr<HangingClock> workers_clock = std::make_shared<HangingClock>();
  test::MemorySpool spool;
  Outbox outbox = Outbox::create(spool, clock, [] {}).value();
  std::shared_ptr<const RemoteMounts> table;
  std::vector<ObservedContainer> containers;
  LogCollectorOptions options;
  int written = 0;

  // What a start makes anew.
  struct Programs {
    explicit Programs(Fixture& world)
        : collector(world.clock, world.options),
          logs(world.loop, world.clock, collector, world.outbox, 1ms, shedding),
          remote(
              world.loop, world.clock, world.workers_clock, world.spool, world.outbox, collector,
              {world.options, 20s, 150s}, [&world] { return world.table; }, shedding) {
      REQUIRE(remote.begin());
      collector.set_containers(world.containers);
      remote.set_containers(world.containers);
    }
    Shedding shedding;
    LogCollector collector;
    LogsLoop logs;
    RemoteLogs remote;
  };
  std::vector<std::unique_ptr<Programs>> started;  // Only the last one reads

  Fixture() {
    fs::create_directories(far);
    mount(true);
    // Workers go by the real clock.
    options.idle_flush = options.poll_interval = options.scan_interval = 1ms;
    options.files.read_existing = true;
  }
  ~Fixture() {
    workers_clock->hang(false);
    loop.shutdown();
  }

  void mount(bool there, const std::string& more = "") {
    const std::string line = "1 1 0:1 / " + far + " rw - nfs4 server:/ rw\n";
    table = std::make_shared<const RemoteMounts>(RemoteMounts::parse((there ? line : "") + more));
  }
  Programs& start() {
    for (auto& earlier : started) earlier->shedding.logs = false;
    auto& programs = *started.emplace_back(std::make_unique<Programs>(*this));
    spawn(loop, "logs", programs.logs.run());
    spawn(loop, "remote logs", programs.remote.run());
    return programs;
  }
  void add_container(const std::string& id, const std::string& folder) {
    containers.push_back(container(id, folder + "/" + id + ".log"));
    write(id, folder);
  }
  // One more line of a container.
  void write(const std::string& id, const std::string& folder) {
    const std::string number = std::to_string(++written);
    std::ofstream(folder + "/" + id + ".log", std::ios::app)
        << R"({"log":")" + id + " " + number +
               R"(\n","stream":"stdout","time":"2026-01-01T00:00:00.)" +
               std::to_string(100'000 + written) + "Z\"}\n";
  }
  void settle() {
    loop.run_until([] { return false; }, 5ms);  // For the workers
  }
  void pass(int seconds) {
    for (int i = 0; i < 2 * seconds; ++i) {
      clock.advance(500ms);
      settle();
    }
  }
  // Lines in the spool that begin so.
  std::vector<std::string> stored(const std::string& id) {
    std::vector<std::string> out;
    const auto batches = spool.read(wire::Lane::kLogs, 0, 1000, SIZE_MAX).value();
    for (const auto& batch : batches) {
      const auto logs = wire::decode_logs(batch.body, batch.header.codec).value();
      for (const auto& record : logs.records) {
        if (record.text.starts_with(id + " ")) out.push_back(record.text);
      }
    }
    return out;
  }
  std::vector<std::string> unreadable() {
    std::vector<std::string> out;
    const auto batches = spool.read(wire::Lane::kControl, 0, 1000, SIZE_MAX).value();
    for (const auto& batch : batches) {
      const auto control = wire::decode_control(batch.body, batch.header.codec).value();
      for (const auto& event : control.events) {
        if (event.kind == "logs.unreadable") out.push_back(event.message);
      }
    }
    return out;
  }
  bool wait_stored(const std::string& id, std::size_t lines) {
    for (int i = 0; i < 200 && stored(id).size() < lines; ++i) pass(1);
    pass(3);  // What comes twice comes now
    return stored(id).size() == lines;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what lies on a mount that may hang is read by a worker alone") {
  add_container("near", root);
  add_container("far", far);
  std::ofstream(far + "/plain.log") << "plain 1\n";
  options.files.plain = {root + "/*/*.log"};
  options.files.exclude = {"far.log", "near.log"};
  auto& programs = start();
  CHECK(wait_stored("near", 1));
  CHECK(wait_stored("far", 1));
  CHECK(wait_stored("plain", 1));
  CHECK(programs.collector.source_count() == 1);
  CHECK(programs.remote.stuck().empty());
  CHECK(unreadable().empty());
  write("far", far);
  CHECK(wait_stored("far", 2));
}

TEST_CASE_FIXTURE(Fixture, "a mount that hangs costs what lies on it, is told, and is read on") {
  add_container("near", root);
  add_container("far", far);
  auto& programs = start();
  REQUIRE(wait_stored("far", 1));
  REQUIRE(wait_stored("near", 1));
  workers_clock->hang(true);
  write("far", far);
  write("near", root);
  pass(30);
  CHECK(stored("near").size() == 2);
  CHECK(stored("far").size() == 1);
  CHECK(programs.remote.stuck() == std::vector<std::string>{"logs on " + far});
  REQUIRE(unreadable().size() == 1);
  CHECK(unreadable()[0].find("logs on " + far + " (nfs4) are not collected") == 0);
  write("far", far);
  workers_clock->hang(false);
  CHECK(wait_stored("far", 3));
  CHECK(programs.remote.stuck().empty());
  // Again within a minute: not told again.
  workers_clock->hang(true);
  pass(25);
  CHECK(unreadable().size() == 1);
  pass(60);
  CHECK(unreadable().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a spool that is full for a while doubles nothing") {
  add_container("far", far);
  start();
  REQUIRE(wait_stored("far", 1));
  spool.full_lanes.insert(wire::Lane::kLogs);
  write("far", far);
  pass(30);
  CHECK(stored("far").size() == 1);
  spool.full_lanes.clear();
  CHECK(wait_stored("far", 2));
}

TEST_CASE_FIXTURE(Fixture,
                  "logs of a mount that goes wait for it, also over a restart of the agent") {
  std::ofstream(far + "/plain.log") << "plain 1\n";
  options.files.plain = {far + "/*.log"};
  start();
  REQUIRE(wait_stored("plain", 1));
  fs::rename(far, root + "/server");
  fs::create_directories(far);
  mount(false);
  pass(100);
  CHECK(unreadable().size() == 1);
  std::ofstream(root + "/server/plain.log", std::ios::app) << "plain 2\n";
  SUBCASE("the agent runs on") {}
  SUBCASE("the agent starts before the mount is there") {
    start();
    pass(100);
  }
  fs::remove(far);
  fs::rename(root + "/server", far);
  mount(true);
  CHECK(wait_stored("plain", 2));
}

TEST_CASE_FIXTURE(Fixture, "a folder that was a mount is local in the end") {
  std::ofstream(far + "/plain.log") << "plain 1\n";
  options.files.plain = {far + "/*.log"};
  start();
  REQUIRE(wait_stored("plain", 1));
  mount(false);
  pass(60);
  std::ofstream(far + "/plain.log", std::ios::app) << "plain 2\n";
  pass(60);
  CHECK(stored("plain").size() == 1);
  pass(60);
  CHECK(wait_stored("plain", 2));
}

TEST_CASE_FIXTURE(Fixture, "mounts beyond the limit are told, not read") {
  std::string lines;
  for (std::size_t i = 0; i <= RemoteLogs::kMaxPlaces; ++i) {
    const std::string point = root + "/mount-" + std::to_string(100 + i);
    fs::create_directories(point);
    lines += "1 1 0:1 / " + point + " rw - nfs4 server:/ rw\n";
    add_container("c" + std::to_string(100 + i), point);
  }
  mount(true, lines);
  start();
  CHECK(wait_stored("c100", 1));
  pass(5);
  CHECK(stored("c116").empty());
  REQUIRE(unreadable().size() == 1);
  CHECK(unreadable()[0].find("mount-116") != std::string::npos);
}
