// Puts a lane's chain together from what is found in the folder. Internal to agent/spool.
#pragma once

#include <utility>
#include <vector>

#include "agent/spool/chain.h"
#include "agent/spool/context.h"

namespace observeai::agent {

class LaneLoader {
 public:
  LaneLoader(SpoolContext& context, std::size_t lane, bool manifest_rebuilt)
      : context_(context), lane_(lane), manifest_rebuilt_(manifest_rebuilt) {}

  // Before take(): batches of the lane that are in the old layout's database.
  Result<void> take_old(const OldSpool::Content& old);
  // In ascending order, each segment that is there. What cannot be read is put aside, what was only
  // being begun is removed.
  Result<void> take(std::uint64_t number);
  Result<Chain::Loaded> finish();
  // False: what was written last is gone, and with it the numbers that were given.
  bool newest_is_there() const { return newest_is_there_; }

 private:
  struct Found {
    SegmentInfo info;
    bool whole = true;                                           // All heads could be read
    std::vector<std::pair<std::uint64_t, std::uint32_t>> sizes;  // By today's number
  };
  Result<Found> look_at(Segment& segment, SegmentInfo info) const;
  Result<void> take_newest(Segment segment, Found& found);
  Result<void> take_state(Segment& segment);
  Result<void> do_without_newest();
  void settle_ends();
  Result<std::uint64_t> acknowledged();

  SpoolContext& context_;
  const std::size_t lane_;
  const bool manifest_rebuilt_;
  std::vector<Found> found_;
  Chain::Loaded loaded_;
  bool newest_is_there_ = false;
};

}  // namespace observeai::agent
