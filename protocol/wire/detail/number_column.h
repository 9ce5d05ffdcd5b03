// A column of unsigned 64-bit numbers in the form that takes the fewest bytes under zstd; signed ones
// as they are, modulo 2^64. Frame of reference (Goldstein, Ramakrishnan, Shaft: Compressing Relations
// and Indexes, ICDE 1998), of the numbers or of their differences, and varints where few are large.
//
// In `head` a byte that says which form, then what belongs to it:
//   kConstant  varint: the number
//   kBytes     varint: the smallest; in `numbers` a byte for each: what it is above that
//   kPacked    byte: width, 1 to 64 bits; varint: the smallest; in `packed` what each is above that,
//              lowest bit first, zeros behind the last
//   kVarints   in `numbers` a varint for each
//   kIndexed   varint: how many different ones, 1 to kMaxIndexed; a varint for each of them; in
//              `numbers` a byte for each number: its place among them
// With kDifferences added to the byte a varint follows it, the first number, and the rest is about the
// differences to the number before, zigzag, one fewer. A column of no numbers is no bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/wire/detail/varint.h"

namespace observeai::wire::detail {

// Parts of a body that zstd packs with statistics of their own: what looks alike stands together.
struct Sections {
  std::string head;     // Counts, forms
  std::string text;     // Words
  std::string numbers;  // Bytes and varints
  std::string packed;   // Bits in which zstd finds little
};

struct SectionReader {
  ColumnReader head;
  ColumnReader text;
  ColumnReader numbers;
  ColumnReader packed;
  bool at_end() const {
    return head.at_end() && text.at_end() && numbers.at_end() && packed.at_end();
  }
};

enum class NumberForm : std::uint8_t { kConstant, kBytes, kPacked, kVarints, kIndexed };
inline constexpr std::uint8_t kDifferences = 8;
inline constexpr std::size_t kMaxIndexed = 32;

void put_numbers(std::span<const std::uint64_t> numbers, Sections& out);

// Reads a column front to back. The bytes of the sections must outlive it.
class NumberColumn {
 public:
  NumberColumn() = default;  // Of zeros

  // nullopt unless all of the column's bytes are there and well-formed.
  static std::optional<NumberColumn> take(std::uint64_t count, SectionReader& from);

  std::uint64_t next();  // As often as there are numbers

 private:
  bool take_form(std::uint8_t form, std::uint64_t count, SectionReader& from);
  std::uint64_t next_plain();

  NumberForm form_ = NumberForm::kConstant;
  bool differences_ = false;
  bool first_ = true;  // With differences: next() is the first number
  std::uint8_t width_ = 0;
  std::uint64_t base_ = 0;
  std::uint64_t last_ = 0;  // With differences: the first number, then the number before
  std::uint64_t bit_ = 0;   // Of kPacked: where the next begins
  std::string_view rest_;
  std::array<std::uint64_t, kMaxIndexed> table_{};
};

}  // namespace observeai::wire::detail
