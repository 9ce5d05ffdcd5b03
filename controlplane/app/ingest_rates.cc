#include "controlplane/app/ingest_rates.h"

namespace observeai::controlplane {

void IngestRates::observe(const IngestCounters& counters, SteadyTime now) {
  const auto lane = [&](wire::Lane which) {
    return static_cast<double>(counters.signals_stored[static_cast<std::size_t>(which)]);
  };
  MutexLock lock(mutex_);
  readings_.push_back({now, static_cast<double>(counters.batches_stored),
                       lane(wire::Lane::kMetrics), lane(wire::Lane::kLogs),
                       static_cast<double>(counters.bytes_received)});
  while (readings_.size() > 2 && now - readings_.front().at > kWindow) readings_.pop_front();
}

void IngestRates::fill(api::SystemStatus::Ingest& out) const {
  MutexLock lock(mutex_);
  if (readings_.size() < 2) return;
  const Reading& first = readings_.front();
  const Reading& last = readings_.back();
  const double seconds = std::chrono::duration<double>(last.at - first.at).count();
  if (seconds <= 0) return;
  out.batches_per_s = (last.batches - first.batches) / seconds;
  out.samples_per_s = (last.samples - first.samples) / seconds;
  out.log_records_per_s = (last.log_records - first.log_records) / seconds;
  out.bytes_per_s = (last.bytes - first.bytes) / seconds;
}

}  // namespace observeai::controlplane
