// Values from a seed, for round trips and for breaking. The same seed gives the same value
// everywhere: no std::*_distribution, whose results differ between libraries.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/messages.h"
#include "protocol/wire/signals.h"

namespace observeai::test {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {  // splitmix64
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  std::uint64_t below(std::uint64_t bound) { return bits() % bound; }
  bool coin() { return (bits() & 1) != 0; }
  std::int64_t time_ms() { return static_cast<std::int64_t>(bits() >> below(64)); }
  std::uint32_t number32() { return static_cast<std::uint32_t>(bits() >> below(64)); }
  // Any bytes, often none.
  std::string bytes(std::size_t most = 24) {
    std::string out(below(most + 1), '\0');
    for (auto& c : out)
      c = static_cast<char>(coin() ? 'a' + static_cast<int>(below(26)) : static_cast<int>(bits()));
    return out;
  }
  double value() {
    switch (below(8)) {
      case 0:
        return std::numeric_limits<double>::quiet_NaN();
      case 1:
        return -0.0;
      case 2:
        return std::bit_cast<double>(bits() & ~(std::uint64_t{1} << 62));  // Never NaN
      case 3:
        return static_cast<double>(below(100)) / 7;
      case 4:
        return std::ldexp(1, 53) * (coin() ? 1 : -1) + static_cast<double>(below(5)) - 2;
      case 5:
        return coin() ? std::numeric_limits<double>::infinity() : -0.5;
      default:
        return static_cast<double>(static_cast<std::int64_t>(bits() >> below(64)));
    }
  }
  wire::Labels labels() {
    std::map<std::string, std::string> sorted;
    for (auto i = below(5); i > 0; --i) sorted[bytes(8)] = bytes();
    wire::Labels out;
    for (const auto& [name, value] : sorted) out.push_back({name, value});
    return out;
  }

  wire::SampleBatch samples() {
    wire::SampleBatch batch;
    batch.scrapes.resize(below(5));
    for (auto& scrape : batch.scrapes) {
      scrape.ts_ms = time_ms();
      std::uint64_t id = 0;
      for (auto n = below(40); n > 0; --n) {
        id += 1 + (bits() >> (32 + below(32)));
        if (id > UINT32_MAX) break;
        scrape.series.push_back(static_cast<std::uint32_t>(id));
        scrape.values.push_back(value());
      }
    }
    return batch;
  }
  wire::LogBatch logs() {
    wire::LogBatch batch;
    const std::string targets[] = {"host", bytes(), "container/" + std::string(64, 'f'), ""};
    for (auto n = below(30); n > 0; --n) {
      batch.records.push_back({.target = targets[below(4)],
                               .stream = static_cast<wire::LogStream>(1 + below(3)),
                               .ts_ns = time_ms(),
                               .text = bytes(200),
                               .flags = number32(),
                               .original_bytes = coin() ? 0 : bits() >> below(64)});
    }
    return batch;
  }

