#include "controlplane/store/stored_count.h"

#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {

void StoredCount::add(std::uint64_t seq, std::uint64_t count, std::size_t most) {
  total_ += count;
  if (seq <= settled_) return;
  recent_.push_back({seq, count});
  if (recent_.size() > most) merge_older_half();
}

void StoredCount::merge_older_half() {
  const auto middle = recent_.begin() + static_cast<std::ptrdiff_t>(recent_.size() / 2);
  std::nth_element(recent_.begin(), middle, recent_.end(),
                   [](const Recent& a, const Recent& b) { return a.seq < b.seq; });
  merged_through_ = std::max(merged_through_, middle->seq);
  recent_.erase(recent_.begin(), middle + 1);
}

void StoredCount::settle(std::uint64_t seq) {
  settled_ = std::max(settled_, seq);
  std::erase_if(recent_, [this](const Recent& recent) { return recent.seq <= settled_; });
}

std::optional<std::uint64_t> StoredCount::up_to(std::uint64_t seq) const {
  if (seq < merged_through_ || seq < settled_) return std::nullopt;
  std::uint64_t count = total_;
  for (const auto& recent : recent_) {
    if (recent.seq > seq) count -= recent.count;
  }
  return count;
}

std::string StoredCount::pack_recent() const {
  sql::Packer packer;
  for (const auto& recent : recent_) {
    packer.add_number(recent.seq);
    packer.add_number(recent.count);
  }
  return packer.take();
}

Result<StoredCount> StoredCount::unpack(std::uint64_t total, std::uint64_t merged_through,
                                        std::string_view recent) {
  StoredCount count;
  count.total_ = total;
  count.merged_through_ = merged_through;
  for (sql::Unpacker unpacker(recent); !unpacker.done();) {
    Recent one{};
    TRY(one.seq, unpacker.next_number());
    TRY(one.count, unpacker.next_number());
    count.recent_.push_back(one);
  }
  return count;
}

}  // namespace observeai::controlplane::store
