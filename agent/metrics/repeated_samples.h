// What a container gave in its last whole look, to be given again while nothing runs in it: an idle
// container then costs two reads instead of fourteen.
#pragma once

#include <cstddef>
#include <vector>

#include "agent/metrics/sample_sink.h"

namespace observeai::agent {

class RepeatedSamples {
 public:
  // begin(), then note() for each sample in the order of the last time, then end().
  void begin();
  void note(const SeriesRef& ref, double value);
  void end();

  // The last two whole looks gave the same: nothing goes on that was begun before, such as a wait for a
  // disk, which needs no processor time.
  bool steady() const { return steady_; }
  // False: one of the series is not known any more; look at all.
  bool repeat(SampleSink& sink) const;

 private:
  struct Sample {
    SeriesRef ref;
    double value = 0;
  };
  std::vector<Sample> samples_;
  std::size_t next_ = 0;
  bool steady_ = false;
};

}  // namespace observeai::agent
