#include "agent/spool/lane_loader.h"

#include <algorithm>

#include "agent/spool/aside.h"
#include "agent/spool/batch_head.h"

namespace observeai::agent {
namespace {

bool is_gone(const Error& error) {
  return error.code() == Errc::kCorrupt || error.code() == Errc::kNotFound;
}

}  // namespace

Result<void> LaneLoader::take_old(const OldSpool::Content& old) {
  const auto shift = context_.shift_of(old.epoch, lane_);
  if (!shift) return {};
  const std::uint64_t first = std::max(old.oldest_seq[lane_], *shift + 1);
  if (first >= old.next_seq[lane_]) return {};
  Found found;
  found.info.path = OldSpool::path_in(context_.directory);
  found.info.epoch = old.epoch;
  found.info.shift = *shift;
  found.info.first = first - *shift;
  found.info.last = old.next_seq[lane_] - 1 - *shift;
  TRY(auto* reader, context_.old_reader());
  TRY(const auto sizes, reader->sizes(lane_));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::uint64_t seq = old.oldest_seq[lane_] + i;
    if (seq >= first) found.sizes.emplace_back(seq - *shift, sizes[i]);
  }
  found_.push_back(std::move(found));
  return {};
}

Result<void> LaneLoader::take(std::uint64_t number) {
  SegmentInfo info;
  info.number = number;
  info.path = context_.directory + "/" + segment_name(lane_, number);
  const std::uint64_t newest = context_.manifest->content().newest[lane_];
  if (number > newest) {
    context_.remove_later(info.path);
    context_.remove_pending();
    return {};
  }
  auto segment = context_.open_segment(info.path);
  auto found = segment ? look_at(*segment, info) : Result<Found>(segment.error());
  if (!found && !is_gone(found.error())) return std::move(found).error();
  if (!found) {
    segment = Error(Errc::kCorrupt, "closed before it is moved");
    TRY(const auto folder, put_database_aside(context_.directory, segment_name(lane_, number)));
    ++context_.counters.segments_aside;
    context_.note(
        "spool.quarantined", wire::Severity::kError,
        "a segment cannot be read and was put aside: " + folder + ": " + found.error().message());
    return {};
  }
  if (number == newest && found->info.epoch == context_.epoch()) {
    TRY_VOID(take_newest(std::move(*segment), *found));
  }
  found_.push_back(std::move(*found));
  return {};
}

// kCorrupt: it is of no use.
Result<LaneLoader::Found> LaneLoader::look_at(Segment& segment, SegmentInfo info) const {
  TRY(const auto meta, segment.meta());
  const auto shift = context_.shift_of(meta.epoch, lane_);
  if (!shift || meta.lane != lane_ || meta.number != info.number) {
    return Error(Errc::kCorrupt, info.path + ": not a segment of this spool");
  }
  Found found;
  info.epoch = meta.epoch;
  info.shift = *shift;
  info.first = std::max(meta.first_seq, *shift + 1) - *shift;
  info.last = info.first - 1;
  info.bytes = segment_bytes_on_disk(info.path);
  const auto take = [&](std::uint64_t seq, std::string_view packed) {
    if (seq <= *shift) return;
    const auto head = unpack_head(packed);
    found.sizes.emplace_back(seq - *shift, head ? head->size : 0);
    info.last = std::max(info.last, seq - *shift);
  };
  TRY(found.whole, segment.each_head(take));
  found.info = std::move(info);
  return found;
}

Result<void> LaneLoader::take_newest(Segment segment, Found& found) {
  TRY_VOID(take_state(segment));
  TRY(loaded_.next, segment.next_seq());
  found.info.last = std::max(found.info.last, loaded_.next - 1);
  if (!found.whole) loaded_.end_newest = true;
  if (loaded_.end_newest) {
    ++context_.counters.writers_replaced;
    context_.note(
        "spool.damaged", wire::Severity::kError,
        found.info.path + " is damaged: it is read as far as possible and not written any more");
  }
  ignore(segment.database().reserve_log(context_.options.log_bytes), "only a help on a full disk");
  loaded_.writer.emplace(std::move(segment));
  newest_is_there_ = true;
  return {};
}

Result<void> LaneLoader::take_state(Segment& segment) {
  TRY(auto state, segment.state());
  for (auto& [key, value] : state.rows) {
    if (key.first != StateKind::kSeries && key.first != StateKind::kForks)
      loaded_.state[key] = std::move(value);
  }
  const auto progress = segment.progress();
  if (!progress && !is_gone(progress.error())) return progress.error();
  loaded_.end_newest = !state.complete || !progress;
  loaded_.revision = progress ? progress->revision : 0;
  loaded_.next_series_id =
      progress ? progress->next_series_id
               : static_cast<std::uint32_t>(context_.manifest->content().series_reserved);
  return {};
}

// State as it was when the segment before was ended.
Result<void> LaneLoader::do_without_newest() {
  if (!found_.empty() && found_.back().info.number != 0) {
    TRY(auto segment, Segment::open(found_.back().info.path, context_.options));
    TRY_VOID(take_state(segment));
  }
  loaded_.state_seq = found_.empty() ? 0 : found_.back().info.last;
  loaded_.next = loaded_.state_seq + 1;
  loaded_.next_series_id = static_cast<std::uint32_t>(context_.manifest->content().series_reserved);
  loaded_.end_newest = true;
  context_.note("spool.damaged", wire::Severity::kError,
                "the newest segment of lane " + std::to_string(lane_) +
                    " is gone; what it held cannot be counted, and a new epoch begins" +
                    (lane_ == static_cast<std::size_t>(wire::Lane::kLogs)
                         ? "; lines that were acknowledged last may be stored twice"
                         : ""));
  return {};
}

// A segment's batches end where the next one begins: what was written behind that was never told to
// have been stored.
void LaneLoader::settle_ends() {
  for (std::size_t i = 0; i + 1 < found_.size(); ++i) {
    auto& info = found_[i].info;
    const auto& next = found_[i + 1].info;
    if (!found_[i].whole && next.number == info.number + 1) info.last = next.first - 1;
    info.last = std::min(info.last, next.first - 1);
  }
}

Result<std::uint64_t> LaneLoader::acknowledged() {
  if (!manifest_rebuilt_) return context_.manifest->content().acked[lane_];
  std::uint64_t acked = found_.empty() ? 0 : found_.front().info.first - 1;
  if (loaded_.writer) {
    const auto take = [&](std::uint64_t seq, std::string_view, std::string_view) {
      acked = std::min(acked, seq - 1);
    };
    TRY_VOID(loaded_.writer->each_lost(take));
  }
  return acked;
}

Result<Chain::Loaded> LaneLoader::finish() {
  settle_ends();
  if (!newest_is_there_) {
    TRY_VOID(do_without_newest());
  }
  TRY(const std::uint64_t acked, acknowledged());
  loaded_.next = std::max(loaded_.next, acked + 1);
  loaded_.sizes.resize(loaded_.next - acked - 1);
  for (auto& found : found_) {
    for (const auto& [seq, size] : found.sizes) {
      if (seq > acked && seq <= found.info.last && seq < loaded_.next)
        loaded_.sizes[seq - acked - 1] = size;
    }
    loaded_.segments.push_back(std::move(found.info));
  }
  return std::move(loaded_);
}

}  // namespace observeai::agent
