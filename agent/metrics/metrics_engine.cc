#include "agent/metrics/metrics_engine.h"

#include <algorithm>
#include <iterator>

namespace observeai::agent {
namespace {

std::int64_t microseconds(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
}

}  // namespace

MetricsEngine::MetricsEngine(const MetricRoots& roots, HostCalls calls,
                             const std::vector<wire::SeriesDefinition>& known,
                             std::uint32_t next_id, SeriesLimits limits)
    : dictionary_(known, next_id, limits), collectors_(make_collectors(roots, std::move(calls))) {}

ScrapeResult MetricsEngine::scrape(const ScrapeInput& input) {
  const SteadyTime started = clock_.steady_now();
  const std::vector<SelfValue> self = self_values(input.self);
  const std::uint64_t refused_before = dictionary_.counts().refused;
  CollectContext context{files_,
                         input.now_ms,
                         turn_++ % kSlowTurnEvery == 0,
                         input.containers,
                         input.processes,
                         self,
                         input.log_lines,
                         0};
  SampleSink sink(dictionary_);
  forget_removed();
  note_listed(input.containers);
  dictionary_.begin(input.now_ms);

  ScrapeResult result;
  result.collectors.reserve(collectors_.size());
  SteadyTime before = clock_.steady_now();
  for (const auto& collector : collectors_) {
    const Result<void> outcome = collector->collect(context, sink);
    const SteadyTime after = clock_.steady_now();
    CollectorReport report{collector->name(), microseconds(before, after), std::nullopt};
    if (!outcome) {
      report.error = outcome.error();
      if (outcome.error().code() != Errc::kNotFound) ++failures_;
    }
    result.collectors.push_back(std::move(report));
    before = after;
  }
  malformed_ += context.malformed;

  result.scrape = dictionary_.finish();
  result.new_series = dictionary_.new_definitions();
  result.forgotten = dictionary_.forgotten();
  result.refused = dictionary_.counts().refused - refused_before;
  note_refused(result.refused, result);
  result.duration_us = microseconds(started, clock_.steady_now());
  last_duration_s_ = static_cast<double>(result.duration_us) / 1e6;
  return result;
}

void MetricsEngine::note_listed(std::span<const ObservedContainer> containers) {
  listed_.clear();
  for (const ObservedContainer& container : containers) listed_.push_back(container.facts.id);
  std::sort(listed_.begin(), listed_.end());
  std::vector<std::string> all;
  std::set_union(marking_.begin(), marking_.end(), listed_.begin(), listed_.end(),
                 std::back_inserter(all));
  marking_ = all.size() <= listed_.size() + kMaxRemoved ? std::move(all) : listed_;
}

// The id of a removed container never comes back, so neither do its series.
void MetricsEngine::forget_removed() {
  for (const std::string& id : removed_) dictionary_.forget(container_target(id));
  removed_.clear();
}

void MetricsEngine::committed() {
  dictionary_.committed();
  refusal_told_ = refusal_told_ || refusal_given_;
  removed_.clear();
  std::set_difference(marking_.begin(), marking_.end(), listed_.begin(), listed_.end(),
                      std::back_inserter(removed_));
  marking_ = listed_;
}

void MetricsEngine::note_refused(std::uint64_t refused, ScrapeResult& result) {
  refusal_given_ = false;
  if (refused == 0) {
    if (++quiet_scrapes_ >= kQuietScrapes) refusal_told_ = false;
    return;
  }
  quiet_scrapes_ = 0;
  if (refusal_told_) return;
  refusal_given_ = true;
  wire::Event event;
  event.ts_ms = result.scrape.ts_ms;
  event.kind = "metrics.refused";
  event.target = wire::kHostTarget;
  event.severity = wire::Severity::kWarning;
  event.message = std::to_string(refused) +
                  " samples do not fit a scrape and are left out, those of containers first; "
                  "observeai_agent_series_refused_total counts them";
  result.events.push_back(std::move(event));
}

std::vector<SelfValue> MetricsEngine::self_values(std::span<const SelfValue> given) const {
  const SeriesCounts& counts = dictionary_.counts();
  const auto gauge_kind = wire::MetricKind::kGauge;
  const auto counter_kind = wire::MetricKind::kCounter;
  const auto as_double = [](auto value) { return static_cast<double>(value); };
  std::vector<SelfValue> values(given.begin(), given.end());
  values.push_back({"scrape_duration_seconds", gauge_kind, last_duration_s_});
  values.push_back({"series_known", gauge_kind, as_double(dictionary_.known())});
  values.push_back({"series_refused_total", counter_kind, as_double(counts.refused)});
  values.push_back({"samples_not_finite_total", counter_kind, as_double(counts.not_finite)});
  values.push_back({"samples_duplicate_total", counter_kind, as_double(counts.duplicates)});
  values.push_back({"metric_lines_malformed_total", counter_kind, as_double(malformed_)});
  values.push_back({"collector_failures_total", counter_kind, as_double(failures_)});
  return values;
}

}  // namespace observeai::agent
