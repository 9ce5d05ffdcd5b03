// Ending a segment and beginning the next one.
#include <algorithm>

#include "agent/spool/batch_head.h"
#include "agent/spool/chain.h"
#include "agent/spool/state_values.h"
#include "protocol/base/text.h"

namespace observeai::agent {

Chain::Plan Chain::plan_next() const {
  Plan plan;
  plan.info.number = context_.manifest->content().newest[lane_] + 1;
  plan.info.path = context_.directory + "/" + segment_name(lane_, plan.info.number);
  plan.info.epoch = context_.epoch();
  plan.info.first = next_;
  plan.info.last = next_ - 1;
  plan.state = &state_;
  plan.forks = &context_.forks;
  return plan;
}

Result<void> Chain::begin_next() {
  TRY_VOID(context_.settle_manifest());
  TRY_VOID(drop_failed_carried());
  const Plan plan = plan_next();
  TRY(auto segment, build_or_use_ballast(plan));
  auto content = context_.manifest->content();
  content.newest[lane_] = plan.info.number;
  content.acked[lane_] = oldest_seq() - 1;
  TRY_VOID(context_.write_manifest(content));
  use(std::move(segment), plan.info);
  return {};
}

// A full disk holds little else than what leaves once this segment is there.
Result<Segment> Chain::build_or_use_ballast(const Plan& plan) {
  auto segment = build(plan);
  if (segment || segment.error().code() != Errc::kLimit || !context_.release_ballast())
    return segment;
  return build(plan);
}

Result<Segment> Chain::build(const Plan& plan) {
  context_.remove_no_more(plan.info.path);
  TRY(auto segment, Segment::create(plan.info.path, context_.options));
  TRY_VOID(fill(segment, plan));
  ignore(segment.database().reserve_log(context_.options.log_bytes), "only a help on a full disk");
  TRY_VOID(sync_directory(context_.directory));
  return segment;
}

Result<void> Chain::fill(Segment& segment, const Plan& plan) {
  TRY(auto transaction, sql::Transaction::begin(segment.database()));
  const std::uint64_t next = next_ - plan.base + 1;
  TRY_VOID(
      segment.set_meta({plan.info.epoch, lane_, plan.info.number, next, context_.clock.unix_ms()}));
  TRY_VOID(segment.set_progress({1, next, next_series_id_}));
  for (const auto* rows : {plan.state, static_cast<const StateRows*>(&first_series_)}) {
    for (const auto& [key, value] : *rows) {
      TRY_VOID(segment.set_state(key, value));
    }
  }
  if (!plan.forks->empty()) {
    TRY_VOID(segment.set_state(forks_key(), pack_forks(*plan.forks)));
  }
  if (!segments_.empty() && segments_.back().number != 0) {
    TRY_VOID(copy_from_newest(segment, plan));
  }
  return transaction.commit();
}

// Series, heads of lost batches, heads of the newest segment's batches: what is not in memory.
Result<void> Chain::copy_from_newest(Segment& to, const Plan& plan) {
  const SegmentInfo& newest = segments_.back();
  auto from = handle(newest);
  if (!from) {
    const Errc why = from.error().code();
    if (why == Errc::kCorrupt || why == Errc::kNotFound) return {};
    return std::move(from).error();
  }
  if (lane_ == static_cast<std::size_t>(wire::Lane::kMetrics)) {
    TRY(const auto state, (*from)->state());
    for (const auto& [key, value] : state.rows) {
      // One of a unit that was reported as failed is not ours.
      const auto id = text::parse_u64(key.second);
      if (key.first != StateKind::kSeries || !id || *id >= next_series_id_) continue;
      TRY_VOID(to.set_state(key, value));
    }
  }
  Result<void> added;
  const auto renumbered = [&](std::uint64_t seq) { return seq - newest.shift - plan.base + 1; };
  const auto is_pending = [&](std::uint64_t seq) {
    return seq - newest.shift >= oldest_seq() && seq - newest.shift < next_;
  };
  const auto take_lost = [&](std::uint64_t seq, std::string_view reason, std::string_view head) {
    if (is_pending(seq) && added) added = to.add_lost(renumbered(seq), std::string(reason), head);
  };
  TRY(const bool all_lost, (*from)->each_lost(take_lost));
  const auto take_head = [&](std::uint64_t seq, std::string_view head) {
    if (is_pending(seq) && added) added = to.add_known(renumbered(seq), head);
  };
  TRY(bool all_known, (*from)->each_head(take_head));
  if (newest.last < newest.first) {  // It goes, and what it knows of the one before it would, too
    TRY(all_known, (*from)->each_known(take_head));
  }
  TRY_VOID(added);
  if (!all_lost || !all_known) {
    context_.note("spool.damaged", wire::Severity::kError,
                  newest.path + ": what is gone with its damaged pages cannot be counted");
  }
  return {};
}

void Chain::use(Segment segment, SegmentInfo info) {
  const bool had_batches = !segments_.empty() && segments_.back().last >= segments_.back().first;
  // Closing copies the log back, unless the file goes anyway.
  if (writer_ && sizes_.empty()) writer_->leave_log_on_close();
  writer_.reset();
  if (!segments_.empty()) {
    auto& ended = segments_.back();
    context_.close_reader(ended.path);
    if (ended.number != 0) ended.bytes = segment_bytes_on_disk(ended.path);
    if (!had_batches && ended.number != 0 && ended.carried == 0) {
      context_.remove_later(ended.path);
      segments_.pop_back();
    }
  }
  writer_.emplace(std::move(segment));
  info.bytes = segment_bytes_on_disk(info.path);
  segments_.push_back(std::move(info));
  revision_ = 1;
  end_newest_ = has_failed_unit_ = carried_in_doubt_ = false;
  first_series_.clear();
}

// ---- a new epoch -------------------------------------------------------------------------------

Result<void> Chain::prepare_epoch(const Epoch& epoch, const std::vector<Fork>& forks) {
  drop_prepared();
  prepared_state_.clear();
  for (const auto& [key, value] : state_) {
    if (key.first != StateKind::kLedger) prepared_state_[key] = value;
  }
  TRY(auto ledger, ledger_to_come());
  prepared_state_.merge(ledger);
  Plan plan = plan_next();
  plan.base = oldest_seq();
  plan.state = &prepared_state_;
  plan.forks = &forks;
  plan.info.epoch = epoch;
  plan.info.first = next_ - plan.base + 1;
  plan.info.last = plan.info.first - 1;
  TRY(auto segment, build_or_use_ballast(plan));
  prepared_.emplace(std::move(segment));
  prepared_info_ = plan.info;
  return {};
}

void Chain::drop_prepared() {
  prepared_.reset();
  prepared_info_ = {};
}

void Chain::enter_epoch() {
  if (!prepared_) return;
  const std::uint64_t moved = oldest_seq() - 1;
  for (auto& info : segments_) {
    // What is acknowledged has no number any more.
    info.first = std::max(info.first, moved + 1) - moved;
    info.last = info.last > moved ? info.last - moved : 0;
    info.shift += moved;
    info.carried = 0;
  }
  next_ -= moved;
  damaged_.clear();
  state_ = std::move(prepared_state_);
  use(std::move(*prepared_), prepared_info_);
  prepared_.reset();
  prepared_info_ = {};
}

// In the epoch to come what is pending was read and spooled, and what was dropped in the epochs before
// it was read and dropped: the control plane shows the newest epoch alone.
Result<StateRows> Chain::ledger_to_come() {
  std::map<std::string, wire::LedgerEntry> entries;
  for (const auto& [key, value] : state_) {
    if (key.first != StateKind::kLedger) continue;
    TRY(auto before, unpack_ledger(key.second, value));
    if (before.records_dropped.empty() && before.bytes_dropped.empty()) continue;
    auto& entry = entries[key.second];
    entry.source = key.second;
    entry.lane = static_cast<wire::Lane>(lane_);
    for (const auto& [reason, count] : before.records_dropped) entry.records_read += count;
    entry.records_dropped = std::move(before.records_dropped);
    entry.bytes_dropped = std::move(before.bytes_dropped);
  }
  for (std::uint64_t seq = oldest_seq(); seq < next_; ++seq) {
    for (const auto& count : counts_of(seq)) {
      auto& entry = entries[count.source];
      entry.source = count.source;
      entry.lane = static_cast<wire::Lane>(lane_);
      entry.as_of_seq = seq - oldest_seq() + 1;
      entry.records_read += count.records;
      entry.records_spooled += count.records;
      entry.bytes_read += count.bytes;
    }
  }
  StateRows rows;
  for (const auto& [source, entry] : entries) rows[ledger_key(source)] = pack_ledger(entry);
  return rows;
}

}  // namespace observeai::agent
