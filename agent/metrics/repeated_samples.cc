#include "agent/metrics/repeated_samples.h"

#include <algorithm>

namespace observeai::agent {

void RepeatedSamples::begin() {
  next_ = 0;
  steady_ = true;
}

void RepeatedSamples::note(const SeriesRef& ref, double value) {
  if (next_ == samples_.size()) samples_.emplace_back();
  Sample& sample = samples_[next_++];
  if (sample.ref.slot == ref.slot && sample.ref.id == ref.id && sample.value == value) return;
  sample = {ref, value};
  steady_ = false;
}

void RepeatedSamples::end() {
  if (next_ != samples_.size()) steady_ = false;
  samples_.resize(next_);
}

bool RepeatedSamples::repeat(SampleSink& sink) const {
  return std::all_of(samples_.begin(), samples_.end(),
                     [&](const Sample& sample) { return sink.again(sample.ref, sample.value); });
}

}  // namespace observeai::agent
