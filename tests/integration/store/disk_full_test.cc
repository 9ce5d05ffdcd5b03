// The control plane's store on a file system of a few megabytes: what it answered "stored" is there,
// whatever was full meanwhile, and it goes on by itself when there is room again. Needs root (a tmpfs).
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <set>

#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::controlplane::store_test;

namespace {

constexpr std::size_t kBallast = 4U << 20;

std::string noise(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text(bytes, '\0');
  for (auto& c : text) c = static_cast<char>('!' + random() % 90);
  return text;
}

struct SmallDisk {
  test::TempDir dir;
  ManualClock clock;
  StoreOptions options;
  std::unique_ptr<Store> store;
  Origin origin;
  std::set<std::string> acknowledged;  // Texts of log lines
  std::uint64_t next_log = 1;

  explicit SmallDisk(const char* size = "size=16m", std::size_t ballast = kBallast) {
    if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, size) != 0)
      throw std::runtime_error("cannot mount a tmpfs: run as root");
    options.directory = dir / "store";
    options.min_free_bytes = 0;  // Retention would make room: it is tested elsewhere.
    std::ofstream(dir / "ballast") << std::string(ballast, 'b');
    open();
  }
  ~SmallDisk() {
    store.reset();
    ::umount2(dir.path().c_str(), MNT_DETACH);
  }
  void open() {
    store.reset();
    auto opened = Store::open(options, clock);
    if (!opened) FAIL(opened.error().message());
    store = std::move(*opened);
  }
  // The same number is tried again until it is taken, as an agent does.
  bool commit_log(std::size_t bytes) {
    const std::string text = std::to_string(next_log) + noise(bytes, next_log);
    const auto outcome = store->writer().commit(
        logs_batch(origin, next_log, {record_of("t", static_cast<std::int64_t>(next_log), text)}));
    if (!outcome) return false;
    CHECK(*outcome == CommitOutcome::kStored);
    acknowledged.insert(text);
    ++next_log;
    return true;
  }
  void fill() {
    int stored = 0;
    while (commit_log(200'000)) REQUIRE(++stored < 1'000);
    while (commit_log(3'000)) REQUIRE(++stored < 10'000);
  }
  void make_room() { ::unlink((dir / "ballast").c_str()); }
  // Exactly what was acknowledged is there, once.
  void check_rows() {
    model::LogQuery query;
    query.limit = 100'000;
    const auto rows = store->reader().logs(query);
    REQUIRE(rows);
    std::set<std::string> stored;
    for (const auto& row : *rows) CHECK(stored.insert(row.record.text).second);
    CHECK(stored == acknowledged);
    CHECK(store->writer().contiguous(origin.agent, origin.epoch).value()[2] == next_log - 1);
  }
};

}  // namespace

