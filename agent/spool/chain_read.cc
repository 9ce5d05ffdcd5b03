// Reading batches, and saying what is gone of those that cannot be read.
#include <algorithm>

#include "agent/spool/batch_head.h"
#include "agent/spool/chain.h"
#include "agent/spool/state_values.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::agent {
namespace {

// A disk that cannot read one batch, but what is beside it, so often in a row is not getting better.
constexpr int kStubbornTries = 20;

bool is_gone(const Error& error) {
  return error.code() == Errc::kCorrupt || error.code() == Errc::kNotFound;
}

}  // namespace

const SegmentInfo* Chain::find(std::uint64_t seq) const {
  const auto found = std::partition_point(segments_.begin(), segments_.end(),
                                          [&](const auto& info) { return info.last < seq; });
  return found != segments_.end() && found->first <= seq ? &*found : nullptr;
}

const SegmentInfo* Chain::after(std::uint64_t seq) const {
  const auto found = std::partition_point(segments_.begin(), segments_.end(),
                                          [&](const auto& info) { return info.first <= seq; });
  return found != segments_.end() ? &*found : nullptr;
}

Result<Segment*> Chain::handle(const SegmentInfo& info) {
  if (info.number != segments_.back().number) return context_.reader(info.path);
  if (!writer_) {
    TRY_VOID(open_writer());
  }
  if (!writer_) return Error(Errc::kCorrupt, info.path + ": cannot be read");
  return &*writer_;
}

Result<void> Chain::read(std::uint64_t after, std::size_t max_count, std::size_t max_bytes,
                         std::vector<wire::Batch>& out) {
  std::size_t bytes = 0;
  for (std::uint64_t seq = std::max(after + 1, oldest_seq()); seq < next_; ++seq) {
    if (out.size() >= max_count) return {};
    bytes += sizes_[seq - oldest_seq()];
    if (!out.empty() && bytes > max_bytes) return {};
    auto batch = fetch_or_loss(seq);
    if (!batch && !out.empty()) return {};  // Told when it is the first one
    if (!batch) return std::move(batch).error();
    out.push_back(std::move(*batch));
  }
  return {};
}

Result<wire::Batch> Chain::fetch_or_loss(std::uint64_t seq) {
  const SegmentInfo* info = find(seq);
  if (info != nullptr) {
    auto batch = fetch(*info, seq);
    if (batch) return batch;
    if (!is_gone(batch.error()) && !gives_up_on(*info, seq, batch.error())) return batch;
    if (std::exchange(told_damaged_, info->path) != info->path) {
      context_.note("spool.damaged", wire::Severity::kError,
                    "batches of lane " + std::to_string(lane_) + " from " + std::to_string(seq) +
                        " cannot be read and are reported as lost: " + batch.error().message());
    }
  } else if (!segments_.empty()) {
    auto newest = handle(segments_.back());
    if (!newest && !is_gone(newest.error())) return std::move(newest).error();
    if (newest) {
      if (const auto lost = (*newest)->lost(seq + segments_.back().shift))
        return loss_of(seq, lost->first, lost->second);
    }
  }
  if (damaged_.insert(seq).second) ++context_.counters.batches_damaged;
  return loss_of(seq, wire::loss_reasons::kDamaged, head_of_lost(info, seq));
}

Result<wire::Batch> Chain::fetch(const SegmentInfo& info, std::uint64_t seq) {
  wire::Batch batch = empty_batch(&info, seq);
  BatchHead head;
  if (info.number == 0) {
    TRY(auto* old, context_.old_reader());
    TRY(auto row, old->batch(lane_, seq + info.shift));
    head = row.head;
    batch.body = std::move(row.body);
  } else {
    TRY(auto* segment, handle(info));
    TRY(auto row, segment->batch(seq + info.shift));
    TRY(head, unpack_head(row.head));
    batch.body = std::move(row.body);
  }
  if (!matches(head, batch.body)) {
    return Error(Errc::kCorrupt, info.path + ": the body does not match its checksum");
  }
  batch.header.n = head.n;
  batch.header.first_ts_ms = head.first_ts_ms;
  batch.header.last_ts_ms = head.last_ts_ms;
  return batch;
}

