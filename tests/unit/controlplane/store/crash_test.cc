// After kill -9 at any moment: every acknowledged batch is there, nothing is there in half.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>

#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

constexpr int kKills = 20;
constexpr std::size_t kLinesOfBatch = 3;

controlplane::StoreOptions options_of(const std::string& directory) {
  controlplane::StoreOptions options;
  options.directory = directory;
  options.partition_length_ms = 1000;
  return options;
}

wire::Batch lines(std::uint64_t seq) {
  std::vector<wire::LogRecord> records;
  for (std::size_t i = 0; i < kLinesOfBatch; ++i) {
    records.push_back(record_of("t", static_cast<std::int64_t>(seq), std::to_string(seq)));
  }
  return logs_batch({}, seq, records);
}

wire::Batch event_with_inventory(std::uint64_t seq) {
  wire::ControlBatch control;
  control.events.push_back({1, "k", "host", wire::Severity::kInfo, std::to_string(seq), {}});
  wire::InventoryUpdate update;
  update.host = wire::HostFacts{};
  update.host->hostname = std::to_string(seq);
  control.inventory.push_back(update);
  return control_batch({}, seq, control);
}

// Commits batches of both lanes in small groups and reports what is acknowledged.
[[noreturn]] void commit_until_killed(const std::string& directory, std::int64_t now_ms,
                                      int progress) {
  ManualClock clock{from_unix_ms(now_ms)};
  auto store = controlplane::Store::open(options_of(directory), clock);
  if (!store) ::_exit(1);
  const Origin origin;
  for (;;) {
    auto cursor = (*store)->writer().contiguous(origin.agent, origin.epoch);
    if (!cursor) ::_exit(2);
    std::vector<wire::Batch> group;
    for (std::uint64_t i = 1; i <= 3; ++i) {
      group.push_back(event_with_inventory((*cursor)[0] + i));
      group.push_back(lines((*cursor)[2] + i));
    }
    const auto outcomes = (*store)->writer().commit_all(group);
    if (!outcomes) ::_exit(3);
    for (const auto& outcome : *outcomes) {
      if (!outcome || *outcome != CommitOutcome::kStored) ::_exit(4);
    }
    clock.advance(std::chrono::milliseconds(300));
    cursor = (*store)->writer().contiguous(origin.agent, origin.epoch);
    if (!cursor || ::write(progress, cursor->data(), sizeof *cursor) != sizeof *cursor) ::_exit(5);
  }
}

}  // namespace

TEST_CASE("after kill -9 the cursor is what the data says, and nothing acknowledged is missing") {
  test::TempDir dir;
  std::mt19937_64 random(99);
  const Origin origin;
  std::int64_t now_ms = 1'700'000'000'000;
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    int progress[2];
    REQUIRE(::pipe(progress) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(progress[0]);
      commit_until_killed(dir.path(), now_ms, progress[1]);
    }
    ::close(progress[1]);
    std::array<std::uint64_t, wire::kLaneCount> acknowledged{};
    // Some whole groups, then a kill anywhere within the next one, however long a group takes here.
    auto last = std::chrono::steady_clock::now();
    auto group_time = last - last;
    for (auto groups = 2 + random() % 6; groups > 0; --groups) {
      if (::read(progress[0], &acknowledged, sizeof acknowledged) != sizeof acknowledged) break;
      const auto now = std::chrono::steady_clock::now();
      group_time = now - last;
      last = now;
    }
    const auto kill_at = last + group_time * static_cast<int>(random() % 1200) / 1000;
    while (std::chrono::steady_clock::now() < kill_at) {
    }
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    while (::read(progress[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged) {
    }
    ::close(progress[0]);
    now_ms += 3000;

    ManualClock clock{from_unix_ms(now_ms)};
    auto store = controlplane::Store::open(options_of(dir.path()), clock).value();
    const auto cursor = store->writer().contiguous(origin.agent, origin.epoch).value();
    CHECK(cursor[0] >= acknowledged[0]);
    CHECK(cursor[2] >= acknowledged[2]);
    model::EventQuery events;
    events.limit = 100'000;
    CHECK(store->reader().events(events).value().size() == cursor[0]);
    const auto inventory = store->reader().inventory(origin.agent).value();
    CHECK((inventory ? inventory->host.hostname : "0") == std::to_string(cursor[0]));
    model::LogQuery logs;
    logs.limit = 100'000;
    const auto rows = store->reader().logs(logs).value();
    REQUIRE(rows.size() == cursor[2] * kLinesOfBatch);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].record.text != std::to_string(i / kLinesOfBatch + 1))
        FAIL_CHECK("line " << i << " is wrong");
    }
    CHECK(store->counters().quarantined_partitions == 0);
  }
}
