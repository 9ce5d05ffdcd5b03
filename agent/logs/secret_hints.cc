#include "agent/logs/secret_hints.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "agent/logs/secret_detectors.h"
#include "agent/logs/secret_entropy.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kBlock = 64;

// Of a block: bit i is set when byte i is of the class.
struct Classes {
  std::uint64_t escape = 0;
  std::uint64_t digit = 0;
  std::uint64_t joint = 0;  // is_card_joint()
  std::uint64_t run = 0;
};

#if defined(__SSE2__)

__m128i equals(__m128i bytes, char c) {
  return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}
__m128i within(__m128i bytes, char first, char last) {
  const __m128i from_first = _mm_sub_epi8(bytes, _mm_set1_epi8(first));
  const __m128i span = _mm_set1_epi8(static_cast<char>(last - first));
  return _mm_cmpeq_epi8(_mm_min_epu8(from_first, span), from_first);
}

Classes classes_of(const char* block) {
  Classes out;
  for (unsigned part = 0; part < kBlock; part += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + part));
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i plus = equals(bytes, '+');
    const __m128i run = _mm_or_si128(
        _mm_or_si128(within(lower, 'a', 'z'), within(bytes, '-', '9')),  // -./ and digits
        _mm_or_si128(_mm_or_si128(equals(bytes, '_'), plus), equals(bytes, '=')));
    const auto set = [part](std::uint64_t& bits, __m128i hits) {
      bits |= std::uint64_t{static_cast<unsigned>(_mm_movemask_epi8(hits))} << part;
    };
    set(out.escape, equals(bytes, '\x1b'));
    set(out.digit, within(bytes, '0', '9'));
    set(out.joint, _mm_or_si128(_mm_or_si128(equals(bytes, ' '), equals(bytes, '-')), plus));
    set(out.run, run);
  }
  return out;
}

#else

Classes classes_of(const char* block) {
  Classes out;
  for (unsigned i = 0; i < kBlock; ++i) {
    const char c = block[i];
    const std::uint64_t bit = std::uint64_t{1} << i;
    if (c == '\x1b') out.escape |= bit;
    if (chars::is(c, chars::kDigit)) out.digit |= bit;
    if (is_card_joint(c)) out.joint |= bit;
    if (chars::is(c, kRunClass)) out.run |= bit;
  }
  return out;
}

#endif

// Whether `bits` have kLength ones side by side, beginning with `before` at their lower end.
template <unsigned kLength>
bool has_ones(std::uint64_t bits, unsigned before) {
  if (before + static_cast<unsigned>(std::countr_one(bits)) >= kLength) return true;
  unsigned length = 1;  // Bit i of `bits`: this many ones from there on
  for (; length * 2 <= kLength; length *= 2) bits &= bits >> length;
  return (bits & bits >> (kLength - length)) != 0;
}

// How many ones stand at the upper end of `bits`, and of those before if all are ones.
unsigned ones_at_end(std::uint64_t bits, unsigned before) {
  const auto ones = static_cast<unsigned>(std::countl_one(bits));
  return ones == kBlock ? ones + before : ones;
}

class HintScan {
 public:
  void add(const Classes& block) {
    // Digits, and a joint behind one with a digit behind it. The last byte's neighbour is unknown.
    const auto behind = block.digit << 1 | digit_before_;
    const auto ahead = block.digit >> 1 | std::uint64_t{1} << (kBlock - 1);
    const auto card = block.digit | (block.joint & behind & ahead);
    hints.escape |= block.escape != 0;
    hints.card_number |= has_ones<kMinCardDigits>(card, card_before_);
    hints.run |= has_ones<kMinRun>(block.run, run_before_);
    card_before_ = ones_at_end(card, card_before_);
    run_before_ = ones_at_end(block.run, run_before_);
    digit_before_ = block.digit >> (kBlock - 1);
  }
  SecretHints hints;

 private:
  unsigned card_before_ = 0;  // Ones at the end of what was added
  unsigned run_before_ = 0;
  std::uint64_t digit_before_ = 0;
};

}  // namespace

SecretHints secret_hints(std::string_view text) {
  HintScan scan;
  std::size_t at = 0;
  for (; at + kBlock <= text.size(); at += kBlock) scan.add(classes_of(text.data() + at));
  const auto rest = text.size() - at;
  if (rest == 0) return scan.hints;
  if (at > 0) {
    // The last block once more from where it was not looked at yet.
    auto block = classes_of(text.data() + text.size() - kBlock);
    const auto known = kBlock - rest;
    block.escape >>= known;
    block.digit >>= known;
    block.joint >>= known;
    block.run >>= known;
    scan.add(block);
  } else {
    std::array<char, kBlock> block{};
    std::memcpy(block.data(), text.data(), rest);
    scan.add(classes_of(block.data()));
  }
  return scan.hints;
}

}  // namespace observeai::agent
