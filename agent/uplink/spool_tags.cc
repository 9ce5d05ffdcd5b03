#include "agent/uplink/spool_tags.h"

#include <algorithm>

#include "protocol/wire/batch_codec.h"

namespace observeai::agent {
namespace {

constexpr std::uint64_t kMostNewest = 8;  // Read one by one: bodies differ in size

wire::ContentTag tag_of(const wire::Batch& batch) {
  return batch.header.codec == wire::Codec::kLost ? wire::ContentTag{}
                                                  : wire::content_tag(batch.body);
}

Result<wire::PendingTags> tags_of_lane(Spool& spool, wire::Lane lane, std::uint64_t oldest,
                                       std::uint64_t next) {
  wire::PendingTags tags;
  if (oldest >= next) return tags;
  TRY(const auto first, spool.read(lane, oldest - 1, wire::kMaxPendingTags, kTagBytes / 2));
  for (const auto& batch : first) {
    if (batch.header.seq != oldest + tags.oldest.size()) break;
    tags.oldest.push_back(tag_of(batch));
  }
  const std::uint64_t after = oldest + tags.oldest.size();
  std::size_t bytes = 0;
  for (std::uint64_t seq = next - 1;
       seq >= after && tags.newest.size() < kMostNewest && bytes < kTagBytes / 2; --seq) {
    TRY(const auto one, spool.read(lane, seq - 1, 1, 1));
    if (one.empty() || one.front().header.seq != seq) break;
    bytes += one.front().body.size();
    tags.newest.push_back(tag_of(one.front()));
  }
  std::reverse(tags.newest.begin(), tags.newest.end());
  return tags;
}

}  // namespace

Result<std::array<wire::PendingTags, wire::kLaneCount>> pending_tags(Spool& spool) {
  std::array<wire::PendingTags, wire::kLaneCount> out;
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    TRY(out[lane], tags_of_lane(spool, static_cast<wire::Lane>(lane),
                                spool.state().oldest_seq[lane], spool.state().next_seq[lane]));
  }
  return out;
}

Result<bool> contradicts(Spool& spool, wire::Lane lane, const wire::CommittedContent& committed) {
  const auto index = static_cast<std::size_t>(lane);
  if (committed.seq == 0) return false;
  if (committed.seq >= spool.state().next_seq[index]) return true;
  if (committed.seq < spool.state().oldest_seq[index]) return false;
  TRY(const auto mine, spool.read(lane, committed.seq - 1, 1, 1));
  if (mine.empty() || mine.front().header.seq != committed.seq) return false;
  const auto tag = tag_of(mine.front());
  return tag != wire::ContentTag{} && tag != committed.tag;
}

}  // namespace observeai::agent
