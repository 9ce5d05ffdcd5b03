// A backlog drains through a real mosquitto into the real store, while fresh records arrive at once.
// Agent and control plane share one thread here, the broker has another core: a lower bound.
#include <doctest/doctest.h>

#include <random>

#include "agent/uplink/uplink.h"
#include "controlplane/ingest/pipeline.h"
#include "controlplane/store/store.h"
#include "protocol/wire/batch_codec.h"
#include "tests/support/memory_repositories.h"
#include "tests/support/memory_spool.h"
#include "tests/support/test_broker.h"

using namespace observeai;
using namespace observeai::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::size_t kRawBytesOfBatch = 256U << 10;
constexpr std::size_t kBatches = 800;  // 200 MiB

struct NoEvents final : agent::UplinkEvents {
  void on_need_series() override {}
  void on_need_inventory() override {}
  void on_new_epoch() override {}
  void on_state_changed(agent::UplinkState, const std::string&) override {}
  void on_server_time(std::int64_t) override {}
  void on_command(std::string) override {}
  void on_meta(const wire::Meta&) override {}
  void on_fault(const Error& error) override { FAIL_CHECK(error.message()); }
};

// As an access log: packs about six times smaller.
agent::PendingBatch backlog_batch(std::mt19937_64& random, std::size_t& raw_bytes) {
  wire::LogBatch batch;
  std::size_t bytes = 0;
  while (bytes < kRawBytesOfBatch) {
    wire::LogRecord record;
    record.target = "container/web";
    record.ts_ns = 1'700'000'000'000'000'000 + static_cast<std::int64_t>(random() % 1'000'000'000);
    record.text = "10.0." + std::to_string(random() % 256) + "." + std::to_string(random() % 256) +
                  " - - \"GET /api/v1/items/" + std::to_string(random() % 100'000) +
                  " HTTP/1.1\" 200 " + std::to_string(random() % 50'000) +
                  " \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\" 0.0" + std::to_string(random() % 100);
    bytes += record.text.size() + 1;
    batch.records.push_back(std::move(record));
  }
  raw_bytes += bytes;
  return {wire::Lane::kLogs, static_cast<std::uint32_t>(batch.records.size()), 1, 2,
          wire::encode_logs(batch).value()};
}

agent::PendingBatch fresh_batch(int number) {
  wire::LogBatch batch;
  batch.records.push_back({});
  batch.records[0].target = "container/fresh";
  batch.records[0].ts_ns = 1'700'000'000'000'000'000;
  batch.records[0].text = std::to_string(number);
  return {wire::Lane::kLogs, 1, 1, 2, wire::encode_logs(batch).value()};
}

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

TEST_CASE("a backlog drains at 20 MiB/s and more, and fresh records are stored meanwhile") {
  TestInstallation installation;
  const auto agent_files = installation.agents.issue_client("agent-1");
  const auto ingest_files = installation.services.issue_client("cp-ingest-0");
  const auto broker = installation.start_broker();
  PostedWork work;
  const SystemClock clock;
  TempDir dir;

  const auto agent_pair = signing::generate_key_agreement_pair();
  const auto server_pair = signing::generate_key_agreement_pair();
  const topics::AgentAddress address{TenantId::parse("home").value(), 0,
                                     AgentId::parse("agent-1").value()};
  MemoryAgentRegistry registry;
  MemoryAlertRepository alerts;
  model::AgentRecord record;
  record.id = address.agent;
  record.tenant = address.tenant;
  record.state = model::AgentState::kActive;
  record.sealing_public_key = agent_pair.public_key;
  registry.insert(record);
  controlplane::StoreOptions options;
  options.directory = dir.path();
  auto store = controlplane::Store::open(options, clock).value();
  controlplane::IngestPipeline pipeline(registry, store->writer(), alerts, clock, server_pair, {});

  auto ingest = mqtt::make_paho_client(work.post());
  std::vector<mqtt::Message> arrived;
  ingest->on_message([&](mqtt::Message message) { arrived.push_back(std::move(message)); });
  bool listens = false;
  ingest->connect(installation.identity("cp-ingest-0", ingest_files), [&](Result<void> connected) {
    REQUIRE(connected);
    ingest->subscribe({topics::ingest_filter(std::nullopt)}, [&](Result<void> done) {
      REQUIRE(done);
      listens = true;
    });
  });
  REQUIRE(work.run_until([&] { return listens; }));

  MemorySpool spool;
  std::mt19937_64 random(1);
  std::size_t raw_bytes = 0;
  for (std::size_t i = 0; i < kBatches; ++i) {
    agent::CommitUnit unit;
    unit.batches.push_back(backlog_batch(random, raw_bytes));
    REQUIRE(spool.commit(unit));
  }
  const auto packed_bytes = spool.state().bytes;

  NoEvents events;
  auto client = mqtt::make_paho_client(work.post());
  agent::UplinkIdentity identity{
      address, signing::agent_session_keys(agent_pair, server_pair.public_key).value(),
      [&]() -> Result<mqtt::Identity> { return installation.identity("agent-1", agent_files); },
      [] { return wire::Hello{}; }};
  agent::Uplink uplink(spool, *client, clock, events, std::move(identity),
                       [&] { return random(); });
  uplink.start();

  std::map<std::string, SteadyTime> waiting;  // Fresh records by text
  milliseconds slowest{0};
  int fresh_written = 0;
  int fresh_stored = 0;
  store->writer().on_committed([&](const model::Committed& committed) {
    if (committed.logs == nullptr || committed.logs->records.size() != 1) return;
    const auto found = waiting.find(committed.logs->records[0].text);
    if (found == waiting.end()) return;
    slowest = std::max(
        slowest, std::chrono::duration_cast<milliseconds>(clock.steady_now() - found->second));
    waiting.erase(found);
    ++fresh_stored;
  });

  REQUIRE(work.run_until([&] { return uplink.state() == agent::UplinkState::kGreeting; }));
  const auto began = clock.steady_now();
  const double cpu_began = cpu_seconds();
  SteadyTime next_tick = began;
  SteadyTime next_fresh = began + milliseconds(300);
  const auto end = began + seconds(60);
  std::optional<SteadyTime> drained;
  while (!drained && clock.steady_now() < end) {
    work.run_until([&] { return !arrived.empty(); }, milliseconds(10));
    if (!arrived.empty()) pipeline.process(std::exchange(arrived, {}));
    const auto acks = pipeline.take_acks(mqtt::kMaxInFlight - ingest->in_flight());
    for (const auto& ack : acks)
      ignore(ingest->publish(ack, [](Result<void>) {}), "the next ack says it again");
    const auto now = clock.steady_now();
    if (now >= next_tick) {
      uplink.tick();
      next_tick = now + milliseconds(200);
    }
    if (now >= next_fresh) {
      agent::CommitUnit unit;
      unit.batches.push_back(fresh_batch(++fresh_written));
      REQUIRE(spool.commit(unit));
      waiting[std::to_string(fresh_written)] = now;
      uplink.on_spool_grew();
      next_fresh = now + milliseconds(300);
    }
    if (spool.state().bytes < 4096) drained = now;
  }
  REQUIRE(drained);
  const double seconds_taken = std::chrono::duration<double>(*drained - began).count();
  const double mib = static_cast<double>(raw_bytes) / (1 << 20);
  MESSAGE(mib, " MiB raw, ", static_cast<double>(packed_bytes) / (1 << 20), " MiB packed in ",
          seconds_taken, " s (", cpu_seconds() - cpu_began,
          " s of CPU, both sides): ", mib / seconds_taken, " MiB/s raw; ", fresh_stored,
          " fresh records, slowest ", slowest.count(), " ms; resent ",
          uplink.counters().batches_resent);
  CHECK(mib / seconds_taken >= 20);
  CHECK(fresh_stored > 0);
  CHECK(slowest <= seconds(5));
  CHECK(uplink.counters().batches_resent == 0);
}
