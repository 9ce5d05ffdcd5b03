// Lanes 1 and 2: samples and logs, into the current partition.
#include "controlplane/store/last_values.h"
#include "controlplane/store/ledger.h"
#include "controlplane/store/writer.h"

namespace observeai::controlplane::store {
namespace {

// kCorrupt is about the caller's bytes; damage of the store is the store's trouble.
Error as_store_error(const Error& error) {
  return Error(error.code() == Errc::kCorrupt ? Errc::kUnavailable : error.code(), error.message());
}

}  // namespace

void Writer::commit_data(std::vector<Prepared>& slice) {
  std::vector<Prepared*> group;
  for (auto& prepared : slice) {
    if (prepared.is_undecided_data()) group.push_back(&prepared);
  }
  if (group.empty()) return;
  const auto refuse_all = [&group](const Error& error) {
    for (auto* prepared : group)
      prepared->outcome = Result<model::CommitOutcome>(as_store_error(error));
  };
  const auto partition = partitions_.current();
  if (!partition) {
    refuse_all(partition.error());
    return;
  }
  auto written = store_data_group(**partition, slice);
  if (written) {
    (*partition)->committed();
    publish_data(slice);
    return;
  }
  (*partition)->abandoned();
  refuse_all(written.error());
  if (written.error().code() == Errc::kCorrupt) partitions_.quarantine(*partition, written.error());
}

Result<void> Writer::store_data_group(Partition& partition, std::vector<Prepared>& slice) {
  TRY(auto transaction, sql::Transaction::begin(partition.writer()));
  TimeBounds bounds;
  std::set<MovedContent> moved_now;
  NewSources new_sources;
  for (auto& prepared : slice) {
    if (!prepared.is_undecided_data()) continue;
    const bool lane_has_room = [&] {
      MutexLock lock(book_.mutex);
      return book_.at(prepared.epoch_no)
          .lanes[static_cast<std::size_t>(prepared.lane())]
          .has_room_for(prepared.batch->header.seq);
    }();
    if (auto room = check_room(prepared, lane_has_room, new_sources); !room) {
      prepared.outcome = Result<model::CommitOutcome>(std::move(room).error());
      continue;
    }
    TRY(const auto outcome, store_data(partition, prepared, moved_now));
    prepared.outcome = Result<model::CommitOutcome>(outcome);
    if (prepared.is_stored() && prepared.n > 0) {
      bounds.include(prepared.bounds.first_ms, prepared.bounds.last_ms);
    }
  }
  TRY_VOID(partition.widen_bounds(bounds));
  return transaction.commit();
}

Result<model::CommitOutcome> Writer::store_data(Partition& partition, Prepared& prepared,
                                                std::set<MovedContent>& moved_now) {
  const auto& header = prepared.batch->header;
  const auto same_or_not = [&](const ContentHash& before) {
    const bool same = before == prepared.hash || prepared.loss || before == ContentHash{};
    return same ? model::CommitOutcome::kDuplicate : model::CommitOutcome::kConflict;
  };
  TRY(const auto here, partition.hash_of(prepared.epoch_no, header.lane, header.seq));
  if (here) return same_or_not(*here);
  bool is_known = false;
  {
    MutexLock lock(book_.mutex);
    is_known = book_.at(prepared.epoch_no)
                   .lanes[static_cast<std::size_t>(header.lane)]
                   .contains(header.seq);
  }
  if (is_known) {
    TRY(const auto sealed, find_sealed_hash(prepared.epoch_no, header.lane, header.seq));
    // Gone by retention: it was committed once, that is all that is known.
    return sealed ? same_or_not(*sealed) : model::CommitOutcome::kDuplicate;
  }
  TRY(const bool elsewhere, is_stored_elsewhere(partition, prepared, moved_now));
  if (prepared.samples && !elsewhere) {
    TRY(const bool defined, all_series_defined(prepared));
    if (!defined) return model::CommitOutcome::kNeedSeries;
  }
  const bool has_chunk = !prepared.loss && !elsewhere;
  BatchRow row{prepared.epoch_no,          header.lane, header.seq, prepared.hash,
               has_chunk ? prepared.n : 0, header.codec};
  TRY(const auto no, partition.insert_batch(row));
  prepared.settles = true;
  prepared.is_moved_duplicate = elsewhere;
  if (const auto moved = prepared.moved()) {
    TRY_VOID(partition.insert_origin(*moved));
    moved_now.insert(*moved);
  }
  if (!has_chunk) {
    TRY_VOID(partition.insert_account(
        no, prepared.loss ? *prepared.loss : prepared.account(kMovedReason)));
    return elsewhere ? model::CommitOutcome::kDuplicate : model::CommitOutcome::kStored;
  }
  if (prepared.n == 0) return model::CommitOutcome::kStored;
  if (prepared.samples) {
    TRY_VOID(partition.insert_samples(no, prepared.epoch_no, prepared.bounds, *prepared.batch));
  } else {
    TRY_VOID(partition.insert_logs(no, prepared.epoch_no, prepared.spans, *prepared.batch));
    prepared.first_log = {partition.start_ms(), static_cast<std::uint64_t>(no), 0};
  }
  return model::CommitOutcome::kStored;
}

Result<bool> Writer::is_stored_elsewhere(Partition& partition, const Prepared& prepared,
                                         const std::set<MovedContent>& moved_now) {
  if (prepared.loss) return false;
  const auto& header = prepared.batch->header;
  const MovedContent here{header.epoch, header.lane, header.seq, prepared.hash};
  const auto moved = prepared.moved();
  std::int64_t origin_no = 0;
  {
    MutexLock lock(book_.mutex);
    if (book_.has_moved(here) || moved_now.contains(here)) return true;
    if (!moved) return false;
    if (book_.has_moved(*moved) || moved_now.contains(*moved)) return true;
    const auto* origin = book_.find(header.agent, moved->epoch);
    if (origin == nullptr) return false;
    origin_no = origin->no;
  }
  TRY(const auto here_now, partition.hash_of(origin_no, header.lane, moved->seq));
  if (here_now) return *here_now == prepared.hash;
  TRY(const auto before, find_any_hash(origin_no, header.lane, moved->seq));
  return before == prepared.hash;
}

Result<std::optional<ContentHash>> Writer::find_sealed_hash(std::int64_t epoch_no, wire::Lane lane,
                                                            std::uint64_t seq) {
  auto all = partitions_.snapshot();
  std::reverse(all.begin(), all.end());
  for (const auto& partition : all) {
    auto found =
        partition->read([&](sql::Database& db) { return find_hash(db, epoch_no, lane, seq); });
    if (found && *found) return found;
    if (!found && found.error().code() == Errc::kCorrupt) {
      partitions_.quarantine(partition, found.error());
    } else if (!found && found.error().code() != Errc::kNotFound) {
      return found;
    }
  }
  return std::optional<ContentHash>();
}

Result<bool> Writer::all_series_defined(const Prepared& prepared) {
  TRY_VOID(load_values(state_, book_, partitions_, prepared.epoch_no));
  MutexLock lock(book_.mutex);
  const auto& values = book_.at(prepared.epoch_no).values;
  for (const auto& scrape : prepared.samples->scrapes) {
    for (const auto id : scrape.series) {
      if (!values.contains(id)) return false;
    }
  }
  return true;
}

void Writer::publish_data(const std::vector<Prepared>& slice) {
  const std::uint32_t today = day_of(clock_.unix_ms());
  MutexLock lock(book_.mutex);
  for (const auto& prepared : slice) {
    if (!prepared.settles || prepared.lane() == wire::Lane::kControl) continue;
    const auto& header = prepared.batch->header;
    EpochState& state = book_.at(prepared.epoch_no);
    state.unsealed = true;
    state.lanes[static_cast<std::size_t>(header.lane)].add(header.seq);
    if (const auto moved = prepared.moved()) {
      book_.add_moved(*moved);
      book_.count_moved(header.agent);
    }
    if (prepared.loss || prepared.is_moved_duplicate) {
      count_account(book_, state, header.lane, header.seq,
                    prepared.loss ? *prepared.loss : prepared.account(kMovedReason));
      continue;
    }
    const std::size_t most_recent = book_.most_recent_of(header.agent);
    const auto count = [&](std::string source, std::uint64_t n) REQUIRES(book_.mutex) {
      book_.source_of(state, {header.lane, std::move(source)})
          .add_stored(header.seq, n, most_recent);
    };
    if (prepared.samples) {
      count(kMetricsSource, prepared.n);
      take_values(state, *prepared.samples, today);
    }
    for (const auto& span : prepared.spans) count(log_source(span.target), span.n);
  }
}

}  // namespace observeai::controlplane::store
