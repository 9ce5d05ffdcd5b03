// How fast data came in over the last minute, from counters that only grow.
#pragma once

#include <deque>

#include "controlplane/api/api.h"
#include "controlplane/ingest/ingest_service.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {

// Thread-safe.
class IngestRates {
 public:
  // Call every few seconds.
  void observe(const IngestCounters& counters, SteadyTime now);
  // Unknown until two observations lie apart.
  void fill(api::SystemStatus::Ingest& out) const;

 private:
  static constexpr std::chrono::seconds kWindow{60};
  struct Reading {
    SteadyTime at;
    double batches = 0;
    double samples = 0;
    double log_records = 0;
    double bytes = 0;
  };
  mutable Mutex mutex_;
  std::deque<Reading> readings_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane
