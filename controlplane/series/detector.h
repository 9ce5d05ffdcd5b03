// Is this value of a series an anomaly? One object follows one series.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::series {

// What is said of one value. Plain.
struct Verdict {
  // 0..1, comparable across series: how sure it is that an anomaly begins or grows here. 0 while `missing`.
  double score = 0;
  bool alarm = false;  // score >= Detector::kAlarmScore: tell a person. Once for each anomaly
  // P(a deviation at least as large), from what this series did before; for discovery.h. 1 while `missing`.
  double p = 1;
  double expected = 0;  // In the unit of the series
  double scale = 0;     // Its usual deviation from `expected`, in the same unit
  std::uint32_t missing =
      0;  // Observations still needed before anything is claimed; 0: it knows enough
  bool operator==(const Verdict&) const = default;
};

// Not thread-safe; bounded state, see README.md. Deterministic: the same observations give the same verdicts,
// whether or not the state was encoded and decoded in between. The verdict depends on what was observed up
// to that call only.
class Detector {
 public:
  static constexpr double kAlarmScore = 0.5;
  // Observations before the first claim about a single value. Records (records.h) are claimed from 168
  // blocks of five minutes on, or of one observation where those are rarer.
  static constexpr std::uint32_t kColdStart = 432;
  // Larger values are taken as this large: floats and squares stay finite.
  static constexpr double kLargest = 1e30;
  static constexpr std::size_t kMaxStateBytes = 6'144;

  Detector();
  Detector(Detector&&) noexcept;
  Detector& operator=(Detector&&) noexcept;
  ~Detector();

  // `ts_ms` (unix) is used for the time of the week and for how often values come: a time stamp that repeats
  // or goes back is one more observation. A value that is not finite is not known: nothing is learned, the
  // verdict says 0.
  Verdict observe(std::int64_t ts_ms, double value);

  std::string encode() const;
  // kInvalid: not of this version, damaged.
  static Result<Detector> decode(std::string_view bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace observeai::series