// A bad sector stays bad: told apart from a disk that is away by what can be read beside it.
bool Chain::gives_up_on(const SegmentInfo& info, std::uint64_t seq, const Error& error) {
  if (error.code() != Errc::kUnavailable || info.number == 0) return false;
  if (stubborn_seq_ != seq) stubborn_tries_ = 0;
  stubborn_seq_ = seq;
  context_.close_reader(info.path);
  if (info.number == segments_.back().number) writer_.reset();
  const auto again = handle(info);
  const bool rest_is_readable = again && (*again)->meta();
  stubborn_tries_ = rest_is_readable ? stubborn_tries_ + 1 : 0;
  return stubborn_tries_ >= kStubbornTries;
}

wire::Batch Chain::empty_batch(const SegmentInfo* info, std::uint64_t seq) const {
  wire::Batch batch;
  batch.header.epoch = context_.epoch();
  batch.header.lane = static_cast<wire::Lane>(lane_);
  batch.header.seq = seq;
  if (info != nullptr && info->epoch != context_.epoch())
    batch.header.origin = wire::BatchOrigin{info->epoch, seq + info->shift};
  return batch;
}

Result<wire::Batch> Chain::loss_of(std::uint64_t seq, const std::string& reason,
                                   const std::optional<std::string>& head) {
  wire::Batch batch = empty_batch(find(seq), seq);
  batch.header.codec = wire::Codec::kLost;
  wire::LossNotice notice;
  notice.reason = reason;
  if (const auto known = head ? unpack_head(*head) : Error(Errc::kNotFound, "")) {
    batch.header.first_ts_ms = known->first_ts_ms;
    batch.header.last_ts_ms = known->last_ts_ms;
    for (const auto& count : known->counts)
      notice.sources.push_back({count.source, count.records, count.bytes});
  }
  TRY(batch.body, wire::encode_loss(notice));
  return batch;
}

std::optional<std::string> Chain::head_of_lost(const SegmentInfo* info, std::uint64_t seq) {
  if (info != nullptr && info->number == 0) {
    const auto old = context_.old_reader();
    const auto head = old ? (*old)->head(lane_, seq + info->shift) : std::nullopt;
    return head ? std::optional(pack_head(*head)) : std::nullopt;
  }
  if (info != nullptr) {
    const auto segment = handle(*info);
    if (segment) {
      if (auto head = (*segment)->head(seq + info->shift)) return head;
    }
  } else if (!segments_.empty()) {
    const auto newest = handle(segments_.back());
    if (newest) {
      if (auto lost = (*newest)->lost(seq + segments_.back().shift)) return lost->second;
    }
  }
  const SegmentInfo* successor = after(seq);
  if (successor == nullptr || successor->number == 0) return std::nullopt;
  const auto segment = handle(*successor);
  return segment ? (*segment)->known(seq + successor->shift) : std::nullopt;
}

std::vector<SourceCount> Chain::counts_of(std::uint64_t seq) {
  if (seq < oldest_seq() || seq >= next_) return {};
  const auto packed = head_of_lost(find(seq), seq);
  auto head = packed ? unpack_head(*packed) : Error(Errc::kNotFound, "");
  return head ? std::move(head->counts) : std::vector<SourceCount>();
}

Result<SegmentRow> Chain::carried(std::uint64_t segment_number, std::uint64_t seq) {
  for (const auto& info : segments_) {
    if (info.number != segment_number) continue;
    TRY(auto* segment, handle(info));
    return segment->carried(seq);
  }
  return Error(Errc::kNotFound, "the segment with a carried batch is gone");
}

Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> Chain::carried_from(
    std::uint64_t from) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> out;
  for (auto& info : segments_) {
    if (info.number == 0 || info.epoch != context_.epoch()) continue;
    const auto segment = handle(info);
    const auto numbers = segment ? (*segment)->carried_by(info.last + info.shift)
                                 : Result<std::vector<std::uint64_t>>(segment.error());
    // What damage has taken is told by its lane; what cannot be read just now may have numbers that
    // must not be given again.
    if (!numbers && numbers.error().code() != Errc::kCorrupt) return numbers.error();
    if (!numbers) continue;
    for (const auto seq : *numbers) {
      info.carried = std::max(info.carried, seq);
      if (seq >= from) out.emplace_back(seq, info.number);
    }
  }
  return out;
}

Result<std::vector<wire::SeriesDefinition>> Chain::series() {
  std::vector<wire::SeriesDefinition> out;
  if (segments_.empty()) return out;
  TRY(auto* segment, handle(segments_.back()));
  TRY(const auto state, segment->state());
  for (const auto& [key, value] : state.rows) {
    if (key.first != StateKind::kSeries) continue;
    TRY(auto definition, unpack_series(value));
    out.push_back(std::move(definition));
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

}  // namespace observeai::agent
