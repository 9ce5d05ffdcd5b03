// A spool in a temporary folder.
#pragma once

#include <doctest/doctest.h>

#include <memory>

#include "agent/spool/spool.h"
#include "tests/support/temp_dir.h"

namespace observeai::agent::spool_test {

inline constexpr std::array<std::uint64_t, wire::kLaneCount> kNothing{};

// No floor: the machine that runs the tests may have a full disk.
inline SpoolLimits limits_of(std::uint64_t max_bytes) {
  return SpoolLimits{max_bytes, 0};
}

inline std::unique_ptr<Spool> open_spool(const std::string& directory,
                                         const SpoolLimits& limits = limits_of(64U << 20)) {
  static const ManualClock clock;
  auto spool = Spool::open(directory, limits, clock);
  if (!spool) FAIL(spool.error().message());
  return std::move(*spool);
}

inline PendingBatch batch_of(wire::Lane lane, std::string body) {
  PendingBatch batch;
  batch.lane = lane;
  batch.n = 3;
  batch.first_ts_ms = 100;
  batch.last_ts_ms = 200;
  batch.body = std::move(body);
  return batch;
}

inline CommitUnit unit_of(wire::Lane lane, std::string body) {
  CommitUnit unit;
  unit.batches.push_back(batch_of(lane, std::move(body)));
  return unit;
}

inline std::array<std::uint64_t, wire::kLaneCount> all_of(const SpoolState& state) {
  auto all = state.next_seq;
  for (auto& seq : all) --seq;
  return all;
}

}  // namespace observeai::agent::spool_test
