// What one resource used, step by step: newest steps one by one, older ones as means of ever more steps.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <span>

namespace observeai::predict {

// Mean of what was known in some steps.
struct Point {
  float age = 0;     // Steps from its middle to the newest step
  float value = 0;   // used / limit
  float weight = 0;  // Steps in it
};

// Not thread-safe, no allocation. 1,024 + steps back.
class History {
 public:
  static constexpr int kFine = 16;    // Steps kept one by one
  static constexpr int kMiddle = 96;  // Means of kMiddleSteps
  static constexpr int kMiddleSteps = 4;
  static constexpr int kCoarse = 32;  // Means of kCoarseSteps
  static constexpr int kCoarseSteps = 32;
  static constexpr int kMaxPoints = 1 + kMiddle + kCoarse;

  History() { clear(); }
  void clear();
  void push(float value);          // NaN: not known
  void skip(std::uint64_t steps);  // So many steps are not known
  void scale(float factor);        // Every value becomes value * factor

  // Steps since the first, as far as they matter here.
  int steps() const { return static_cast<int>(pushed_); }
  // `age` steps back: [0, kFine); NaN: not known.
  float fine(int age) const;
  // Mean of what is known in `count` steps from `age` back; NaN: nothing is.
  float mean(int age, int count) const;

  // Highest mean of kMiddleSteps steps that lie wholly at least `age` steps back; -infinity: none
  // is known.
  float highest_before(int age) const;
  // Mean of the first known bucket in memory; NaN: nothing is known.
  float oldest() const;
  // What push() let go: the highest such mean in the kCoarseSteps steps that were forgotten last; NaN: none.
  float forgotten() const { return forgotten_; }

  // Newest first; returns the part of `out` that was filled.
  std::span<const Point> points(std::span<Point, kMaxPoints> out) const;

  template <class Visitor>
  void each_field(Visitor&& visit) {
    visit(fine_);
    visit(middle_);
    visit(coarse_);
    visit(highest_);
    visit(pushed_);
    visit(middle_sum_);
    visit(coarse_sum_);
    visit(middle_known_);
    visit(coarse_known_);
    visit(coarse_high_);
    visit(forgotten_);
  }
  bool valid() const { return pushed_ < 2 * kCycle; }

 private:
  // After so many steps every ring is at its beginning again.
  static constexpr std::uint32_t kCycle =
      std::lcm(kFine, std::lcm(kMiddle* kMiddleSteps, kCoarse* kCoarseSteps));

  std::array<float, kFine> fine_;
  std::array<float, kMiddle> middle_;
  std::array<float, kCoarse> coarse_;
  std::array<float, kCoarse> highest_;  // Mean of kMiddleSteps in each of them
  std::uint32_t pushed_ = 0;            // From kCycle on only its place in the cycle counts
  float middle_sum_ = 0;                // Of the bucket that is not full yet
  float coarse_sum_ = 0;
  float middle_known_ = 0;
  float coarse_known_ = 0;
  float coarse_high_ = 0;
  float forgotten_ = 0;
};

}  // namespace observeai::predict
