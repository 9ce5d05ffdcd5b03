// Which batches of one (agent, epoch, lane) are committed. Internal to controlplane/store. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/messages.h"

namespace observeai::controlplane::store {

class LaneCursor {
 public:
  // Gaps remembered at most: an agent that sends newest first has one. More is refused until they close.
  static constexpr std::size_t kMaxRuns = 4096;

  // All of 1 .. contiguous() are committed.
  std::uint64_t contiguous() const { return contiguous_; }
  bool contains(std::uint64_t seq) const;
  std::uint64_t highest() const { return ahead_.empty() ? contiguous_ : ahead_.rbegin()->second; }
  // The lowest runs above contiguous(), at most `most`.
  std::vector<wire::Run> runs(std::size_t most) const;
  // False when `seq` would open more gaps than kMaxRuns.
  bool has_room_for(std::uint64_t seq) const;
  void add(std::uint64_t seq);
  // Gives up on what is missing up to `seq`; returns how many that are.
  std::uint64_t skip_to(std::uint64_t seq);

  // For the cursors table.
  std::string pack_ahead() const;
  static Result<LaneCursor> unpack(std::uint64_t contiguous, std::string_view ahead);
  bool operator==(const LaneCursor&) const = default;

 private:
  void join_first_run();

  std::uint64_t contiguous_ = 0;
  std::map<std::uint64_t, std::uint64_t> ahead_;  // First -> last of each run above contiguous_
};

}  // namespace observeai::controlplane::store