TEST_CASE(
    "full while logs come: what was refused is not there, what was stored is, and it goes on") {
  SmallDisk disk;
  disk.fill();
  const auto before = disk.acknowledged.size();
  CHECK(before > 10);
  disk.check_rows();
  disk.make_room();
  CHECK(disk.commit_log(200'000));
  disk.open();
  disk.check_rows();
  CHECK(disk.acknowledged.size() == before + 1);
}

TEST_CASE("full at every other write: an error or a fact, never half of one") {
  SmallDisk disk("size=32m", 20U << 20);
  REQUIRE(disk.store->writer().commit(series_batch(disk.origin, 1, 1, 10)));
  disk.fill();
  auto& writer = disk.store->writer();
  std::vector<wire::Batch> tried;
  for (std::uint64_t seq = 2; seq < 40; ++seq) {
    wire::ControlBatch control;
    control.events.push_back({static_cast<std::int64_t>(seq),
                              "container.start",
                              "host",
                              wire::Severity::kInfo,
                              noise(20'000, seq),
                              {}});
    tried.push_back(control_batch(disk.origin, seq, control));
    tried.push_back(
        samples_batch(disk.origin, seq - 1, static_cast<std::int64_t>(seq), {1, 2, 3}, 1));
    tried.push_back(logs_batch({disk.origin.agent, epoch_of(static_cast<std::uint8_t>(seq))}, 1,
                               {record_of("t2", 1, noise(20'000, seq))}));
  }
  std::size_t refused = 0;
  std::vector<bool> stored;
  for (const auto& batch : tried) {
    const auto outcome = writer.commit(batch);
    stored.push_back(outcome && *outcome == CommitOutcome::kStored);
    refused += outcome ? 0 : 1;
    if (!outcome) CHECK(outcome.error().code() != Errc::kCorrupt);
  }
  CHECK(refused > 0);
  for (int i = 0; i < 200; ++i) {
    model::AuditEntry entry;
    entry.action = "token.create";
    entry.detail = noise(20'000, static_cast<std::uint64_t>(i));
    if (!disk.store->audit().append(entry)) break;
    REQUIRE(i < 199);
  }
  ignore(disk.store->maintenance(), "it may fail on a full disk, and must not do harm");
  disk.make_room();
  disk.open();
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const auto outcome = disk.store->writer().commit(tried[i]);
    if (!outcome) FAIL(outcome.error().message());
    CHECK((*outcome == CommitOutcome::kDuplicate) == stored[i]);
  }
}

TEST_CASE("full when an hour begins: the next partition begins when there is room") {
  SmallDisk disk("size=32m",
                 20U << 20);  // Closing a partition takes the size of its log once more.
  disk.fill();
  disk.clock.advance(std::chrono::hours(1));
  CHECK_FALSE(disk.commit_log(200'000));
  disk.make_room();
  CHECK(disk.commit_log(200'000));
  disk.check_rows();
  disk.open();
  disk.check_rows();
}

TEST_CASE("a control plane that starts on a full disk drops old telemetry and starts") {
  SmallDisk disk("size=24m");
  disk.options.telemetry_max_bytes = 1U << 30;
  disk.open();
  while (disk.commit_log(200'000)) {
    disk.clock.advance(std::chrono::minutes(20));
  }
  disk.acknowledged.clear();  // The oldest are given up on purpose.
  disk.store.reset();
  std::ofstream(disk.dir / "filler") << std::string(32U << 20, 'f');  // To the last byte
  disk.options.min_free_bytes = 6U << 20;
  disk.open();
  CHECK(disk.commit_log(200'000));
  const auto rows = disk.store->reader().logs({});
  REQUIRE(rows);
  CHECK(rows->size() > 3);
  CHECK(disk.acknowledged.contains(rows->back().record.text));
}

TEST_CASE("an alert that cannot be written is shown, and written when there is room") {
  SmallDisk disk;
  disk.fill();
  std::uint64_t raised = 0;
  for (int i = 0; i < 400; ++i) {
    model::Alert alert;
    alert.kind = "store.refuses";
    alert.object = std::to_string(i);
    alert.message = noise(20'000, static_cast<std::uint64_t>(i));
    alert.first_ms = alert.last_ms = i + 1;
    alert.count = 1;
    REQUIRE(disk.store->alerts().raise(alert));
    ++raised;
  }
  CHECK(disk.store->alerts().open().value().size() == raised);
  CHECK_FALSE(disk.store->maintenance());
  disk.make_room();
  std::ofstream(disk.dir / "more-room").close();
  ::mount("tmpfs", disk.dir.path().c_str(), "tmpfs", MS_REMOUNT, "size=64m");
  REQUIRE(disk.store->maintenance());
  disk.open();
  CHECK(disk.store->alerts().open().value().size() == raised);
}

TEST_CASE(
    "a disk that retention keeps from filling: telemetry goes, nothing is refused, the alert "
    "ends") {
  SmallDisk disk("size=32m");
  disk.options.telemetry_max_bytes = 16U << 20;
  disk.options.min_free_bytes = 0;
  disk.open();
  for (int i = 0; i < 300; ++i) {
    REQUIRE(disk.commit_log(200'000));  // 60 MB, and no maintenance at all
    CHECK(disk.store->counters().telemetry_bytes <= (16U << 20) + (2U << 20));
  }
  CHECK(disk.store->counters().dropped_partitions > 10);
  disk.options.min_free_bytes = 31U << 20;
  disk.open();
  REQUIRE(disk.store->maintenance());
  const auto alerts = disk.store->alerts().open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "store.low_disk");
  disk.options.min_free_bytes = 1U << 20;
  disk.open();
  REQUIRE(disk.store->maintenance());
  CHECK(disk.store->alerts().open().value().empty());
}
