#include "controlplane/store/series_use.h"

#include <limits>

#include "protocol/base/log.h"

namespace observeai::controlplane::store {
namespace {

constexpr std::size_t kChunk = 5'000;  // Rows of one transaction
constexpr int kChunksOfCall = 10;
constexpr int kEpochsOfCall = 1'000;

constexpr const char* kMark = "UPDATE series SET used_ms=? WHERE epoch_no=? AND id=?";
constexpr const char* kUnused =
    "SELECT epoch_no, id FROM series WHERE (epoch_no, id)>(?, ?) AND used_ms<=? ORDER BY epoch_no, "
    "id LIMIT ?";
constexpr const char* kDropSeries = "DELETE FROM series WHERE epoch_no=? AND id=?";
constexpr const char* kLeftBehind =
    "SELECT no FROM epochs e WHERE first_ms<? AND no<(SELECT max(no) FROM epochs WHERE "
    "agent=e.agent)"
    " AND NOT EXISTS (SELECT 1 FROM series WHERE epoch_no=e.no) ORDER BY no LIMIT ?";
constexpr const char* kHasBatches =
    "SELECT count(*) FROM (SELECT 1 FROM batches WHERE epoch_no=? LIMIT 1)";
constexpr const char* kDropEpoch[] = {
    "DELETE FROM cursors WHERE epoch_no=?",
    "DELETE FROM control_batches WHERE epoch_no=?",
    "DELETE FROM control_waiting WHERE epoch_no=?",
    "DELETE FROM control_origins WHERE epoch_no=?",
    "DELETE FROM ledger WHERE epoch_no=?",
    "DELETE FROM stored WHERE epoch_no=?",
    "DELETE FROM lost WHERE epoch_no=?",
    "DELETE FROM epochs WHERE no=?",
};

}  // namespace

std::uint32_t day_of(std::int64_t ms) {
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(ms / kDayMs, 0, std::numeric_limits<std::uint32_t>::max()));
}

Result<void> SeriesUse::write_marks() {
  std::vector<EpochState*> epochs;
  {
    MutexLock lock(book_.mutex);
    epochs = book_.of_agent(AgentId());
  }
  std::size_t left = kChunk * kChunksOfCall;
  for (EpochState* epoch : epochs) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> marks;  // Series, day
    std::size_t count = 0;
    {
      MutexLock lock(book_.mutex);
      count = std::min({epoch->used_anew.size(), kChunk, left});
      for (auto at = epoch->used_anew.end() - static_cast<std::ptrdiff_t>(count);
           at != epoch->used_anew.end(); ++at) {
        if (const auto value = epoch->values.find(*at); value != epoch->values.end()) {
          marks.emplace_back(*at, value->second.used_day);
        }
      }
      left -= count;
    }
    if (count == 0) continue;
    TRY_VOID(state_.write([&](sql::Database& db) -> Result<void> {
      for (const auto& [id, day] : marks) {
        TRY_VOID(db.run(kMark, day * kDayMs, epoch->no, id));
      }
      return {};
    }));
    MutexLock lock(book_.mutex);
    epoch->used_anew.resize(epoch->used_anew.size() - count);
  }
  return {};
}

Result<void> SeriesUse::forget(std::int64_t before_ms, std::int64_t now_ms) {
  if (is_done(now_ms)) return {};
  for (int chunk = 0; chunk < kChunksOfCall; ++chunk) {
    TRY(const auto unused, next_unused(before_ms));
    if (unused.empty()) {
      TRY_VOID(drop_epochs(before_ms));
      at_ = {};
      done_day_ = day_of(now_ms);
      return {};
    }
    TRY_VOID(drop_series(unused, before_ms));
    at_ = unused.back();
  }
  return {};
}

Result<std::vector<SeriesUse::SeriesKey>> SeriesUse::next_unused(std::int64_t before_ms) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<SeriesKey>> {
    TRY(auto row, db.query(kUnused, at_.epoch_no, at_.id, before_ms - kDayMs, kChunk));
    std::vector<SeriesKey> keys;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return keys;
      keys.push_back({row.integer(0), row.integer(1)});
    }
  });
}

Result<void> SeriesUse::drop_series(const std::vector<SeriesKey>& unused, std::int64_t before_ms) {
  std::vector<SeriesKey> gone;
  {
    MutexLock lock(book_.mutex);
    for (const auto& key : unused) {  // A mark may not be written yet.
      const auto& values = book_.at(key.epoch_no).values;
      const auto value = values.find(static_cast<std::uint32_t>(key.id));
      const bool is_used =
          value != values.end() && (value->second.used_day + std::int64_t{1}) * kDayMs > before_ms;
      if (!is_used) gone.push_back(key);
    }
  }
  TRY_VOID(state_.write([&](sql::Database& db) -> Result<void> {
    for (const auto& key : gone) {
      TRY_VOID(db.run(kDropSeries, key.epoch_no, key.id));
    }
    return {};
  }));
  MutexLock lock(book_.mutex);
  for (const auto& key : gone) {
    EpochState& epoch = book_.at(key.epoch_no);
    epoch.values.erase(static_cast<std::uint32_t>(key.id));
    ++epoch.forgotten_series;
  }
  return {};
}

Result<std::vector<std::int64_t>> SeriesUse::epochs_left_behind(std::int64_t before_ms) {
  TRY(auto candidates, state_.read([&](sql::Database& db) -> Result<std::vector<std::int64_t>> {
    TRY(auto row, db.query(kLeftBehind, before_ms, kEpochsOfCall));
    std::vector<std::int64_t> numbers;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return numbers;
      numbers.push_back(row.integer(0));
    }
  }));
  for (const auto& partition : partitions_.snapshot()) {
    if (candidates.empty()) break;
    TRY_VOID(partition->read([&](sql::Database& db) -> Result<void> {
      std::vector<std::int64_t> still;
      for (const auto no : candidates) {
        TRY(const auto found, db.scalar(0, kHasBatches, no));
        if (found == 0) still.push_back(no);
      }
      candidates = std::move(still);
      return {};
    }));
  }
  return candidates;
}

Result<void> SeriesUse::drop_epochs(std::int64_t before_ms) {
  TRY(const auto gone, epochs_left_behind(before_ms));
  if (gone.empty()) return {};
  TRY_VOID(state_.write([&](sql::Database& db) -> Result<void> {
    for (const auto no : gone) {
      for (const auto* sql : kDropEpoch) {
        TRY_VOID(db.run(sql, no));
      }
    }
    return {};
  }));
  log::info(std::to_string(gone.size()) + " spools of agents that have newer ones are forgotten");
  MutexLock lock(book_.mutex);
  for (const auto no : gone) book_.forget(no);
  return {};
}

}  // namespace observeai::controlplane::store
