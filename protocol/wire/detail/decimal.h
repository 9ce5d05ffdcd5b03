// Decimal digits eight at a time, without a branch for each: lengths of numbers in logs are hard to
// predict. Words hold text with the first character in the lowest byte.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace observeai::wire::detail {

constexpr std::uint64_t kEachByte = 0x0101010101010101U;

// Eight bytes of text.
inline std::uint64_t word_of(const char* text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, 8);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

inline void put_word(std::uint64_t word, char* text) {
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  std::memcpy(text, &word, 8);
}

// The highest bit of each byte that is a digit.
constexpr std::uint64_t digits_in(std::uint64_t word) {
  const auto from_zero = word ^ kEachByte * '0';
  const auto above_nine = ((from_zero & kEachByte * 0x7F) + kEachByte * (0x80 - 10)) | from_zero;
  return ~above_nine & kEachByte * 0x80;
}

// The first byte, of 8, whose highest bit is set; 8 when there is none.
constexpr unsigned first_byte(std::uint64_t bits) {
  return static_cast<unsigned>(std::countr_zero(bits)) / 8;
}

// The number of the first `count` bytes, 1 to 8, all digits (Lemire: Quickly parsing eight digits, 2018).
constexpr std::uint64_t number_of(std::uint64_t word, unsigned count) {
  word <<= 8 * (8 - count);
  word = (word & kEachByte * 0x0F) * 2561 >> 8;
  word = (word & 0x00FF00FF00FF00FFU) * 6553601 >> 16;
  return (word & 0x0000FFFF0000FFFFU) * 42949672960001U >> 32;
}

// Eight digits of a number below 10^8, zeros before it (Khuong: How to print integers really fast, 2017).
constexpr std::uint64_t eight_digits(std::uint64_t number) {
  const auto fours = number / 10000 | (number % 10000) << 32;
  const auto high_pairs = (fours * 10486 >> 20) & 0x0000007F0000007FU;
  const auto pairs = ((fours - 100 * high_pairs) << 16) + high_pairs;
  const auto tens = (pairs * 103 >> 10) & 0x000F000F000F000FU;
  return (tens + ((pairs - 10 * tens) << 8)) | kEachByte * '0';
}

}  // namespace observeai::wire::detail
