#include "agent/logs/secret_prefilter.h"

#include <algorithm>

namespace observeai::agent {

void SecretPrefilter::add(std::string_view anchor, std::uint16_t tag) {
  const auto key = window(anchor.data());
  entries_.push_back({key, tag});
  bits_[slot(key) >> 6] |= std::uint64_t{1} << (slot(key) & 63);
}

void SecretPrefilter::seal() {
  std::stable_sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return group_of(a.key) < group_of(b.key);
  });
  std::size_t at = 0;
  for (std::uint32_t group = 0; group + 1 < group_begin_.size(); ++group) {
    group_begin_[group] = static_cast<std::uint16_t>(at);
    while (at < entries_.size() && group_of(entries_[at].key) == group) ++at;
  }
  group_begin_.back() = static_cast<std::uint16_t>(at);
}

std::size_t SecretPrefilter::next(std::string_view text, std::size_t from) const {
  if (text.size() < kAnchorBytes) return kNone;
  const char* const data = text.data();
  const std::size_t end = text.size() - kAnchorBytes + 1;
  const auto hit = [&](std::size_t i) {
    const auto place = slot(window(data + i));
    return bits_[place >> 6] >> (place & 63) & 1;
  };
  std::size_t i = from;
  // Four windows per branch: clean text takes it once in four bytes.
  for (; i + 4 <= end; i += 4) {
    if ((hit(i) | hit(i + 1) | hit(i + 2) | hit(i + 3)) == 0) continue;
    while (hit(i) == 0) ++i;
    return i;
  }
  for (; i < end; ++i) {
    if (hit(i) != 0) return i;
  }
  return kNone;
}

}  // namespace observeai::agent
