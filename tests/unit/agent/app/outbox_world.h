// An outbox on a spool in memory, and what goes into it.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "agent/app/outbox.h"
#include "protocol/wire/batch_codec.h"
#include "tests/support/memory_spool.h"

namespace observeai::test {

struct OutboxWorld {
  ManualClock clock;
  MemorySpool spool;
  int grew = 0;
  agent::Outbox outbox = agent::Outbox::create(spool, clock, [this] { ++grew; }).value();

  explicit OutboxWorld(std::uint64_t spool_bytes = UINT64_MAX) : spool(Epoch{{1}}, spool_bytes) {}

  std::vector<wire::Batch> batches(wire::Lane lane) {
    return spool.read(lane, 0, 10'000, SIZE_MAX).value();
  }
  // All control signals in the spool, in order.
  wire::ControlBatch control() {
    wire::ControlBatch all;
    for (const auto& batch : batches(wire::Lane::kControl)) {
      auto part = wire::decode_control(batch.body, wire::Codec::kZstd).value();
      const auto append = [](auto& to, auto& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(all.series, part.series);
      append(all.inventory, part.inventory);
      append(all.events, part.events);
      append(all.ledger, part.ledger);
      append(all.results, part.results);
    }
    return all;
  }
  std::vector<std::string> event_kinds() {
    std::vector<std::string> kinds;
    for (const auto& event : control().events) kinds.push_back(event.kind);
    return kinds;
  }
  void acknowledge_all() {
    auto all = spool.state().next_seq;
    for (auto& seq : all) --seq;
    REQUIRE(spool.acknowledge(all));
  }
  wire::LedgerEntry ledger(const std::string& source) {
    const auto entries = spool.ledger().value();
    for (const auto& entry : entries) {
      if (entry.source == source) return entry;
    }
    return {};
  }
};

inline wire::LogRecord record(const std::string& target, std::string text) {
  wire::LogRecord r;
  r.target = target;
  r.ts_ns = 1'700'000'000'000'000'000;
  r.text = std::move(text);
  return r;
}

inline agent::LogCommit log_commit(std::size_t count) {
  agent::LogCommit commit;
  for (std::size_t i = 0; i < count; ++i)
    commit.records.push_back(record("container/a", "line " + std::to_string(i)));
  commit.checkpoints.push_back({"log/container/a", "at " + std::to_string(count)});
  commit.counts.push_back({"log/container/a", count, count * 10, {}, {}});
  return commit;
}

// Bytes that zstd cannot shrink.
inline std::string noise(std::size_t size, std::uint64_t seed = 1) {
  std::uint64_t state = 88172645463325252ULL * seed;
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    out.push_back(static_cast<char>(state));
  }
  return out;
}

}  // namespace observeai::test
