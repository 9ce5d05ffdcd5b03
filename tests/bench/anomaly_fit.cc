// Fits the trees of controlplane/series/forest_table.inc to labelled series.
//   bench_anomaly_fit TABLE AIOPS WSD NAB     (folders with input/ and truth/)  ->  TABLE
// Gradient boosting with logistic loss (Friedman 2001, leaves by Newton steps as Chen & Guestrin 2016). What
// is learned: a row at which an anomaly begins against rows outside all labels. Which row of a labelled
// stretch it is the labels do not say: it is the one that the trees of the round before find most anomalous
// among those in which an alarm would count (multiple instances). The same files give the same table.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "controlplane/series/baseline.h"
#include "controlplane/series/evidence.h"
#include "tests/bench/anomaly_rows.h"

using namespace observeai;
using namespace observeai::bench;

namespace {

// Chosen on the development split.
constexpr int kDepth = 4;
constexpr int kTrees = 200;
constexpr int kRounds = 3;
constexpr double kStep = 0.05;
constexpr double kRidge = 1;
constexpr double kLeastHessian = 5;
constexpr double kColumns = 0.6;  // Share of features that one tree may ask
constexpr double kRows = 0.7;     // Share of examples that one tree sees
constexpr int kBins = 64;
// Examples.
constexpr int kWarm = 2'000;         // Rows before the first example of a KPI
constexpr double kNabWarm = 0.15;    // As NAB does
constexpr int kBlock = 10;           // One example of these rows: the most anomalous
constexpr int kRareBlocks = 20;      // Of quiet blocks one in so many, which counts as many
constexpr int kEcho = 20;            // Rows after a label that are neither
constexpr float kLoudMedian = 0.5F;  // log10 of the deviation: louder blocks are all kept
constexpr float kLoudAgreed = 0.6F;
constexpr double kNabWeight = 0.5;  // Its windows are wide: where in them it begins is a guess

struct Labelled {
  std::vector<series::Features> rows;
  std::vector<std::pair<int, int>> events;
  int reach = 0;  // An alarm counts in the first reach + 1 rows
  int warm = 0;
  bool nab = false;
};
struct Example {
  const series::Features* x;
  double y, weight;
};
struct Node {
  int feature = -1;  // -1: leaf
  float limit = 0;
  int low = 0, high = 0;
  double leaf = 0;
};
struct Forest {
  double base = 0;
  std::vector<std::vector<Node>> trees;

