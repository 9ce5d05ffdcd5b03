// Finds entries of the journal that were taken away (vacuum, deleted or damaged files) before they
// were read. Pure.
//
// journald numbers entries; the number is part of each cursor. One counter serves several chains of
// files (the system's and those of users), so in the order read the numbers of one host have no
// holes:
//
//   chain  number  highest  verdict
//   -----  ------  -------  ----------------------------------------------------------------
//   A      7       -        a chain met for the first time: nothing is claimed
//   A      8       7        follows
//   B      9       8        another chain, the same counter
//   A      12      9        10 and 11 are missing: a hole
//   B      10      12       late (same microsecond, other file): the hole is 11 only
//   A      13 ...  12       kSettleAfter entries later: 11 is lost
//   C      1       13       a chain that begins anew (journald was killed): the counter restarted
//
// What is not claimed: entries that went before anything behind them in a chain was read, and those
// between a chain and a new one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/journal/journal_cursor.h"

namespace observeai::agent {

struct SequenceHole {
  std::uint64_t first = 0;
  std::uint64_t last = 0;     // Inclusive
  std::uint64_t seen_us = 0;  // Time of the entry behind it
  std::uint64_t entries_since = 0;
  bool operator==(const SequenceHole&) const = default;
};

struct SequenceChain {
  std::string id;
  std::uint64_t last = 0;
  bool operator==(const SequenceChain&) const = default;
};

// Kept in the checkpoint.
struct SequenceState {
  std::uint64_t highest = 0;          // Of the counter that counts now
  std::vector<SequenceChain> chains;  // At most kMaxChains, the one used last at the end
  std::vector<SequenceHole> holes;    // At most kMaxHoles, the oldest first
  bool operator==(const SequenceState&) const = default;
};

struct SequenceLoss {
  std::uint64_t records = 0;
  std::uint64_t before_us = 0;  // They were older than this
};

class SequenceWatch {
 public:
  static constexpr std::size_t kMaxChains = 16;  // More users at once than a server has
  static constexpr std::size_t kMaxHoles = 32;   // Beyond it the oldest counts as lost at once
  static constexpr std::uint64_t kSettleAfter = 64;

  explicit SequenceWatch(SequenceState state = {}) : state_(std::move(state)) {}

  // In the order read. True: a hole was found before this entry.
  bool saw(const JournalCursor& entry);
  // Holes that nothing will fill any more. `at_end`: everything that was written was read.
  std::vector<SequenceLoss> take_losses(bool at_end);

  bool knows(const std::string& chain) const;
  const SequenceState& state() const { return state_; }

 private:
  bool fill(std::uint64_t number);
  void bound_holes();

  SequenceState state_;
  std::vector<SequenceLoss> given_up_;
};

}  // namespace observeai::agent
