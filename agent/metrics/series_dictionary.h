// Numbers every series (target, name, labels) once in an epoch and gathers the values of one
// scrape.
//
//   begin() ; set() / resolve()+set() for each value ; finish() -> wire::Scrape
//
// A caller keeps the SeriesRef that resolve() gave, so that a steady scrape builds no strings:
// set() is an index, a comparison and a store. A ref of a series that was forgotten is refused by
// set() and resolved again. Ids are never reused. New definitions and stale marks (NaN) are
// repeated until committed() says that the spool has them, so a failed commit loses none. One
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/wire/signals.h"

namespace observeai::agent {

struct SeriesRef {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::uint32_t slot = kNone;
  std::uint32_t id = 0;
};

struct Metric {
  std::string_view name;
  wire::MetricKind kind = wire::MetricKind::kGauge;
};
constexpr Metric gauge(std::string_view name) {
  return {name, wire::MetricKind::kGauge};
}
constexpr Metric counter(std::string_view name) {
  return {name, wire::MetricKind::kCounter};
}

struct LabelView {
  std::string_view name;
  std::string_view value;
};
using LabelViews = std::initializer_list<LabelView>;

struct SeriesLimits {
  // 1,300 containers at 45 series each; a scrape stays below 180 KiB on the wire.
  std::size_t per_scrape = 60'000;
  // Known = in the scrape plus gone for less than kForgetAfterScrapes; about 250 bytes each.
  std::size_t known = 120'000;
};

// What was refused so far; reported with the agent's own metrics.
struct SeriesCounts {
  std::uint64_t refused = 0;     // Samples beyond a limit
  std::uint64_t not_finite = 0;  // NaN is the stale mark, so such values cannot be sent
  std::uint64_t duplicates = 0;  // Second value of a series in one scrape; the first one counts
};

class SeriesDictionary {
 public:
  // Series gone this long are forgotten (an hour at 10 s): a device that comes back soon keeps its
  // id.
  static constexpr std::uint32_t kForgetAfterScrapes = 360;
  // Series known from before a restart get this many scrapes to show up before they count as gone.
  static constexpr std::uint32_t kLoadedGraceScrapes = 3;
  // Longer label values are cut; the longest useful ones are mount points and image names.
  static constexpr std::size_t kMaxLabelBytes = 512;

  // `known` and `next_id` as Spool::series() and Spool::next_series_id() gave them.
  SeriesDictionary(const std::vector<wire::SeriesDefinition>& known, std::uint32_t next_id,
                   SeriesLimits limits = {});

  void begin(std::int64_t ts_ms);
  // Finds or creates; slot kNone when the limit is reached (counted).
  SeriesRef resolve(std::string_view target, const Metric& metric, LabelViews labels);
  // False: the ref is not (or no longer) known, resolve again.
  bool set(SeriesRef ref, double value) {
    if (ref.slot >= slots_.size() || slots_[ref.slot].id != ref.id || ref.id == 0) return false;
    store(slots_[ref.slot], value);
    return true;
  }
  // Ids ascend. A series that had a value and has none gets a NaN, until one is committed.
  wire::Scrape finish();

  // Forgets all series whose target starts with the prefix, between finish() and begin().
  void forget(std::string_view target_prefix);

  // To be committed with or before the last scrape; they stay until committed().
  const std::vector<wire::SeriesDefinition>& new_definitions() const { return new_definitions_; }
  const std::vector<std::uint32_t>& forgotten() const { return forgotten_; }
  void committed();

  std::size_t known() const { return by_key_.size(); }
  const SeriesCounts& counts() const { return counts_; }

 private:
  struct Slot {
    std::uint32_t id = 0;  // 0 = free
    std::uint32_t seen_in = kLoaded;
    double value = 0;
    const std::string* key = nullptr;  // In by_key_
    bool live = false;  // Had a value in a finished scrape, and no stale mark since was committed
  };
  static constexpr std::uint32_t kLoaded = 0;  // Not seen since the start; scrapes count from 1

  void store(Slot& slot, double value);
  std::uint32_t take_slot();
  void add_slot(std::string key, std::uint32_t id, bool live);
  void drop_slot(std::uint32_t index);
  bool forget_gone();

  SeriesLimits limits_;
  std::uint32_t next_id_;
  std::uint32_t scrape_ = 0;
  std::int64_t ts_ms_ = 0;
  std::size_t present_ = 0;  // Series with a value in this scrape
  std::size_t last_size_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> by_id_;  // Slots in order of their ids
  std::unordered_map<std::string, std::uint32_t> by_key_;
  std::vector<wire::SeriesDefinition> new_definitions_;
  std::vector<std::uint32_t> forgotten_;
  std::vector<SeriesRef> marked_;  // Stale in the last scrape
  SeriesCounts counts_;
};

}  // namespace observeai::agent
