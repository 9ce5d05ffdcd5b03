// Which series are still in use: what no agent sends any more is forgotten, or every container that ever
// ran would stay in state.db and in memory. Internal to controlplane/store.
#pragma once

#include "controlplane/store/epoch_book.h"
#include "controlplane/store/partitions.h"

namespace observeai::controlplane::store {

// Use is told by days: a series in use costs one write a day.
inline constexpr std::int64_t kDayMs = 86'400'000;
std::uint32_t day_of(std::int64_t ms);

// Committing thread only. Each call does a bounded part of the work, commits wait behind it.
class SeriesUse {
 public:
  SeriesUse(StateDb& state, EpochBook& book, Partitions& partitions)
      : state_(state), book_(book), partitions_(partitions) {}

  // Writes what came into use on another day than is written.
  Result<void> write_marks();
  // Once a day: drops series that were last used before `before_ms`, then epochs that are not the newest
  // of their agent and have neither series nor batches left. A sample of a dropped series is answered
  // with kNeedSeries, and its definition comes again.
  Result<void> forget(std::int64_t before_ms, std::int64_t now_ms);
  // forget() has nothing left to do on this day.
  bool is_done(std::int64_t now_ms) const { return done_day_ == day_of(now_ms); }

 private:
  struct SeriesKey {
    std::int64_t epoch_no = 0;
    std::int64_t id = -1;
  };
  Result<std::vector<SeriesKey>> next_unused(std::int64_t before_ms);
  Result<void> drop_series(const std::vector<SeriesKey>& unused, std::int64_t before_ms);
  Result<std::vector<std::int64_t>> epochs_left_behind(std::int64_t before_ms);
  Result<void> drop_epochs(std::int64_t before_ms);

  StateDb& state_;
  EpochBook& book_;
  Partitions& partitions_;
  SeriesKey at_;  // How far the search of this day has come
  std::uint32_t done_day_ = 0;
};

}  // namespace observeai::controlplane::store
