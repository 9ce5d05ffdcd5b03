// Small running figures. Plain values; each add() costs a few nanoseconds.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "controlplane/series/state_bytes.h"

namespace observeai::series {

// Mean with exponential forgetting (Roberts 1959), and a plain mean as long as fewer than `span` values came:
// what is young is not dragged towards zero.
struct MovingMean {
  double mean = 0;
  std::uint32_t count = 0;  // Stops at the largest number

  void add(double value, double span) {
    if (count != UINT32_MAX) ++count;
    mean += std::max(2 / (span + 1), 1.0 / count) * (value - mean);
  }
  void write(StateWriter& out) const {
    out.real64(mean);
    out.whole(count, 4);
  }
  bool read(StateReader& in) {
    mean = in.real64();
    count = static_cast<std::uint32_t>(in.whole(4));
    return plausible(mean);
  }
};

// Mean and standard deviation, both with forgetting.
struct MovingSpread {
  MovingMean value;
  MovingMean square;  // Of the difference from `origin`, so that large levels lose no digits
  double origin = 0;

  void add(double x, double span) {
    if (value.count == 0) origin = x;
    value.add(x - origin, span);
    square.add((x - origin) * (x - origin), span);
  }
  double mean() const { return origin + value.mean; }
  double deviation() const {
    return std::sqrt(std::max(0.0, square.mean - value.mean * value.mean));
  }
  void write(StateWriter& out) const {
    value.write(out);
    square.write(out);
    out.real64(origin);
  }
  bool read(StateReader& in) {
    const bool valid = value.read(in) && square.read(in);
    origin = in.real64();
    return valid && plausible(origin);
  }
};

// The largest value of late: halves with every `half` values.
struct FadingMaximum {
  double value = 0;

  void add(double x, double half) { value = std::max(value * std::exp2(-1 / half), x); }
  void write(StateWriter& out) const { out.real64(value); }
  bool read(StateReader& in) {
    value = in.real64();
    return plausible(value) && value >= 0;
  }
};

}  // namespace observeai::series
