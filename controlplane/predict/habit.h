// What a series usually does: the empirical null that growth is measured against.
#pragma once

#include <cstdint>

#include "controlplane/predict/growth.h"

namespace observeai::predict {

class Habit {
 public:
  static constexpr int kLag = 8;
  // One more step in which nothing unusual grew. `level`: mean of the newest few steps; `earlier`: the same
  // kLag steps before, NaN: not known.
  void learn(float level, float earlier);
  // The highest level that was ever usual.
  void note_level(float level);
  void scale(float factor);

  float level() const { return level_; }
  float record() const { return record_; }
  std::uint32_t steps() const { return steps_; }
  Noise noise() const;

  template <class Visitor>
  void each_field(Visitor&& visit) {
    visit(level_);
    visit(variance_);
    visit(change_);
    visit(record_);
    visit(steps_);
  }
  bool valid() const { return true; }

 private:
  float level_ = 0;
  float variance_ = 0;
  float change_ = 0;  // Mean square within kLag steps
  float record_ = 0;
  std::uint32_t steps_ = 0;
};

}  // namespace observeai::predict
