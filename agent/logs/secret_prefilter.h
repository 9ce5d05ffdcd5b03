// Finds the places in a text where one of a fixed set of 4-byte anchors stands, ignoring ASCII
// case. One table look-up per byte; false positives are possible (hash), false negatives are not.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace observeai::agent {

class SecretPrefilter {
 public:
  static constexpr std::size_t kAnchorBytes = 4;
  static constexpr std::size_t kNone = ~std::size_t{0};

  // `anchor` is four bytes; `tag` comes back from tags().
  void add(std::string_view anchor, std::uint16_t tag);
  // Call once after the last add().
  void seal();

  // First index >= from where an anchor may stand, or kNone.
  std::size_t next(std::string_view text, std::size_t from) const;
  // Calls f(tag) for each anchor that stands at `at`, in the order added.
  template <class F>
  void tags(std::string_view text, std::size_t at, F&& f) const {
    const auto key = window(text.data() + at);
    const auto group = group_of(key);
    for (std::size_t i = group_begin_[group]; i < group_begin_[group + 1]; ++i) {
      if (entries_[i].key == key) f(entries_[i].tag);
    }
  }

 private:
  struct Entry {
    std::uint32_t key;
    std::uint16_t tag;
  };

  // Bit 5 set folds ASCII case (and some punctuation, which the matchers tell apart).
  static std::uint32_t window(const char* at) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return word | 0x20202020U;
  }
  static std::uint32_t hash(std::uint32_t key) { return key * 0x9E3779B1U; }
  static std::uint32_t slot(std::uint32_t key) { return hash(key) >> (32 - kSlotBits); }
  static std::uint32_t group_of(std::uint32_t key) { return hash(key) >> (32 - kGroupBits); }

  // 16 KiB, which stay in the first cache: half of the slots would give twice the false alarms, and
  // each costs as much as 30 bytes without one.
  static constexpr unsigned kSlotBits = 17;
  static constexpr unsigned kGroupBits = 11;
  std::array<std::uint64_t, (1U << kSlotBits) / 64> bits_{};
  std::vector<Entry> entries_;  // By group, in the order added
  std::array<std::uint16_t, (1U << kGroupBits) + 1> group_begin_{};
};

}  // namespace observeai::agent
