#include "controlplane/store/last_values.h"

#include <set>

#include "controlplane/store/series.h"
#include "controlplane/store/series_use.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::controlplane::store {
namespace {

constexpr int kChunks = 64;  // Of each partition: ten minutes and more at the usual intervals
constexpr std::size_t kPartitions = 2;

constexpr const char* kNewestChunks =
    "SELECT codec, body FROM sample_chunks WHERE epoch_no=? ORDER BY last_ms DESC LIMIT ?";

Result<void> read_newest(sql::Database& db, std::int64_t epoch_no, EpochState& into) {
  TRY(auto row, db.query(kNewestChunks, epoch_no, kChunks));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    const auto samples =
        wire::decode_samples(row.blob(1), static_cast<wire::Codec>(row.integer(0)));
    if (samples)
      take_values(into, *samples, 0);  // A damaged chunk is told by the queries that need it.
  }
}

std::set<std::uint32_t> ids_of(const std::vector<DefinedSeries>& defined) {
  std::set<std::uint32_t> ids;
  for (const auto& series : defined) ids.insert(series.id);
  return ids;
}

// Everything that is defined, with the newest values found.
Result<EpochState> find_values(StateDb& state, Partitions& partitions, std::int64_t epoch_no) {
  EpochState found;
  TRY(const auto defined,
      state.read([&](sql::Database& db) { return defined_series(db, epoch_no); }));
  for (const auto& series : defined) found.values[series.id].used_day = day_of(series.used_ms);
  auto all = partitions.snapshot();
  std::reverse(all.begin(), all.end());
  if (all.size() > kPartitions) all.resize(kPartitions);
  for (const auto& partition : all) {
    auto read =
        partition->read([&](sql::Database& db) { return read_newest(db, epoch_no, found); });
    if (!read && read.error().code() == Errc::kCorrupt)
      partitions.quarantine(partition, read.error());
  }
  // Samples of a series that is forgotten are not shown any more.
  const std::set<std::uint32_t> ids = ids_of(defined);
  std::erase_if(found.values, [&](const auto& entry) { return !ids.contains(entry.first); });
  return found;
}

}  // namespace

void take_values(EpochState& epoch, const wire::SampleBatch& samples, std::uint32_t day) {
  for (const auto& scrape : samples.scrapes) {
    for (std::size_t i = 0; i < scrape.series.size(); ++i) {
      LastValue& last = epoch.values[scrape.series[i]];
      last.take(scrape.ts_ms, scrape.values[i]);
      if (day <= last.used_day) continue;
      last.used_day = day;
      epoch.used_anew.push_back(scrape.series[i]);
    }
  }
}

Result<void> load_values(StateDb& state, EpochBook& book, Partitions& partitions,
                         std::int64_t epoch_no) {
  const Error forgotten(Errc::kNotFound, "the epoch is forgotten");
  for (;;) {
    std::uint64_t forgotten_series = 0;
    {
      MutexLock lock(book.mutex);
      const auto* epoch = book.find(epoch_no);
      if (epoch == nullptr) return forgotten;
      if (epoch->values_loaded) return {};
      forgotten_series = epoch->forgotten_series;
    }
    TRY(const auto found, find_values(state, partitions, epoch_no));
    MutexLock lock(book.mutex);
    auto* epoch = book.find(epoch_no);
    if (epoch == nullptr) return forgotten;
    if (epoch->forgotten_series != forgotten_series)
      continue;  // Some of `found` may be among them.
    for (const auto& [id, value] : found.values) epoch->values[id].merge(value);
    epoch->values_loaded = true;
    return {};
  }
}

}  // namespace observeai::controlplane::store
