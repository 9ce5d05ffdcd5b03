#include "controlplane/store/last_values.h"

#include "controlplane/store/series.h"
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
    const auto samples = wire::decode_samples(row.blob(1), static_cast<wire::Codec>(row.integer(0)));
    if (samples) take_values(into, *samples);  // A damaged chunk is told by the queries that need it.
  }
}

}  // namespace

void take_values(EpochState& epoch, const wire::SampleBatch& samples) {
  for (const auto& scrape : samples.scrapes) {
    for (std::size_t i = 0; i < scrape.series.size(); ++i) {
      epoch.values[scrape.series[i]].take(scrape.ts_ms, scrape.values[i]);
    }
  }
}

Result<void> load_values(StateDb& state, EpochBook& book, Partitions& partitions, std::int64_t epoch_no) {
  {
    MutexLock lock(book.mutex);
    if (book.at(epoch_no).values_loaded) return {};
  }
  EpochState found;
  TRY(const auto ids, state.read([&](sql::Database& db) { return series_ids(db, epoch_no); }));
  for (const auto id : ids) found.values[id];
  auto all = partitions.snapshot();
  std::reverse(all.begin(), all.end());
  if (all.size() > kPartitions) all.resize(kPartitions);
  for (const auto& partition : all) {
    auto read = partition->read([&](sql::Database& db) { return read_newest(db, epoch_no, found); });
    if (!read && read.error().code() == Errc::kCorrupt) partitions.quarantine(partition, read.error());
  }
  MutexLock lock(book.mutex);
  EpochState& epoch = book.at(epoch_no);
  for (const auto& [id, value] : found.values) epoch.values[id].merge(value);
  epoch.values_loaded = true;
  return {};
}

}  // namespace observeai::controlplane::store
