// Where collectors put values. The ref is the caller's cache for one series: the first add() fills
// it, later ones cost no string building.
#pragma once

#include <string_view>

#include "agent/metrics/series_dictionary.h"

namespace observeai::agent {

class SampleSink {
 public:
  explicit SampleSink(SeriesDictionary& dictionary) : dictionary_(dictionary) {}

  void add(std::string_view target, SeriesRef& ref, const Metric& metric, LabelViews labels,
           double value) {
    if (dictionary_.set(ref, value)) return;
    ref = dictionary_.resolve(target, metric, labels);
    dictionary_.set(ref, value);
  }
  // For a series that was added before. False: it is not known any more.
  bool again(const SeriesRef& ref, double value) { return dictionary_.set(ref, value); }
  void host(SeriesRef& ref, const Metric& metric, LabelViews labels, double value) {
    add(wire::kHostTarget, ref, metric, labels, value);
  }
  void host(SeriesRef& ref, const Metric& metric, double value) { host(ref, metric, {}, value); }

 private:
  SeriesDictionary& dictionary_;
};

}  // namespace observeai::agent
