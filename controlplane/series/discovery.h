// Which of many p-values are discoveries, so that of those told only a stated share is false.
//
// A control plane looks at thousands of series at each tick: with one threshold for all, a fixed share of
// healthy series alarms each time. What is controlled here is the false discovery rate: the expected share
// of false ones among those that are told. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace observeai::series {

// One tick: which of `p` (0..1; NaN: not known, never told) are discoveries at false discovery rate `rate`,
// as indices in ascending order. Benjamini & Hochberg 1995: the largest k with p_(k) <= k/m * rate. Holds for
// independent and positively dependent p-values (Benjamini & Yekutieli 2001), which is what series of one
// host are. m counts the known ones.
std::vector<std::size_t> discoveries(std::span<const double> p, double rate);

// A stream of p-values, decided one after the other and for ever: LORD++ (Ramdas et al. 2017). Every test
// spends of an alpha wealth, every discovery earns some back. State: the times of the newest kKept
// discoveries; what older ones would still add is given up, which keeps the rate.
class OnlineDiscovery {
 public:
  static constexpr std::size_t kKept = 64;

  // 0 < rate < 1.
  explicit OnlineDiscovery(double rate);

  // True: a discovery. NaN is not a test.
  bool test(double p);

  // What the next p-value must not exceed.
  double level() const;

 private:
  double rate_;
  std::uint64_t tests_ = 0;
  std::uint64_t first_ = 0;             // The test of the first discovery, 0: none yet
  std::vector<std::uint64_t> later_{};  // Those of the later ones, newest last
};

}  // namespace observeai::series