  wire::SeriesDefinition series() {
    return {.id = 1 + number32() / 2,
            .target = bytes(),
            .name = bytes(),
            .labels = labels(),
            .kind = coin() ? wire::MetricKind::kGauge : wire::MetricKind::kCounter};
  }
  wire::Event event() {
    return {.ts_ms = time_ms(),
            .kind = bytes(),
            .target = bytes(),
            .severity = static_cast<wire::Severity>(1 + below(5)),
            .message = bytes(200),
            .attributes = labels()};
  }
  wire::LedgerEntry ledger() {
    wire::LedgerEntry out{.source = bytes(),
                          .lane = static_cast<wire::Lane>(below(4)),
                          .as_of_seq = bits(),
                          .records_read = bits(),
                          .bytes_read = bits(),
                          .records_spooled = bits(),
                          .records_dropped = {},
                          .bytes_dropped = {}};
    for (auto n = below(4); n > 0; --n) out.records_dropped[bytes()] = bits();
    for (auto n = below(4); n > 0; --n) out.bytes_dropped[bytes()] = bits();
    return out;
  }
  wire::HostFacts host() {
    return {.hostname = bytes(),
            .machine_id_sha256 = bytes(),
            .os = bytes(),
            .kernel = bytes(),
            .architecture = bytes(),
            .cpus = number32(),
            .memory_bytes = bits(),
            .boot_time_ms = time_ms(),
            .boot_id = bytes(),
            .cgroup_mode = bytes(),
            .agent_version = bytes(),
            .docker = bytes(),
            .systemd = bytes()};
  }
  wire::Container container() {
    wire::Container c{.id = bytes(),
                      .name = bytes(),
                      .image = bytes(),
                      .image_id = bytes(),
                      .runtime = bytes(),
                      .state = bytes(),
                      .health = bytes(),
                      .project = bytes(),
                      .service = bytes(),
                      .command = bytes(),
                      .created_ms = time_ms(),
                      .started_ms = -time_ms(),
                      .finished_ms = time_ms(),
                      .exit_code = static_cast<std::int32_t>(number32()),
                      .oom_killed = coin(),
                      .restart_count = number32(),
                      .pid = number32(),
                      .memory_limit_bytes = bits(),
                      .cpu_limit_cores = static_cast<double>(below(64)) / 10,
                      .pids_limit = bits(),
                      .log_driver = bytes(),
                      .ports = {},
                      .labels = labels()};
    for (auto n = below(4); n > 0; --n)
      c.ports.push_back({bytes(), number32(), number32(), bytes()});
    return c;
  }
  wire::ProcessGroup process() {
    wire::ProcessGroup p{.key = bytes(),
                         .name = bytes(),
                         .command = bytes(),
                         .user = bytes(),
                         .container_id = bytes(),
                         .unit = bytes(),
                         .count = number32(),
                         .pids = {},
                         .started_ms = time_ms()};
    for (auto n = below(17); n > 0; --n) p.pids.push_back(number32());
    return p;
  }
  wire::SystemdUnit unit() { return {bytes(), bytes(), bytes(), bytes(), number32(), number32()}; }
  wire::ListeningPort port() {
    return {bytes(), bytes(), bytes(), number32(), number32(), bytes(), bytes()};
  }
  template <class T, class Make>
  wire::SectionUpdate<T> section(Make make) {
    wire::SectionUpdate<T> out;
    out.full = coin();
    for (auto n = below(4); n > 0; --n) out.upserts.push_back(make());
    for (auto n = below(3); n > 0; --n) out.removed.push_back(bytes());
    return out;
  }
  wire::InventoryUpdate inventory() {
    wire::InventoryUpdate out;
    out.ts_ms = time_ms();
    if (coin()) out.host = host();
    out.containers = section<wire::Container>([this] { return container(); });
    out.processes = section<wire::ProcessGroup>([this] { return process(); });
    out.units = section<wire::SystemdUnit>([this] { return unit(); });
    out.ports = section<wire::ListeningPort>([this] { return port(); });
    return out;
  }
  wire::ControlBatch control() {
    wire::ControlBatch out;
    for (auto n = below(5); n > 0; --n) out.series.push_back(series());
    for (auto n = below(3); n > 0; --n) out.inventory.push_back(inventory());
    for (auto n = below(5); n > 0; --n) out.events.push_back(event());
    for (auto n = below(5); n > 0; --n) out.ledger.push_back(ledger());
    for (auto n = below(3); n > 0; --n) out.results.push_back("r" + bytes(200));
    return out;
  }

  std::array<std::uint8_t, 16> sixteen() {
    std::array<std::uint8_t, 16> out{};
    for (auto& b : out) b = static_cast<std::uint8_t>(bits());
    return out;
  }
  std::array<std::uint8_t, 8> eight() {
    std::array<std::uint8_t, 8> out{};
    for (auto& b : out) b = static_cast<std::uint8_t>(bits());
    out[0] |= 1;
    return out;
  }
  wire::BatchHeader header() {
    wire::BatchHeader out = plain_header();
    if (coin()) out.origin = wire::BatchOrigin{{sixteen()}, 1 + (bits() >> below(60) >> 1)};
    if (coin()) out.session = eight();
    if (coin()) {
      out.codec = wire::Codec::kLost;
      out.n = 0;
    }
    return out;
  }
  wire::BatchHeader plain_header() {
    return {.agent = AgentId::parse("agent-" + std::to_string(below(1000))).value(),
            .epoch = {sixteen()},
            .lane = static_cast<wire::Lane>(below(4)),
            .seq = 1 + (bits() >> 1 >> below(60)),
            .n = number32(),
            .first_ts_ms = time_ms(),
            .last_ts_ms = -time_ms(),
            .codec = wire::Codec::kZstd,
            .origin = {},
            .session = {}};
  }
  std::array<std::uint64_t, wire::kLaneCount> lanes() {
    return {bits() >> below(64), bits() >> below(64), bits() >> below(64), bits() >> below(64)};
  }
  wire::Hello hello() {
    wire::Hello out;
    out.agent = AgentId::parse("agent-" + std::to_string(below(1000))).value();
    out.epoch = {sixteen()};
    out.session_nonce = sixteen();
    out.protocol_version = number32();
    out.agent_version = bytes();
    out.boot_id = bytes();
    out.machine_id_sha256 = bytes();
    out.wall_time_ms = time_ms();
    out.series_known = bits();
    out.inventory_digest = bytes();
    out.next_seq = lanes();
    out.oldest_seq = lanes();
    out.spool_bytes = bits();
    for (auto n = below(6); n > 0; --n) out.counters[bytes()] = -time_ms();
    for (std::size_t lane = 0; lane < wire::kLaneCount && below(4) > 0; ++lane) {
      const std::uint64_t kept = below(600);
      out.oldest_seq[lane] = 1 + (bits() >> 1 >> below(60));
      out.next_seq[lane] = out.oldest_seq[lane] + kept;
      auto& tags = out.pending[lane];
      tags.oldest.resize(std::min<std::uint64_t>(kept, wire::kMaxPendingTags));
      tags.newest.resize(std::min<std::uint64_t>(kept - tags.oldest.size(), wire::kMaxPendingTags));
      for (auto& tag : tags.oldest) tag = below(9) > 0 ? eight() : wire::ContentTag{};
      for (auto& tag : tags.newest) tag = below(9) > 0 ? eight() : wire::ContentTag{};
    }
    if (coin()) out.challenge = sixteen();
    if (coin()) out.number = bits();
    if (coin()) out.executor = executor();
    return out;
  }
  wire::ExecutorReport executor() {
    wire::ExecutorReport out;
    out.session = sixteen();
    if (coin()) out.time_challenge = sixteen();
    out.command_seq = bits();
    out.root_version = bits();
    if (coin()) out.policy_hash = std::string(64, static_cast<char>('a' + below(6)));
    out.state = std::string(below(257), 'x');
    if (coin()) {
      out.audit_seq = 1 + (bits() >> 1);
      out.audit_hash[below(32)] = 1;
    }
    return out;
  }
  wire::LossNotice loss() {
    wire::LossNotice out;
    out.reason = coin() ? wire::loss_reasons::kEvicted : wire::loss_reasons::kDamaged;
    std::map<std::string, int> names;
    for (auto n = below(6); n > 0; --n) names["log/" + bytes()];
    for (const auto& [name, unused] : names) out.sources.push_back({name, bits(), bits()});
    return out;
  }
  wire::Ack ack() {
    wire::Ack out;
    out.agent = AgentId::parse("agent-" + std::to_string(below(1000))).value();
    out.epoch = {sixteen()};
    out.contiguous = lanes();
    out.credit_bytes = bits();
    out.server_time_ms = time_ms();
    out.session_nonce = sixteen();
    out.need_series = coin();
    out.need_inventory = coin();
    for (std::size_t lane = 0; lane < wire::kLaneCount && coin(); ++lane) {
      out.contiguous[lane] >>= 1;
      std::uint64_t last = out.contiguous[lane];
      for (auto n = below(wire::kMaxAckRuns + 1); n > 0; --n) {
        const std::uint64_t first = last + 2 + (bits() >> 8 >> below(50));
        last = first + (bits() >> 8 >> below(50));
        out.runs[lane].push_back({first, last});
      }
      if (coin()) out.newest[lane] = {1 + (bits() >> 1), eight()};
    }
    out.forked = coin();
    if (coin()) out.challenge = sixteen();
    return out;
  }

