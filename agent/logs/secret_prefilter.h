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
    for (auto i = lower_bound(key); i < entries_.size() && entries_[i].key == key; ++i) {
      f(entries_[i].tag);
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
  static std::uint32_t slot(std::uint32_t key) { return key * 0x9E3779B1U >> 16; }
  std::size_t lower_bound(std::uint32_t key) const;

  std::array<std::uint64_t, 1024> bits_{};  // One for each 16-bit slot: 8 KiB
  std::vector<Entry> entries_;              // By key
};

}  // namespace observeai::agent
