// Merkle trees over lists (RFC 6962, section 2.1): leaves sha256(0x00 leaf), nodes sha256(0x01 left
// right), split at the largest power of two below the size. Pure; thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::signing {

using MerkleHash = std::array<std::uint8_t, 32>;

class MerkleTree {
 public:
  // kInvalid for no leaves. The leaves are hashed, not kept.
  static Result<MerkleTree> create(std::span<const std::string> leaves);
  const MerkleHash& root() const { return levels_.back().front(); }
  std::size_t size() const { return levels_.front().size(); }
  // The siblings from the leaf upwards; index < size(). Cheap: nothing is hashed.
  std::vector<MerkleHash> path(std::size_t index) const;

 private:
  MerkleTree() = default;
  std::vector<std::vector<MerkleHash>> levels_;  // From the leaves to the root
};

// Whether `leaf` is the leaf number `index` of the tree with this root and `size` leaves (RFC 9162, section
// 2.1.3.2); a path that is too short or too long for them does not pass. The root alone does not fix the
// size: from the first leaf, trees of 5 to 8 leaves look alike. Whoever trusts a root trusts its size with
// it, as approvals name both.
bool verify_merkle_path(std::string_view leaf, std::uint64_t index, std::uint64_t size,
                        std::span<const MerkleHash> path, const MerkleHash& root);

}  // namespace observeai::signing