  double score(const series::Features& x) const {
    if (trees.empty()) return x[series::kAgreed];
    double sum = base;
    for (const auto& tree : trees) {
      int i = 0;
      while (tree[i].feature >= 0)
        i = x[tree[i].feature] <= tree[i].limit ? tree[i].low : tree[i].high;
      sum += tree[i].leaf;
    }
    return sum;
  }
};

// SplitMix64: the same on every machine.
double uniform(std::uint64_t& state) {
  std::uint64_t z = state += 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return static_cast<double>((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

void follow(const std::vector<Row>& rows, Labelled& out) {
  std::vector<std::int64_t> steps;
  for (std::size_t i = 1; i < std::min<std::size_t>(rows.size(), 50); ++i) {
    steps.push_back(rows[i].ts_ms - rows[i - 1].ts_ms);
  }
  std::nth_element(steps.begin(), steps.begin() + steps.size() / 2, steps.end());
  const double step = static_cast<double>(std::max<std::int64_t>(1'000, steps[steps.size() / 2]));
  const double per_day = std::max(24.0, 86'400'000 / step);
  series::Baseline baseline;
  series::Evidence evidence;
  for (const auto& row : rows) {
    const double season = baseline.expect(row.ts_ms).season;
    out.rows.push_back(evidence.features(row.ts_ms, row.value, season));
    evidence.observe(row.ts_ms, row.value, season, per_day);
    baseline.observe(row.ts_ms, row.value, per_day);
  }
}

int row_of(const std::vector<Row>& rows, std::string_view time) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].time.substr(0, 19) == time.substr(0, 19)) return static_cast<int>(i);
  }
  return 0;
}

Result<std::vector<Labelled>> read_set(const fs::path& folder, Format format) {
  const bool nab = format == Format::kNab;
  TRY(const auto text, read_file(folder / "truth" / (nab ? "windows.json" : "labels.json")));
  const auto truth = boost::json::parse(text);
  const auto& all = nab ? truth.as_object() : truth.at("series").as_object();
  std::vector<Labelled> out;
  for (const auto& [id, entry] : all) {
    TRY(const auto csv, read_file(folder / "input" / (std::string(id) + ".csv")));
    TRY(const auto rows, parse_rows(csv, format));
    Labelled one;
    one.nab = nab;
    follow(rows, one);
    if (nab) {
      one.warm = static_cast<int>(std::min(750.0, kNabWarm * static_cast<double>(rows.size())));
      for (const auto& window : entry.at("windows").as_array()) {
        one.events.emplace_back(row_of(rows, window.at(0).as_string()),
                                row_of(rows, window.at(1).as_string()));
      }
      one.reach = static_cast<int>(rows.size());
    } else {
      one.warm = kWarm;
      one.reach = static_cast<int>(truth.at("delay").as_int64());
      for (const char* part : {"test", "train"}) {
        for (const auto& event : entry.at(part).as_array()) {
          one.events.emplace_back(static_cast<int>(event.at(0).as_int64()),
                                  static_cast<int>(event.at(1).as_int64()));
        }
      }
    }
    out.push_back(std::move(one));
  }
  std::fprintf(stderr, "%s: %zu series\n", folder.c_str(), out.size());
  return out;
}

void add_examples(const Labelled& series, const Forest& forest, std::vector<Example>& out) {
  const int rows = static_cast<int>(series.rows.size());
  std::vector<bool> labelled(rows);
  // A series with many events counts less for each, as the mean over series does.
  const double weight =
      series.nab ? kNabWeight
                 : std::min(3.0, 3 / std::sqrt(static_cast<double>(series.events.size()) / 4 + 1));
  const auto strongest = [&](int from, int to, auto skip) {
    int best = -1;
    double most = 0;
    for (int i = from; i < to; ++i) {
      if (skip(i)) continue;
      const double score = forest.score(series.rows[i]);
      if (best < 0 || score > most) std::tie(best, most) = std::pair(i, score);
    }
    return best;
  };
  for (const auto& [first, last] : series.events) {
    for (int i = std::max(0, first - 1); i <= std::min(rows - 1, last + kEcho); ++i)
      labelled[i] = true;
    const int row =
        strongest(first, std::min(last, first + series.reach) + 1, [](int) { return false; });
    if (row >= series.warm) out.push_back({&series.rows[row], 1, weight});
  }
  for (int from = series.warm; from < rows; from += kBlock) {
    const int row =
        strongest(from, std::min(rows, from + kBlock), [&](int i) { return labelled[i]; });
    if (row < 0) continue;
    const auto& x = series.rows[row];
    if (x[series::kMedian15] > kLoudMedian || x[series::kAgreed] > kLoudAgreed) {
      out.push_back({&x, 0, 1});
    } else if (from / kBlock % kRareBlocks == 0) {
      out.push_back({&x, 0, kRareBlocks});
    }
  }
}

// One round of boosting from the start.
class Boosting {
 public:
  Boosting(const std::vector<Example>& examples, std::uint64_t& random)
      : examples_(examples), random_(random), bins_(examples.size()), limits_(series::kFeatures) {
    for (int f = 0; f < series::kFeatures; ++f) {
      std::vector<float> values;
      for (std::size_t i = 0; i < examples.size(); i += 1 + examples.size() / 20'000) {
        values.push_back((*examples[i].x)[f]);
      }
      for (const auto& example : examples) {
        if (example.y > 0) values.push_back((*example.x)[f]);
      }
      std::sort(values.begin(), values.end());
      for (int bin = 1; bin < kBins; ++bin) {
        // As it is written into the table
        char text[32];
        std::snprintf(text, sizeof text, "%.4g", values[bin * values.size() / kBins]);
        const float limit = std::stof(text);
        if (limits_[f].empty() || limit > limits_[f].back()) limits_[f].push_back(limit);
      }
      for (std::size_t i = 0; i < examples.size(); ++i) {
        const auto& limits = limits_[f];
        const auto at = std::lower_bound(limits.begin(), limits.end(), (*examples[i].x)[f]);
        bins_[i][f] = static_cast<std::uint8_t>(at - limits.begin());
      }
    }
  }

  Forest run(int trees) {
    double positive = 0, all = 0;
    for (const auto& example : examples_) {
      positive += example.weight * example.y;
      all += example.weight;
    }
    Forest out;
    out.base = std::log(positive / (all - positive));
    std::vector<double> odds(examples_.size(), out.base);
    gradient_.resize(examples_.size());
    hessian_.resize(examples_.size());
    for (int number = 0; number < trees; ++number) {
      columns_.clear();
      for (int f = 0; f < series::kFeatures; ++f) {
        if (uniform(random_) < kColumns) columns_.push_back(f);
      }
      std::vector<std::uint32_t> rows;
      for (std::size_t i = 0; i < examples_.size(); ++i) {
        const double p = 1 / (1 + std::exp(-odds[i]));
        gradient_[i] = examples_[i].weight * (p - examples_[i].y);
        hessian_[i] = examples_[i].weight * p * (1 - p);
        if (uniform(random_) < kRows) rows.push_back(static_cast<std::uint32_t>(i));
      }
      tree_.clear();
      grow(std::move(rows), kDepth);
      out.trees.push_back(tree_);
      Forest one{0, {tree_}};
      for (std::size_t i = 0; i < examples_.size(); ++i) odds[i] += one.score(*examples_[i].x);
    }
    return out;
  }

 private:
  int grow(std::vector<std::uint32_t> rows, int depth) {
    const int me = static_cast<int>(tree_.size());
    tree_.emplace_back();
    double g = 0, h = 0;
    for (const auto i : rows) {
      g += gradient_[i];
      h += hessian_[i];
    }
    tree_[me].leaf = -kStep * g / (h + kRidge);
    if (depth == 0 || h < 2 * kLeastHessian) return me;
    double best = 1e-3;
    int feature = -1, cut = 0;
    for (const int f : columns_) {
      std::array<double, kBins + 1> gs{}, hs{};
      for (const auto i : rows) {
        gs[bins_[i][f]] += gradient_[i];
        hs[bins_[i][f]] += hessian_[i];
      }
      double gl = 0, hl = 0;
      for (int bin = 0; bin < static_cast<int>(limits_[f].size()); ++bin) {
        gl += gs[bin];
        hl += hs[bin];
        if (hl < kLeastHessian || h - hl < kLeastHessian) continue;
        const double gain = gl * gl / (hl + kRidge) + (g - gl) * (g - gl) / (h - hl + kRidge) -
                            g * g / (h + kRidge);
        if (gain <= best) continue;
        best = gain;
        feature = f;
        cut = bin;
      }
    }
    if (feature < 0) return me;
    std::vector<std::uint32_t> low, high;
    for (const auto i : rows) (bins_[i][feature] <= cut ? low : high).push_back(i);
    tree_[me].feature = feature;
    tree_[me].limit = limits_[feature][cut];
    const int l = grow(std::move(low), depth - 1);
    const int r = grow(std::move(high), depth - 1);
    tree_[me].low = l;
    tree_[me].high = r;
    return me;
  }

  const std::vector<Example>& examples_;
  std::uint64_t& random_;
  std::vector<std::array<std::uint8_t, series::kFeatures>> bins_;
  std::vector<std::vector<float>> limits_;
  std::vector<double> gradient_, hessian_;
  std::vector<int> columns_;
  std::vector<Node> tree_;
};

// In heap order, leaves that came early repeated below.
void write_tree(const std::vector<Node>& tree, std::FILE* out) {
  constexpr int kNodes = (1 << kDepth) - 1;
  std::array<int, kNodes> features{};
  std::array<float, kNodes> limits;
  limits.fill(9);
  std::array<double, kNodes + 1> leaves{};
  const std::function<void(int, int)> place = [&](int heap, int node) {
    if (heap >= kNodes) {
      leaves[heap - kNodes] = tree[node].leaf;
      return;
    }
    const bool leaf = tree[node].feature < 0;
    if (!leaf) features[heap] = tree[node].feature;
    if (!leaf) limits[heap] = tree[node].limit;
    place(2 * heap + 1, leaf ? node : tree[node].low);
    place(2 * heap + 2, leaf ? node : tree[node].high);
  };
  place(0, 0);
  for (int i = 0; i < kNodes; ++i) std::fprintf(out, "%s%d", i ? ", " : "    {{", features[i]);
  for (int i = 0; i < kNodes; ++i) std::fprintf(out, "%s%.4g", i ? ", " : "},\n     {", limits[i]);
  for (int i = 0; i <= kNodes; ++i) std::fprintf(out, "%s%.4g", i ? ", " : "},\n     {", leaves[i]);
  std::fprintf(out, "}},\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_anomaly_fit TABLE AIOPS WSD NAB\n");
    return 2;
  }
  std::vector<Labelled> all;
  for (int i = 2; i < 5; ++i) {
    auto set = read_set(argv[i], i == 4 ? Format::kNab : Format::kKpi);
    if (!set) {
      std::fprintf(stderr, "bench_anomaly_fit: %s\n", set.error().message().c_str());
      return 1;
    }
    for (auto& one : *set) all.push_back(std::move(one));
  }
  Forest forest;
  std::uint64_t random = 7;
  for (int round = 1; round <= kRounds; ++round) {
    std::vector<Example> examples;
    for (const auto& one : all) add_examples(one, forest, examples);
    std::fprintf(stderr, "round %d: %zu examples\n", round, examples.size());
    forest = Boosting(examples, random).run(round == kRounds ? kTrees : kTrees / 2);
  }
  std::FILE* out = std::fopen(argv[1], "w");
  if (!out) return 1;
  std::fprintf(out, "// Written by bench_anomaly_fit.\nconstexpr double kBase = %.6f;\n",
               forest.base);
  std::fprintf(out, "constexpr std::array<Tree, %zu> kTrees = {{\n", forest.trees.size());
  for (const auto& tree : forest.trees) write_tree(tree, out);
  std::fprintf(out, "}};\n");
  return std::fclose(out) == 0 ? 0 : 1;
}
