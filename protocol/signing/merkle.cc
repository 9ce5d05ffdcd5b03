#include "protocol/signing/merkle.h"

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"

namespace observeai::signing {
namespace {

MerkleHash hash_leaf(std::string_view leaf) {
  return sha256(std::string(1, '\x00').append(leaf));
}

MerkleHash hash_node(const MerkleHash& left, const MerkleHash& right) {
  return sha256(std::string(1, '\x01').append(text::as_text(left)).append(text::as_text(right)));
}

}  // namespace

// Level by level, where a last node without a sibling moves up as it is: the same tree as splitting
// at the largest power of two below the size.
Result<MerkleTree> MerkleTree::create(std::span<const std::string> leaves) {
  if (leaves.empty()) return Error(Errc::kInvalid, "a Merkle tree needs a leaf");
  MerkleTree tree;
  auto& bottom = tree.levels_.emplace_back();
  bottom.reserve(leaves.size());
  for (const auto& leaf : leaves) bottom.push_back(hash_leaf(leaf));
  while (tree.levels_.back().size() > 1) {
    const auto& below = tree.levels_.back();
    std::vector<MerkleHash> level;
    level.reserve((below.size() + 1) / 2);
    for (std::size_t i = 0; i + 1 < below.size(); i += 2) {
      level.push_back(hash_node(below[i], below[i + 1]));
    }
    if (below.size() % 2 == 1) level.push_back(below.back());
    tree.levels_.push_back(std::move(level));
  }
  return tree;
}

std::vector<MerkleHash> MerkleTree::path(std::size_t index) const {
  CHECK(index < size());
  std::vector<MerkleHash> out;
  for (const auto& level : levels_) {
    const auto sibling = index ^ 1;
    if (sibling < level.size()) out.push_back(level[sibling]);
    index /= 2;
  }
  return out;
}

// Names as in RFC 9162: fn and sn are the places of this node and of the last one in their level.
bool verify_merkle_path(std::string_view leaf, std::uint64_t index, std::uint64_t size,
                        std::span<const MerkleHash> path, const MerkleHash& root) {
  if (index >= size) return false;
  std::uint64_t fn = index;
  std::uint64_t sn = size - 1;
  MerkleHash r = hash_leaf(leaf);
  for (const auto& p : path) {
    if (sn == 0) return false;
    if ((fn & 1) == 1 || fn == sn) {
      r = hash_node(p, r);
      while ((fn & 1) == 0 && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      r = hash_node(r, p);
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && r == root;
}

}  // namespace observeai::signing
