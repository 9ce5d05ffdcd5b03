#include "tests/sim/transport_fixture.h"

#include <sodium.h>

#include <cstring>

namespace observeai::transport_test {
namespace {

wire::Nonce16 next_nonce;  // Of the uplink that is being made

void give_next_nonce(void* out, std::size_t size) {
  REQUIRE(size == next_nonce.size());
  std::memcpy(out, next_nonce.data(), size);
}

}  // namespace

// ---- one process -------------------------------------------------------------------------------

Copy::Copy(Site& site, std::string name, test::MemorySpool the_spool)
    : spool(std::move(the_spool)), site_(site), name_(std::move(name)) {
  spool.next_epoch = [&site] {
    Epoch epoch;
    epoch.bytes.fill(++site.epochs);
    return epoch;
  };
  for (const auto& [seq, texts] : pending_texts()) spooled_ += texts.size();
  if (spool.state().epoch == Epoch{{1}}) spooled_ = 0;
  restart();
}

void Copy::restart() {
  make_uplink();
  uplink->start();
}

void Copy::make_uplink() {
  uplink.reset();
  client = site_.broker.client();
  agent::UplinkIdentity identity{
      site_.address,
      signing::agent_session_keys(site_.agent_pair, site_.server_pair.public_key).value(),
      []() -> Result<mqtt::Identity> {
        mqtt::Identity id;
        id.host = "broker";
        id.client_id = "agent-1";
        return id;
      },
      [] { return wire::Hello{}; }};
  uplink = std::make_unique<agent::Uplink>(spool, *client, site_.clock, *this, std::move(identity),
                                           [this] { return site_.random(); });
}

void Copy::resume(const wire::Nonce16& was) {
  next_nonce = was;
  randombytes_implementation from_memory = randombytes_sysrandom_implementation;
  from_memory.buf = give_next_nonce;
  ::randombytes_set_implementation(&from_memory);
  make_uplink();
  ::randombytes_set_implementation(&randombytes_sysrandom_implementation);
  REQUIRE(uplink->session_nonce() == was);
  uplink->start();
}

void Copy::write(std::size_t records) {
  wire::LogBatch batch;
  for (std::size_t i = 0; i < records; ++i) {
    wire::LogRecord record;
    record.target = kTarget;
    record.ts_ns = site_.clock.unix_ms() * 1'000'000;
    record.text = name_ + " " + std::to_string(next_++);
    site_.written.insert(record.text);
    batch.records.push_back(std::move(record));
  }
  agent::CommitUnit unit;
  unit.batches.push_back({wire::Lane::kLogs, static_cast<std::uint32_t>(records), 1, 2,
                          wire::encode_logs(batch).value()});
  REQUIRE(spool.commit(unit));
  spooled_ += records;
  uplink->on_spool_grew();
}

void Copy::write_ledger() {
  wire::ControlBatch batch;
  wire::LedgerEntry entry;
  entry.source = kSource;
  entry.lane = wire::Lane::kLogs;
  entry.as_of_seq = spool.state().next_seq[2] - 1;
  entry.records_read = entry.records_spooled = spooled_;
  batch.ledger.push_back(entry);
  agent::CommitUnit unit;
  unit.batches.push_back({wire::Lane::kControl, 1, 1, 2, wire::encode_control(batch).value()});
  REQUIRE(spool.commit(unit));
  uplink->on_spool_grew();
}

std::map<std::uint64_t, std::vector<std::string>> Copy::pending_texts() const {
  std::map<std::uint64_t, std::vector<std::string>> out;
  auto batches =
      const_cast<test::MemorySpool&>(spool).read(wire::Lane::kLogs, 0, SIZE_MAX, SIZE_MAX);
  REQUIRE(batches);
  for (const auto& batch : *batches) {
    if (batch.header.codec == wire::Codec::kLost) continue;
    const auto logs = wire::decode_logs(batch.body, batch.header.codec).value();
    for (const auto& record : logs.records) out[batch.header.seq].push_back(record.text);
  }
  return out;
}

void Copy::evict_oldest() {
  const auto pending = pending_texts();
  if (pending.empty()) return;
  const auto& [seq, texts] = *pending.begin();
  for (const auto& text : texts) site_.lost.insert(text);
  spool.lose(wire::Lane::kLogs, seq, {wire::loss_reasons::kEvicted, {{kSource, texts.size(), 0}}});
}

void Copy::on_new_epoch() {
  // As the real spool: the ledger begins anew with what is pending, a loss among it included.
  spooled_ = 0;
  auto batches = spool.read(wire::Lane::kLogs, 0, SIZE_MAX, SIZE_MAX);
  REQUIRE(batches);
  for (const auto& batch : *batches) {
    if (batch.header.codec == wire::Codec::kLost) {
      const auto notice = wire::decode_loss(batch.body).value();
      for (const auto& source : notice.sources) spooled_ += source.records;
    } else {
      spooled_ += batch.header.n;
    }
  }
}

bool Copy::is_drained() const {
  return spool.state().oldest_seq == spool.state().next_seq;
}

// ---- the site ----------------------------------------------------------------------------------

Site::Site(std::uint64_t seed) : random(seed), broker(seed) {
  model::AgentRecord record;
  record.id = address.agent;
  record.tenant = address.tenant;
  record.shard = address.shard;
  record.state = model::AgentState::kActive;
  record.sealing_public_key = agent_pair.public_key;
  registry.insert(record);
  restart_controlplane();
}

void Site::restart_controlplane() {
  ingest.reset();
  pipeline.reset();
  store.reset();
  arrived.clear();
  controlplane::StoreOptions options;
  options.directory = dir.path();
  auto opened = controlplane::Store::open(options, clock);
  REQUIRE(opened);
  store = std::move(*opened);
  pipeline = std::make_unique<controlplane::IngestPipeline>(
      registry, store->writer(), alerts, clock, server_pair, controlplane::IngestLimits{});
  ingest = broker.client();
  ingest->on_message([this](const mqtt::Message& message) {
    if (!holds(held_up, message)) arrived.push_back(message);
  });
  mqtt::Identity identity;
  identity.client_id = "cp-ingest-0";
  ingest->connect(identity, [this](const Result<void>& connected) {
    if (!connected) return;
    ingest->subscribe({topics::ingest_filter(std::nullopt)}, [this](const Result<void>& done) {
      if (done) pipeline->ask_for_hellos();
    });
  });
  settle();
}

Copy& Site::add_copy(const std::string& name, test::MemorySpool spool) {
  copies.push_back(std::make_unique<Copy>(*this, name, std::move(spool)));
  return *copies.back();
}

void Site::remove_copy(Copy& copy) {
  for (const auto& [seq, texts] : copy.pending_texts())
    for (const auto& text : texts) perhaps.insert(text);
  std::erase_if(copies, [&](const auto& one) { return one.get() == &copy; });
  // Unless another disk has them as well.
  for (const auto& other : copies)
    for (const auto& [seq, texts] : other->pending_texts())
      for (const auto& text : texts) perhaps.erase(text);
}

void Site::settle() {
  for (int round = 0; round < 1000; ++round) {
    broker.run();
    if (!arrived.empty()) pipeline->process(std::exchange(arrived, {}));
    const auto acks = pipeline->take_acks(mqtt::kMaxInFlight - ingest->in_flight());
    for (const auto& ack : acks) {
      if (!holds(held_acks, ack)) ignore(ingest->publish(ack, nullptr), "the broker may be down");
    }
    if (broker.run() == 0 && arrived.empty()) return;
  }
}

bool Site::holds(std::vector<Held>& held, const mqtt::Message& message) {
  if (delay == 0 || std::uniform_real_distribution<>(0, 1)(random) >= delay) return false;
  held.push_back({1 + static_cast<int>(random() % 40), message});
  return true;
}

std::vector<mqtt::Message> Site::released(std::vector<Held>& held) {
  std::vector<mqtt::Message> out;
  for (auto& one : held)
    if (--one.steps <= 0) out.push_back(one.message);
  std::erase_if(held, [](const Held& one) { return one.steps <= 0; });
  return out;
}

void Site::step(milliseconds time) {
  clock.advance(time);
  for (auto& message : released(held_up)) arrived.push_back(std::move(message));
  for (auto& ack : released(held_acks))
    ignore(ingest->publish(std::move(ack), nullptr), "the broker may be down");
  for (auto& copy : copies) copy->uplink->tick();
  settle();
}

void Site::drain() {
  broker.faults = {};
  delay = 0;
  const auto all_drained = [this] {
    return std::all_of(copies.begin(), copies.end(),
                       [](const auto& copy) { return copy->is_drained(); });
  };
  for (int i = 0; i < 20'000 && !all_drained(); ++i) step(milliseconds(500));
  for (const auto& copy : copies) REQUIRE(copy->is_drained());
}

std::vector<std::string> Site::stored() {
  std::vector<std::string> out;
  model::LogQuery query;
  query.limit = 100'000;
  const auto rows = store->reader().logs(query).value();
  for (const auto& row : rows) out.push_back(row.record.text);
  return out;
}

model::LedgerRow Site::ledger_row() {
  const auto rows = store->reader().ledger(address.agent).value();
  for (const auto& row : rows) {
    if (row.entry.source == kSource) return row;
  }
  return {};
}

std::string judge(const std::set<std::string>& written, const std::set<std::string>& perhaps,
                  const std::set<std::string>& lost, const std::vector<std::string>& stored) {
  std::set<std::string> seen;
  for (const auto& text : stored) {
    if (!seen.insert(text).second) return "stored twice: " + text;
    if (!written.contains(text)) return "never written: " + text;
  }
  for (const auto& text : written) {
    if (!seen.contains(text) && !lost.contains(text) && !perhaps.contains(text))
      return "lost: " + text;
  }
  return "";
}

}  // namespace observeai::transport_test
