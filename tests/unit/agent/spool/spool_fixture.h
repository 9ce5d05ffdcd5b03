// A spool in a temporary folder.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "agent/spool/segment.h"
#include "agent/spool/spool.h"
#include "protocol/wire/batch_codec.h"
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

// Its records are of a source of its lane.
inline PendingBatch counted_batch(wire::Lane lane, std::string body, std::uint64_t records) {
  auto batch = batch_of(lane, std::move(body));
  batch.n = static_cast<std::uint32_t>(records);
  batch.counts = {{"source", records, 10 * records}};
  return batch;
}

// Everything pending of a lane, in order.
inline std::vector<wire::Batch> all_batches(Spool& spool, wire::Lane lane) {
  auto batches = spool.read(lane, 0, 1'000'000, 1U << 30);
  if (!batches) FAIL(batches.error().message());
  return std::move(*batches);
}

inline wire::LossNotice loss_in(const wire::Batch& batch) {
  REQUIRE(batch.header.codec == wire::Codec::kLost);
  CHECK(batch.header.n == 0);
  auto notice = wire::decode_loss(batch.body);
  if (!notice) FAIL(notice.error().message());
  return std::move(*notice);
}

// Paths of the lane's segments, oldest first.
inline std::vector<std::string> segments_of(const std::string& directory, wire::Lane lane) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const auto file = parse_segment_name(entry.path().filename().string());
    if (file && file->lane == static_cast<std::size_t>(lane))
      paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// What kill -9 leaves behind: the files as they are at this moment.
inline void copy_files(const std::string& from, const std::string& to) {
  std::filesystem::remove_all(to);
  std::filesystem::create_directory(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (entry.is_regular_file())
      std::filesystem::copy_file(entry.path(), to + "/" + entry.path().filename().string());
  }
}

inline void overwrite(const std::string& path, std::streamoff at, std::size_t bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file << std::string(bytes, '\xA5');
  REQUIRE(file.good());
}

inline std::vector<std::string> notice_kinds(Spool& spool) {
  std::vector<std::string> kinds;
  for (const auto& notice : spool.take_notices()) kinds.push_back(notice.kind);
  return kinds;
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
