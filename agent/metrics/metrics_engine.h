// Takes a scrape of the host, its containers and its process groups. Owns the collectors and the
// series dictionary. One thread; the same thread need not call it each time. A scrape never fails
// as a whole: what each collector could not give is in its report.
//
//   result = engine.scrape(input);
//   spool.commit(... result.new_series ... encode(result.scrape));
//   engine.committed();  // Only after it succeeded; otherwise the next result repeats all of this
//   spool.forget_series(result.forgotten);  // Not repeated: for the caller to try again
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/metrics/collector.h"
#include "agent/metrics/series_dictionary.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

struct ScrapeInput {
  std::int64_t now_ms = 0;
  std::span<const ObservedContainer> containers;  // All of the inventory, running or not
  std::span<const ProcessUsage> processes;        // Empty: no process detail this time
  std::span<const SelfValue> self;
  std::span<const LogLines> log_lines;
};

struct CollectorReport {
  std::string_view name;
  std::int64_t duration_us = 0;
  std::optional<Error> error;  // kNotFound: this machine does not have the source
};

struct ScrapeResult {
  wire::Scrape scrape;
  std::vector<wire::SeriesDefinition> new_series;
  std::vector<std::uint32_t> forgotten;
  std::uint64_t refused = 0;        // Samples left out of this scrape, for a limit
  std::vector<wire::Event> events;  // metrics.refused, once, when samples begin to be left out
  std::vector<CollectorReport> collectors;
  std::int64_t duration_us = 0;
};

class MetricsEngine {
 public:
  // Attributes that rarely change are read once a minute at an interval of 10 s.
  static constexpr std::uint64_t kSlowTurnEvery = 6;
  // A host at the limit may cross it at every scrape: a refusal is said again only after so many
  // scrapes without one (five minutes at 10 s).
  static constexpr std::uint32_t kQuietScrapes = 30;
  // Containers removed while nothing can be committed; with more of them, their series are
  // forgotten by age. Each costs one pass over all series once.
  static constexpr std::size_t kMaxRemoved = 1'000;

  // `known` and `next_id` as the spool gave them at the start. Nothing given is referred to later:
  // a scrape that hangs may outlive whoever made the engine.
  MetricsEngine(const MetricRoots& roots, HostCalls calls,
                const std::vector<wire::SeriesDefinition>& known, std::uint32_t next_id,
                SeriesLimits limits = {});

  ScrapeResult scrape(const ScrapeInput& input);
  void committed();

  std::size_t kept_files() const { return files_.kept(); }
  const SeriesCounts& series_counts() const { return dictionary_.counts(); }
  std::uint64_t malformed() const { return malformed_; }

 private:
  void forget_removed();
  void note_listed(std::span<const ObservedContainer> containers);
  std::vector<SelfValue> self_values(std::span<const SelfValue> given) const;
  void note_refused(std::uint64_t refused, ScrapeResult& result);

  const SystemClock clock_;  // For durations alone
  FileReader files_;         // Outlives the collectors, whose files it counts
  SeriesDictionary dictionary_;
  std::vector<std::unique_ptr<Collector>> collectors_;
  // Ids of containers, sorted.
  std::vector<std::string> listed_;   // In the last scrape
  std::vector<std::string> marking_;  // And in those before it, back to the last one committed
  std::vector<std::string> removed_;  // Whose series have had their stale mark
  std::uint64_t turn_ = 0;
  std::uint64_t malformed_ = 0;
  std::uint64_t failures_ = 0;
  std::uint32_t quiet_scrapes_ = 0;
  bool refusal_given_ = false;  // In the last result
  bool refusal_told_ = false;   // In a result that was committed
  double last_duration_s_ = 0;
};

}  // namespace observeai::agent
