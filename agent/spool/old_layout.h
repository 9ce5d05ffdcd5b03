// The layout before segments: everything in one database `spool.db`. Read only, in its place: its
// batches are sent from where they are, and the file goes when all are acknowledged. Internal to
// agent/spool.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "agent/spool/batch_head.h"
#include "agent/spool/segment.h"
#include "protocol/sql/database.h"

namespace observeai::agent {

class OldSpool {
 public:
  struct Content {
    Epoch epoch;
    std::uint32_t next_series_id = 1;
    std::array<std::uint64_t, wire::kLaneCount> next_seq{};
    std::array<std::uint64_t, wire::kLaneCount> oldest_seq{};
    std::array<StateRows, wire::kLaneCount> state;  // By the lane that it belongs to now
  };
  struct Row {
    BatchHead head;
    std::string body;
  };

  static std::string path_in(const std::string& directory);
  // kNotFound; kCorrupt: not whole, or not a spool; kInvalid: made by a newer version.
  static Result<OldSpool> open(const std::string& directory);

  Result<Content> content();
  Result<std::vector<std::uint32_t>> sizes(std::size_t lane);  // Of all batches, oldest first
  // kNotFound, kCorrupt. Where the bytes were damaged nothing tells: there was no checksum.
  Result<Row> batch(std::size_t lane, std::uint64_t seq);
  std::optional<BatchHead> head(std::size_t lane, std::uint64_t seq);

 private:
  explicit OldSpool(sql::Database database) : database_(std::move(database)) {}
  Result<void> read_lane(std::size_t lane, Content& content);
  Result<void> read_state(Content& content);
  sql::Database database_;
};

}  // namespace observeai::agent
