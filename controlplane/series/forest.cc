#include "controlplane/series/forest.h"

#include <array>
#include <cstdint>

namespace observeai::series {

namespace {

// A tree of depth 4 in heap order: node i asks "feature <= limit?", yes goes to 2i + 1, no to 2i + 2.
constexpr int kDepth = 4;
constexpr int kNodes = (1 << kDepth) - 1;
struct Tree {
  std::array<std::uint8_t, kNodes> feature;
  std::array<float, kNodes> limit;
  std::array<float, kNodes + 1> leaf;
};

#include "controlplane/series/forest_table.inc"

}  // namespace

double forest_log_odds(const Features& features) {
  double sum = kBase;
  for (const Tree& tree : kTrees) {
    int node = 0;
    while (node < kNodes)
      node = 2 * node + (features[tree.feature[node]] <= tree.limit[node] ? 1 : 2);
    sum += tree.leaf[node - kNodes];
  }
  return sum;
}

}  // namespace observeai::series
