#include "agent/spool/chain.h"

#include <algorithm>

#include "agent/spool/batch_head.h"
#include "agent/spool/state_values.h"

namespace observeai::agent {

void Chain::take(Loaded loaded) {
  segments_ = std::move(loaded.segments);
  sizes_ = std::move(loaded.sizes);
  next_ = loaded.next;
  next_series_id_ = loaded.next_series_id;
  state_ = std::move(loaded.state);
  end_newest_ = loaded.end_newest;
  writer_ = std::move(loaded.writer);
  revision_ = loaded.revision;
  pending_bytes_ = 0;
  for (const auto size : sizes_) pending_bytes_ += size;
}

void Chain::begin_with(StateRows rows, std::uint64_t next, std::uint32_t next_series_id) {
  next_ = next;
  next_series_id_ = next_series_id;
  for (auto& [key, value] : rows) {
    (key.first == StateKind::kSeries ? first_series_ : state_)[key] = std::move(value);
  }
}

std::uint64_t Chain::disk_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& info : segments_) bytes += info.bytes;
  return bytes;
}

// ---- writing -----------------------------------------------------------------------------------

Result<void> Chain::write(const ChainWrite& unit) {
  for (int attempt = 0;; ++attempt) {
    TRY_VOID(ready_writer());
    bool in_doubt = false;
    auto written = try_write(unit, in_doubt);
    if (written) {
      remember(unit);
      return {};
    }
    const Errc why = written.error().code();
    if (why == Errc::kLimit && !in_doubt) return written;
    if (why == Errc::kInvalid || why == Errc::kInternal) return written;
    // What of it is on the disk is seen when it is opened again.
    writer_.reset();
    if (in_doubt && !unit.carried.empty()) carried_in_doubt_ = true;
    if (why != Errc::kCorrupt || attempt > 0) return written;
    end_newest("is damaged", written.error());
  }
}

Result<void> Chain::try_write(const ChainWrite& unit, bool& in_doubt) {
  Segment& segment = *writer_;
  TRY(auto transaction, sql::Transaction::begin(segment.database()));
  for (const auto& batch : unit.batches) {
    TRY_VOID(segment.add_batch(batch.seq, batch.head, batch.body));
  }
  const std::uint64_t beside = unit.batches.empty() ? next_ - 1 : unit.batches.front().seq;
  for (const auto& batch : unit.carried) {
    TRY_VOID(segment.add_carried(batch.seq, beside, batch.head, batch.body));
  }
  for (const auto& change : unit.changes) {
    TRY_VOID(change.value ? segment.set_state(change.key, *change.value)
                          : segment.drop_state(change.key));
  }
  for (const auto& [seq, head] : unit.evicted) {
    TRY_VOID(segment.add_lost(seq, wire::loss_reasons::kEvicted, head));
  }
  SegmentProgress progress;
  progress.revision = revision_ + 1;
  progress.next_seq = unit.batches.empty() ? next_ : unit.batches.back().seq + 1;
  progress.next_series_id = std::max(next_series_id_, unit.next_series_id);
  TRY_VOID(segment.set_progress(progress));
  in_doubt = true;
  return transaction.commit();
}

void Chain::remember(const ChainWrite& unit) {
  ++revision_;
  auto& newest = segments_.back();
  for (const auto& batch : unit.batches) {
    while (next_ < batch.seq) {
      sizes_.push_back(0);
      ++next_;
    }
    sizes_.push_back(static_cast<std::uint32_t>(batch.body.size()));
    pending_bytes_ += batch.body.size();
    newest.last = next_++;
  }
  for (const auto& batch : unit.carried) newest.carried = std::max(newest.carried, batch.seq);
  for (const auto& change : unit.changes) {
    if (change.key.first == StateKind::kSeries) continue;
    if (change.value) {
      state_[change.key] = *change.value;
    } else {
      state_.erase(change.key);
    }
  }
  next_series_id_ = std::max(next_series_id_, unit.next_series_id);
  newest.bytes = segment_bytes_on_disk(newest.path);
}

// Also those of lane 0 that only lie in it: there is something to end it for.
bool Chain::holds_batches(const SegmentInfo& info) {
  return info.last >= info.first || info.carried != 0;
}

Result<void> Chain::ready_writer() {
  TRY_VOID(context_.settle_manifest());
  if (segments_.empty()) return begin_next();
  if (!writer_ && !end_newest_) {
    TRY_VOID(open_writer());
  }
  const auto& newest = segments_.back();
  const bool full = newest.bytes >= context_.segment_bytes && holds_batches(newest);
  if (end_newest_ || full) return begin_next();
  return {};
}

Result<void> Chain::settle_carried() {
  if (!carried_in_doubt_) return {};
  TRY_VOID(ready_writer());
  carried_in_doubt_ = false;
  return {};
}

