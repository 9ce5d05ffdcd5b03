// Is this spool the one that sent what is stored, or a copy that went its own way?
#include "controlplane/store/control_hashes.h"
#include "controlplane/store/writer.h"

namespace observeai::controlplane::store {
namespace {

// Copies part at some number and differ from there on, so the highest that both have tells; a few more
// for losses in between, which tell nothing.
constexpr std::size_t kMostCompared = 16;

struct Tagged {
  std::uint64_t seq;
  wire::ContentTag tag;
};

wire::ContentTag tag_of(const ContentHash& hash) {
  wire::ContentTag tag{};
  std::copy_n(hash.begin(), tag.size(), tag.begin());
  return tag;
}

// The highest numbers of the hello that are committed, highest first.
std::vector<Tagged> comparable(const wire::Hello& hello, std::size_t lane,
                               const LaneCursor& cursor) {
  std::vector<Tagged> out;
  const auto& tags = hello.pending[lane];
  const auto offer = [&](std::uint64_t seq, const wire::ContentTag& tag) {
    if (out.size() < kMostCompared && tag != wire::ContentTag{} && cursor.contains(seq))
      out.push_back({seq, tag});
  };
  for (std::size_t i = 0; i < tags.newest.size(); ++i)
    offer(hello.next_seq[lane] - 1 - i, tags.newest[tags.newest.size() - 1 - i]);
  for (std::size_t i = tags.oldest.size(); i-- > 0;)
    offer(hello.oldest_seq[lane] + i, tags.oldest[i]);
  return out;
}

}  // namespace

Result<model::SpoolComparison> Writer::compare(const wire::Hello& hello) {
  model::SpoolComparison out;
  std::int64_t no = 0;
  std::array<LaneCursor, wire::kLaneCount> lanes;
  {
    MutexLock lock(book_.mutex);
    const auto* state = book_.find(hello.agent, hello.epoch);
    if (state == nullptr) return out;
    no = state->no;
    lanes = state->lanes;
  }
  for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
    const std::uint64_t highest = lanes[lane].highest();
    if (highest == 0) continue;
    if (highest >= hello.next_seq[lane]) out.ahead[lane] = highest;
    TRY(const auto hash, find_any_hash(no, static_cast<wire::Lane>(lane), highest));
    if (hash && *hash != ContentHash{}) out.newest[lane] = {highest, tag_of(*hash)};
    TRY(const bool differs_here, differs(no, static_cast<wire::Lane>(lane), hello, lanes[lane]));
    out.differs = out.differs || differs_here;
  }
  return out;
}

Result<bool> Writer::differs(std::int64_t epoch_no, wire::Lane lane, const wire::Hello& hello,
                             const LaneCursor& cursor) {
  for (const auto& mine : comparable(hello, static_cast<std::size_t>(lane), cursor)) {
    TRY(const auto hash, find_any_hash(epoch_no, lane, mine.seq));
    if (hash && *hash != ContentHash{} && tag_of(*hash) != mine.tag) return true;
  }
  return false;
}

Result<std::optional<ContentHash>> Writer::find_any_hash(std::int64_t epoch_no, wire::Lane lane,
                                                         std::uint64_t seq) {
  if (lane != wire::Lane::kControl) return find_sealed_hash(epoch_no, lane, seq);
  return state_.read([&](sql::Database& db) { return control_hash(db, epoch_no, seq); });
}

}  // namespace observeai::controlplane::store
