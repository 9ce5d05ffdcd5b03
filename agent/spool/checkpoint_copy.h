// The checkpoints of lane 2 as they were after one batch, and what had been dropped by then, in the state
// of lane 0: so that the newest segment of lane 2 does not take them with it. Written when that batch is
// acknowledged, so whoever reads on from them repeats nothing that came before and misses nothing that
// came after. Internal to agent/spool.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/spool/chain.h"
#include "agent/spool/context.h"

namespace observeai::agent {

struct CheckpointCopy {
  std::int64_t seq =
      0;           // Today's number of the last batch before them; negative: of an epoch before
  StateRows rows;  // Checkpoints, and ledger entries with something dropped

  static CheckpointCopy of(const StateRows& log_state, std::uint64_t last_seq);
  // Empty: there is none, or not one of this spool.
  static std::optional<CheckpointCopy> found_in(const StateRows& control_state,
                                                const SpoolContext& context);
  static bool is_of(const Epoch& epoch, const StateRows& control_state);
  // What lane 0 has to write to hold this copy instead of the one that it has.
  ChainWrite changes_to(const StateRows& control_state, const Epoch& epoch) const;
  // Instead of the older ones that are there.
  void put_into(StateRows& log_state) const;
};

}  // namespace observeai::agent
