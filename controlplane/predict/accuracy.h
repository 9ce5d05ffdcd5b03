// How good predictions were. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::predict {

enum class Outcome : std::uint8_t { kHit, kMiss, kFalseAlarm, kPrevented, kUnknown };

struct Closed {
  Outcome outcome = Outcome::kUnknown;
  std::int64_t lead_ms = 0;  // Of a hit: event - first alarm
  std::int64_t error_ms =
      0;  // Of a hit: when it was said to be most likely, first - event; + = too late
  // What came later than this after the alarm was not what the alarm spoke of.
  std::int64_t longest_useful_ms = std::numeric_limits<std::int64_t>::max();
};

// A person needs this long to do something.
inline constexpr std::int64_t kUsefulLeadMs = 15 * 60'000;
// An alarm says "within a horizon"; one that stood for longer than so many was of no use.
inline constexpr std::int64_t kUsefulHorizons = 3;

// What was announced. "Prevented" and "unknown" count for neither side: nobody knows what would have come.
struct Announced {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t false_alarms = 0;
  std::uint64_t prevented = 0;
  std::uint64_t unknown = 0;
  std::optional<double> precision;      // hits / (hits + false alarms)
  std::optional<double> recall;         // hits / (hits + misses), sudden failures among them
  std::optional<double> useful_recall;  // The same, of hits with a useful lead
  std::optional<std::int64_t> lead_median_ms;
  std::optional<std::int64_t> lead_p10_ms;      // One of ten hits had less
  std::optional<std::int64_t> error_median_ms;  // Of |error_ms|
};
Announced announced(std::span<const Closed> closed);

// Probabilities that were stated for every followed resource, alarmed or not, and what came true: running
// sums.
class Calibration {
 public:
  static constexpr std::size_t kBins = 10;
  struct Bin {
    std::uint64_t count = 0;
    std::uint64_t happened = 0;
    double sum_p = 0;
    bool operator==(const Bin&) const = default;
  };

  void add(double p, bool happened);
  void add(const Calibration& other);

  std::uint64_t count() const;
  std::uint64_t happened() const;
  std::optional<double> brier() const;  // Mean of (p - outcome)^2
  // 1 - Brier / that of stating the mean outcome each time; none before something happened.
  std::optional<double> skill() const;
  const std::array<Bin, kBins>& bins() const { return bins_; }  // [0, .1), [.1, .2) ... [.9, 1]

  std::string encode() const;
  static Result<Calibration> decode(std::string_view bytes);  // kCorrupt
  bool operator==(const Calibration&) const = default;

 private:
  std::array<Bin, kBins> bins_{};
  double sum_squares_ = 0;
};

// A stated probability that waits for its horizon to pass. One at a time: the horizons of two do not overlap,
// so that what they teach is not told twice.
struct StatedProbability {
  std::int64_t made_ms = 0;  // 0: none waits
  double p = 0;
  bool operator==(const StatedProbability&) const = default;
};

}  // namespace observeai::predict