 private:
  std::uint64_t state_;
};

inline bool same(const wire::SampleBatch& a, const wire::SampleBatch& b) {
  const auto same_bits = [](double x, double y) {
    return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
  };
  return std::equal(a.scrapes.begin(), a.scrapes.end(), b.scrapes.begin(), b.scrapes.end(),
                    [&](const wire::Scrape& x, const wire::Scrape& y) {
                      return x.ts_ms == y.ts_ms && x.series == y.series &&
                             std::equal(x.values.begin(), x.values.end(), y.values.begin(),
                                        y.values.end(), same_bits);
                    });
}
inline bool same(const wire::ControlBatch& a, const wire::ControlBatch& b) {
  return a.series == b.series && a.inventory == b.inventory && a.events == b.events &&
         a.ledger == b.ledger && a.results == b.results;
}
inline bool same(const wire::LogBatch& a, const wire::LogBatch& b) {
  return a.records == b.records;
}
inline bool same(const wire::Hello& a, const wire::Hello& b) {
  return a.agent == b.agent && a.epoch == b.epoch && a.session_nonce == b.session_nonce &&
         a.protocol_version == b.protocol_version && a.agent_version == b.agent_version &&
         a.boot_id == b.boot_id && a.machine_id_sha256 == b.machine_id_sha256 &&
         a.wall_time_ms == b.wall_time_ms && a.series_known == b.series_known &&
         a.inventory_digest == b.inventory_digest && a.next_seq == b.next_seq &&
         a.oldest_seq == b.oldest_seq && a.spool_bytes == b.spool_bytes &&
         a.counters == b.counters && a.pending == b.pending && a.challenge == b.challenge &&
         a.number == b.number && a.executor == b.executor;
}
inline bool same(const wire::Ack& a, const wire::Ack& b) {
  return a.agent == b.agent && a.epoch == b.epoch && a.contiguous == b.contiguous &&
         a.credit_bytes == b.credit_bytes && a.server_time_ms == b.server_time_ms &&
         a.session_nonce == b.session_nonce && a.need_series == b.need_series &&
         a.need_inventory == b.need_inventory && a.runs == b.runs && a.forked == b.forked &&
         a.newest == b.newest && a.challenge == b.challenge;
}

// Every proper prefix, every single-bit flip, and the bytes themselves last.
template <class Visit>
void for_each_damage(const std::string& bytes, Visit visit) {
  for (std::size_t length = 0; length < bytes.size(); ++length) visit(bytes.substr(0, length));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    visit(changed);
  }
}

}  // namespace observeai::test
