// A host with a folder that is a mount, as far as its table says, and workers that hang on request.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <new>

#include "agent/app/logs_loop.h"
#include "agent/app/remote_logs.h"
#include "tests/support/memory_spool.h"
#include "tests/support/spooled.h"
#include "tests/support/temp_dir.h"

namespace observeai::test {

using agent::LogCollector;
using agent::LogCollectorOptions;
using agent::LogRead;
using agent::LogsLoop;
using agent::Loop;
using agent::ManualAsyncClock;
using agent::ObservedContainer;
using agent::Outbox;
using agent::RemoteLogs;
using agent::RemoteMounts;
using agent::Shedding;
using agent::spawn;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
namespace fs = std::filesystem;

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
  // The n-th time that is asked from now on is not given.
  void throw_at(int n) { until_throw_ = n; }
  bool thrown() const { return until_throw_ <= 0; }
  void hang(bool on) {
    {
      const std::lock_guard lock(mutex_);
      hangs_ = on;
    }
    changed_.notify_all();
  }

 private:
  void wait() const {
    if (until_throw_ > 0 && --until_throw_ == 0) throw std::bad_alloc();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !hangs_; });
  }
  SystemClock clock_;
  mutable std::atomic<int> until_throw_{INT_MIN};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool hangs_ = false;
};

inline ObservedContainer container(const std::string& id, const std::string& log) {
  ObservedContainer out;
  out.facts.id = id;
  out.facts.state = "running";
  out.log_path = log;
  return out;
}

struct RemoteWorld {
  const TempDir dir;
  const std::string root = fs::canonical(dir.path()).string();
  const std::string far = root + "/far";
  Loop loop;
  ManualAsyncClock clock{loop};
  std::shared_ptr<HangingClock> workers_clock = std::make_shared<HangingClock>();
  MemorySpool spool;
  Outbox outbox = Outbox::create(spool, clock, [] {}).value();
  std::shared_ptr<const RemoteMounts> table;
  std::vector<ObservedContainer> containers;
  LogCollectorOptions options;
  int written = 0;
  bool docker_answers = true;

  // What a start makes anew.
  struct Programs {
    explicit Programs(RemoteWorld& world)
        : collector(world.clock, world.options),
          logs(world.loop, world.clock, collector, world.outbox, 1ms, shedding,
               [this](const LogRead& read) { return remote.admits_local(read); }),
          remote(
              world.loop, world.clock, world.workers_clock, world.spool, world.outbox, collector,
              {world.options, 20s, 150s, 60s}, [&world] { return world.table; }, shedding) {
      REQUIRE(remote.begin());
      if (world.docker_answers) tell_containers(world.containers);
    }
    void tell_containers(const std::vector<ObservedContainer>& told) {
      collector.set_containers(told);
      remote.set_containers(told);
    }
    Shedding shedding;
    LogCollector collector;
    LogsLoop logs;
    RemoteLogs remote;
  };
  std::vector<std::unique_ptr<Programs>> started;  // Only the last one reads

  RemoteWorld() {
    fs::create_directories(far);
    mount(true);
    // Workers go by the real clock.
    options.idle_flush = options.poll_interval = options.scan_interval = 1ms;
    options.files.read_existing = true;
  }
  ~RemoteWorld() {
    workers_clock->hang(false);
    loop.shutdown();
  }

  void mount(bool there, const std::string& more = "") {
    const std::string line = "1 1 0:1 / " + far + " rw - nfs4 server:/ rw\n";
    table = std::make_shared<const RemoteMounts>(RemoteMounts::parse((there ? line : "") + more));
  }
  // One mount more than are looked after, mount-100 and so on, and a container's log on each.
  void mount_too_many() {
    std::string lines;
    for (std::size_t i = 0; i <= RemoteLogs::kMaxPlaces; ++i) {
      const std::string number = std::to_string(100 + i);
      const std::string point = root + "/mount-" + number;
      fs::create_directories(point);
      lines += "1 1 0:1 / " + point + " rw - nfs4 server:/ rw\n";
      add_container("c" + number, point);
    }
    mount(true, lines);
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
    for (auto& text : spooled_texts(spool)) {
      if (text.starts_with(id + " ")) out.push_back(std::move(text));
    }
    return out;
  }
  std::vector<std::string> unreadable() {
    std::vector<std::string> out;
    for (const auto& event : spooled_events(spool)) {
      if (event.kind == "logs.unreadable") out.push_back(event.message);
    }
    return out;
  }
  // A plain log's.
  void write_plain(const std::string& path, int number) {
    std::ofstream(path, std::ios::app) << "plain " << number << "\n";
  }
  bool has_checkpoint(const std::string& source) {
    const auto all = spool.checkpoints().value();
    return std::any_of(all.begin(), all.end(), [&](const auto& c) { return c.source == source; });
  }
  std::size_t events_of(const std::string& kind) {
    const auto all = spooled_events(spool);
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const auto& event) { return event.kind == kind; }));
  }
  bool wait_stored(const std::string& id, std::size_t lines) {
    for (int i = 0; i < 200 && stored(id).size() < lines; ++i) pass(1);
    pass(3);  // What comes twice comes now
    return stored(id).size() == lines;
  }
};

}  // namespace observeai::test