// Those beside a batch are known by its number; those beside state alone would be taken for others.
Result<void> Chain::drop_failed_carried() {
  if (!has_failed_unit_) return {};
  const auto& newest = segments_.back();
  auto segment = handle(newest);
  const auto dropped =
      segment ? (*segment)->drop_carried_above(newest.carried) : Result<void>(segment.error());
  if (!dropped && dropped.error().code() != Errc::kCorrupt) return dropped;
  has_failed_unit_ = false;
  return {};
}

// After a failure: what is found decides whether the transaction in doubt took place. If it did, its
// caller was told otherwise, so this segment ends where the caller thinks that it ends.
Result<void> Chain::open_writer() {
  const auto& newest = segments_.back();
  context_.close_reader(newest.path);
  auto segment = Segment::open(newest.path, context_.options);
  if (!segment) {
    const Errc why = segment.error().code();
    if (why != Errc::kCorrupt && why != Errc::kNotFound) return std::move(segment).error();
    end_newest("cannot be read any more", segment.error());
    return {};
  }
  const auto progress = segment->progress();
  if (!progress && progress.error().code() != Errc::kCorrupt) return progress.error();
  ignore(segment->database().reserve_log(context_.options.log_bytes), "only a help on a full disk");
  writer_.emplace(std::move(*segment));
  if (!progress) {
    end_newest("is damaged", progress.error());
  } else if (progress->revision != revision_) {
    has_failed_unit_ = true;
    end_newest("holds a unit that was reported as failed",
               Error(Errc::kUnavailable, newest.path + ": ended before it"));
  }
  return {};
}

void Chain::end_newest(const char* why, const Error& error) {
  if (end_newest_) return;
  end_newest_ = true;
  ++context_.counters.writers_replaced;
  context_.note(
      "spool.segment_ended", wire::Severity::kWarning,
      segments_.back().path + " " + why + " and is not written any more: " + error.message());
}

// ---- what is not needed any more ---------------------------------------------------------------

void Chain::acknowledge(std::uint64_t seq) {
  while (!sizes_.empty() && oldest_seq() <= seq) {
    pending_bytes_ -= sizes_.front();
    sizes_.pop_front();
  }
  damaged_.erase(damaged_.begin(), damaged_.lower_bound(oldest_seq()));
}

Result<void> Chain::release(std::uint64_t control_next, std::uint64_t worth_bytes) {
  const auto is_free = [&](const SegmentInfo& info) {
    const bool carries = info.carried >= control_next && info.epoch == context_.epoch();
    return info.last < oldest_seq() && !carries;
  };
  if (!segments_.empty() && sizes_.empty() && segments_.back().bytes >= worth_bytes &&
      holds_batches(segments_.back())) {
    TRY_VOID(begin_next());
  }
  std::size_t count = 0;
  while (count + 1 < segments_.size() && is_free(segments_[count])) ++count;
  if (count == 0) return {};
  auto content = context_.manifest->content();
  content.acked[lane_] = oldest_seq() - 1;
  TRY_VOID(context_.write_manifest(content));
  for (std::size_t i = 0; i < count; ++i) {
    // The old layout's database is shared: the spool removes it.
    if (segments_[i].number != 0) context_.remove_later(segments_[i].path);
  }
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
  context_.remove_pending();
  return {};
}

Result<bool> Chain::evict_oldest(std::uint64_t control_next) {
  TRY_VOID(release(control_next, UINT64_MAX));
  const auto victim_at = std::find_if(segments_.begin(), segments_.end(), [&](const auto& info) {
    return info.number != 0 && info.last >= info.first && info.last >= oldest_seq();
  });
  if (victim_at == segments_.end()) return false;
  if (victim_at->carried >= control_next && victim_at->epoch == context_.epoch()) return false;
  const SegmentInfo victim = *victim_at;
  if (victim.number == segments_.back().number) {
    TRY_VOID(begin_next());
  }
  ChainWrite unit;
  const std::uint64_t first = std::max(victim.first, oldest_seq());
  for (std::uint64_t seq = first; seq <= victim.last; ++seq) {
    auto head = head_of_lost(&victim, seq);
    unit.evicted.emplace_back(seq, head ? std::move(*head) : std::string());
  }
  TRY_VOID(write(unit));
  context_.counters.batches_evicted += unit.evicted.size();
  forget_sizes(first, victim.last);
  std::erase_if(segments_, [&](const auto& info) { return info.number == victim.number; });
  context_.remove_later(victim.path);
  context_.remove_pending();
  return true;
}

void Chain::forget_sizes(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    auto& size = sizes_[seq - oldest_seq()];
    pending_bytes_ -= size;
    size = 0;
  }
}

}  // namespace observeai::agent
