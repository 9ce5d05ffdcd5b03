// How many records of one source are stored, up to any recent batch. Internal to controlplane/store. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::controlplane::store {

// The agent's ledger speaks of batches up to as_of_seq, the store may already hold later ones: only
// those are kept one by one, everything else is one number.
class StoredCount {
 public:
  // Batches kept one by one at most. Beyond, the oldest half becomes one number, and a ledger entry from
  // before them can no longer be judged (up_to() is nullopt): the next entry can.
  static constexpr std::size_t kMaxRecent = 1024;

  // `most` batches are kept one by one, at least 2.
  void add(std::uint64_t seq, std::uint64_t count, std::size_t most = kMaxRecent);
  // From here on only as_of_seq >= `seq` is asked for.
  void settle(std::uint64_t seq);
  // Records in batches with a number <= `seq`; nullopt when that is not known any more.
  std::optional<std::uint64_t> up_to(std::uint64_t seq) const;
  std::uint64_t total() const { return total_; }

  // For the stored table.
  std::uint64_t merged_through() const { return merged_through_; }
  std::string pack_recent() const;
  static Result<StoredCount> unpack(std::uint64_t total, std::uint64_t merged_through,
                                    std::string_view recent);

 private:
  struct Recent {
    std::uint64_t seq;
    std::uint64_t count;
  };
  void merge_older_half();

  std::uint64_t total_ = 0;
  std::uint64_t settled_ = 0;         // Highest as_of_seq seen
  std::uint64_t merged_through_ = 0;  // Batches up to this may have been merged
  std::vector<Recent> recent_;        // Above settled_, in any order
};

}  // namespace observeai::controlplane::store
