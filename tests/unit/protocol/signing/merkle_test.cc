#include "protocol/signing/merkle.h"

#include <doctest/doctest.h>

#include "protocol/signing/sealing.h"
#include "tests/unit/protocol/signing/bytes.h"

using namespace observeai;
using namespace observeai::signing;

namespace {

std::string hex(const MerkleHash& hash) {
  return text::to_hex(hash);
}

// The inputs and roots of the Certificate Transparency reference tests (google/certificate-transparency,
// merkle_tree_test.cc).
const std::vector<std::string> kLeaves = {
    "",
    test::unhex("00"),
    test::unhex("10"),
    test::unhex("2021"),
    test::unhex("3031"),
    test::unhex("40414243"),
    test::unhex("5051525354555657"),
    test::unhex("606162636465666768696a6b6c6d6e6f"),
};
constexpr const char* kRoots[] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

std::vector<std::string> numbered(std::size_t size) {
  std::vector<std::string> leaves;
  for (std::size_t i = 0; i < size; ++i) leaves.push_back("leaf " + std::to_string(i));
  return leaves;
}

// RFC 6962, section 2.1, word for word: split at the largest power of two below the size.
MerkleHash tree_hash(std::span<const std::string> leaves) {
  if (leaves.size() == 1) return sha256(std::string(1, '\0') + leaves[0]);
  std::size_t k = 1;
  while (k * 2 < leaves.size()) k *= 2;
  const auto left = tree_hash(leaves.first(k));
  const auto right = tree_hash(leaves.subspan(k));
  return sha256("\x01" + std::string(text::as_text(left)) + std::string(text::as_text(right)));
}

}  // namespace

TEST_CASE("roots are those of the reference implementation") {
  for (std::size_t size = 1; size <= kLeaves.size(); ++size) {
    CAPTURE(size);
    const auto tree = MerkleTree::create(std::span(kLeaves).first(size)).value();
    CHECK(hex(tree.root()) == kRoots[size - 1]);
    CHECK(tree.size() == size);
  }
  CHECK(MerkleTree::create({}).error().code() == Errc::kInvalid);
}

TEST_CASE("paths are those of the reference implementation") {
  const auto tree = MerkleTree::create(kLeaves).value();
  const auto path = tree.path(5);
  REQUIRE(path.size() == 3);
  CHECK(hex(path[0]) == "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
  CHECK(hex(path[1]) == "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
  CHECK(hex(path[2]) == "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
}

TEST_CASE("every leaf of every size has a path that holds for it alone") {
  for (std::size_t size = 1; size <= 40; ++size) {
    const auto leaves = numbered(size);
    const auto tree = MerkleTree::create(leaves).value();
    REQUIRE(tree.root() == tree_hash(leaves));
    for (std::size_t index = 0; index < size; ++index) {
      CAPTURE(size);
      CAPTURE(index);
      const auto path = tree.path(index);
      const auto holds = [&](std::uint64_t at, std::uint64_t of) {
        return verify_merkle_path(leaves[index], at, of, path, tree.root());
      };
      REQUIRE(holds(index, size));
      for (std::uint64_t other = 0; other < 70; ++other) {
        if (other != index) REQUIRE_FALSE(holds(other, size));
      }
      REQUIRE_FALSE(holds(index + (1ULL << 32), size));
      REQUIRE_FALSE(holds(UINT64_MAX, size));
      REQUIRE_FALSE(verify_merkle_path("leaf x", index, size, path, tree.root()));
      auto root = tree.root();
      root[31] ^= 1;
      REQUIRE_FALSE(verify_merkle_path(leaves[index], index, size, path, root));
    }
  }
}

TEST_CASE("a path of another length or with another hash does not hold") {
  for (std::size_t size = 1; size <= 40; ++size) {
    const auto leaves = numbered(size);
    const auto tree = MerkleTree::create(leaves).value();
    for (std::size_t index = 0; index < size; ++index) {
      const auto good = tree.path(index);
      const auto holds = [&](const std::vector<MerkleHash>& path) {
        return verify_merkle_path(leaves[index], index, size, path, tree.root());
      };
      auto longer = good;
      longer.push_back(tree.root());
      REQUIRE_FALSE(holds(longer));
      longer = good;
      longer.insert(longer.begin(), MerkleHash{});
      REQUIRE_FALSE(holds(longer));
      for (std::size_t at = 0; at < good.size(); ++at) {
        auto path = good;
        path.erase(path.begin() + static_cast<std::ptrdiff_t>(at));
        REQUIRE_FALSE(holds(path));
        path = good;
        path[at][7] ^= 0x10;
        REQUIRE_FALSE(holds(path));
        if (at > 0) {
          path = good;
          std::swap(path[at - 1], path[at]);
          REQUIRE_FALSE(holds(path));
        }
      }
    }
  }
  CHECK_FALSE(verify_merkle_path("x", 0, 0, {}, MerkleHash{}));
}

// Where the size says how a path runs, another size does not pass. Sizes that share the whole way up from
// a leaf cannot be told apart by its path alone: whoever signs a root signs the size with it.
TEST_CASE("a size that gives the leaf another way up does not hold") {
  const auto leaves = numbered(7);
  const auto tree = MerkleTree::create(leaves).value();
  const auto holds = [&](std::size_t index, std::uint64_t size) {
    return verify_merkle_path(leaves[index], index, size, tree.path(index), tree.root());
  };
  for (std::size_t index = 0; index < leaves.size(); ++index) {
    CAPTURE(index);
    for (const std::uint64_t size : {0, 1, 2, 3, 4, 9, 16, 17, 1000})
      CHECK_FALSE(holds(index, size));
    CHECK_FALSE(holds(index, UINT64_MAX));
  }
  CHECK_FALSE(holds(6, 8));
  CHECK_FALSE(holds(4, 5));
}

TEST_CASE("an inner node never passes as a leaf") {
  const auto leaves = numbered(4);
  const auto tree = MerkleTree::create(leaves).value();
  const auto left = sha256(std::string(1, '\0') + leaves[0]);
  const auto right = sha256(std::string(1, '\0') + leaves[1]);
  const auto children = std::string(text::as_text(left)) + std::string(text::as_text(right));
  const std::vector<MerkleHash> upper = {tree.path(0)[1]};
  for (const auto& forged : {children, "\x01" + children, std::string(1, '\0') + children,
                             std::string(text::as_text(tree_hash(std::span(leaves).first(2))))}) {
    CHECK_FALSE(verify_merkle_path(forged, 0, 2, upper, tree.root()));
    const std::string two[] = {forged, leaves[2]};
    CHECK(MerkleTree::create(two)->root() != tree.root());
  }
}

TEST_CASE("order, number and content of the leaves are in the root") {
  const std::vector<std::string> ab = {"a", "b"};
  const auto root = [](const std::vector<std::string>& leaves) {
    return MerkleTree::create(leaves)->root();
  };
  CHECK(root({"b", "a"}) != root(ab));
  CHECK(root({"ab"}) != root(ab));
  CHECK(root({"a", "b", ""}) != root(ab));
  CHECK(root({"a", "b", "b"}) != root({"a", "b", "b", "b"}));
}
