// Weighs the features of one value: a sum of small decision trees (gradient boosting, Friedman 2001), fitted
// once to labelled public series by tests/bench/anomaly_fit.cc and the same for every series everywhere.
#pragma once

#include "controlplane/series/evidence.h"

namespace observeai::series {

// Logarithm of the odds that an anomaly begins at a value with these features, before any threshold.
double forest_log_odds(const Features& features);

}  // namespace observeai::series
