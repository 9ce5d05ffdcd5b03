#include "controlplane/store/lane_cursor.h"

#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {

bool LaneCursor::contains(std::uint64_t seq) const {
  if (seq <= contiguous_) return true;
  auto after = ahead_.upper_bound(seq);
  if (after == ahead_.begin()) return false;
  return seq <= std::prev(after)->second;
}

std::vector<wire::Run> LaneCursor::runs(std::size_t most) const {
  std::vector<wire::Run> out;
  for (const auto& [first, last] : ahead_) {
    if (out.size() >= most) break;
    out.push_back({first, last});
  }
  return out;
}

bool LaneCursor::has_room_for(std::uint64_t seq) const {
  if (ahead_.size() < kMaxRuns || contains(seq) || seq == contiguous_ + 1) return true;
  return ahead_.contains(seq + 1) || contains(seq - 1);
}

void LaneCursor::add(std::uint64_t seq) {
  if (contains(seq)) return;
  std::uint64_t first = seq;
  std::uint64_t last = seq;
  if (const auto next = ahead_.find(seq + 1); next != ahead_.end()) {
    last = next->second;
    ahead_.erase(next);
  }
  const auto after = ahead_.lower_bound(seq);
  if (after != ahead_.begin()) {
    const auto before = std::prev(after);
    if (before->second + 1 == seq) {
      first = before->first;
      ahead_.erase(before);
    }
  }
  ahead_[first] = last;
  join_first_run();
}

std::uint64_t LaneCursor::skip_to(std::uint64_t seq) {
  std::uint64_t missing = 0;
  while (contiguous_ < seq) {
    const std::uint64_t gap_end = ahead_.empty() ? seq : std::min(seq, ahead_.begin()->first - 1);
    missing += gap_end - contiguous_;
    contiguous_ = gap_end;
    join_first_run();
  }
  return missing;
}

void LaneCursor::join_first_run() {
  if (ahead_.empty() || ahead_.begin()->first != contiguous_ + 1) return;
  contiguous_ = ahead_.begin()->second;
  ahead_.erase(ahead_.begin());
}

std::string LaneCursor::pack_ahead() const {
  sql::Packer packer;
  for (const auto& [first, last] : ahead_) {
    packer.add_number(first);
    packer.add_number(last);
  }
  return packer.take();
}

Result<LaneCursor> LaneCursor::unpack(std::uint64_t contiguous, std::string_view ahead) {
  LaneCursor cursor;
  cursor.contiguous_ = contiguous;
  std::uint64_t least = contiguous + 2;  // A run beside the one before it would be one run.
  for (sql::Unpacker unpacker(ahead); !unpacker.done();) {
    TRY(const auto first, unpacker.next_number());
    TRY(const auto last, unpacker.next_number());
    if (first < least || last < first)
      return Error(Errc::kCorrupt, "state.db holds a broken cursor");
    cursor.ahead_[first] = last;
    least = last + 2;
  }
  return cursor;
}

}  // namespace observeai::controlplane::store
