#include "agent/logs/secret_prefilter.h"

#include <algorithm>

namespace observeai::agent {

void SecretPrefilter::add(std::string_view anchor, std::uint16_t tag) {
  const auto key = window(anchor.data());
  entries_.push_back({key, tag});
  bits_[slot(key) >> 6] |= std::uint64_t{1} << (slot(key) & 63);
}

void SecretPrefilter::seal() {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.key < b.key; });
}

std::size_t SecretPrefilter::lower_bound(std::uint32_t key) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), key,
                                      [](const Entry& e, std::uint32_t k) { return e.key < k; });
  return static_cast<std::size_t>(found - entries_.begin());
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
