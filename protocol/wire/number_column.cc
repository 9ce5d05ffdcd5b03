#include "protocol/wire/detail/number_column.h"

#include <algorithm>
#include <limits>

namespace observeai::wire::detail {
namespace {

constexpr std::size_t kNumbersForEachIndexed = 4;  // With fewer the table does not pay

using Numbers = std::span<const std::uint64_t>;

std::uint64_t zigzag_difference(std::uint64_t from, std::uint64_t to) {
  return zigzag(static_cast<std::int64_t>(to - from));
}

// ---- writing -----------------------------------------------------------------------------------

// What the form is chosen by.
class Profile {
 public:
  void include(std::uint64_t number) {
    least_ = std::min(least_, number);
    most_ = std::max(most_, number);
    // A seventh of the bits, rounded up, for 1 to 64 bits.
    varint_bytes_ += (static_cast<unsigned>(std::bit_width(number | 1)) * 37 + 218) >> 8;
    ++count_;
  }
  std::uint64_t least() const { return least_; }
  bool is_constant() const { return least_ == most_; }
  unsigned width() const { return static_cast<unsigned>(std::bit_width(most_ - least_)); }
  std::uint64_t packed_bits() const { return width() * count_; }
  std::uint64_t varint_bits() const { return 8 * varint_bytes_; }
  std::uint64_t bits() const {
    if (is_constant()) return 0;
    return width() <= 8 ? 8 * count_ : std::min(packed_bits(), varint_bits());
  }

 private:
  std::uint64_t least_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t most_ = 0;
  std::uint64_t varint_bytes_ = 0;
  std::uint64_t count_ = 0;
};

// Few different numbers far from each other: status codes, ports.
class Index {
 public:
  // False when it does not pay; of random numbers it looks at a few dozen.
  bool build(Numbers numbers) {
    const std::size_t most = std::min(kMaxIndexed, numbers.size() / kNumbersForEachIndexed);
    for (const auto number : numbers) {
      auto& place = find(number);
      if (place != 0) continue;
      if (count_ == most) return false;
      table_[count_++] = number;
      place = static_cast<std::uint8_t>(count_);
    }
    return true;
  }
  Numbers table() const { return {table_.data(), count_}; }
  char index_of(std::uint64_t number) { return static_cast<char>(find(number) - 1); }

 private:
  // Its place in the table, from 1, or where that is to be written.
  std::uint8_t& find(std::uint64_t number) {
    std::size_t at = number * 0x9E3779B97F4A7C15U >> 56;
    while (places_[at] != 0 && table_[places_[at] - 1U] != number) at = (at + 1) % places_.size();
    return places_[at];
  }

  std::array<std::uint64_t, kMaxIndexed> table_{};
  std::array<std::uint8_t, 256> places_{};
  std::size_t count_ = 0;
};

class BitWriter {
 public:
  BitWriter(unsigned width, std::string& out) : width_(width), out_(out) {}
  void put(std::uint64_t value) {
    word_ |= value << used_;
    used_ += width_;
    if (used_ < 64) return;
    flush(8);
    used_ -= 64;
    word_ = used_ == 0 ? 0 : value >> (width_ - used_);
  }
  void end() { flush((used_ + 7) / 8); }

 private:
  void flush(unsigned bytes) {
    std::array<char, 8> raw;
    for (unsigned i = 0; i < 8; ++i) raw[i] = static_cast<char>(word_ >> (8 * i));
    out_.append(raw.data(), bytes);
  }

  const unsigned width_;
  std::string& out_;
  std::uint64_t word_ = 0;
  unsigned used_ = 0;
};

NumberForm choose(Numbers numbers, const Profile& profile, Index& index) {
  if (profile.is_constant()) return NumberForm::kConstant;
  if (profile.width() <= 8) return NumberForm::kBytes;
  if (index.build(numbers)) return NumberForm::kIndexed;
  return profile.packed_bits() <= profile.varint_bits() ? NumberForm::kPacked
                                                        : NumberForm::kVarints;
}

void put_form(Numbers numbers, const Profile& profile, NumberForm form, Index& index,
              Sections& out) {
  switch (form) {
    case NumberForm::kConstant:
      put_varint(out.head, profile.least());
      return;
    case NumberForm::kBytes:
      put_varint(out.head, profile.least());
      for (const auto number : numbers) {
        out.numbers.push_back(static_cast<char>(number - profile.least()));
      }
      return;
    case NumberForm::kPacked: {
      out.head.push_back(static_cast<char>(profile.width()));
      put_varint(out.head, profile.least());
      BitWriter bits(profile.width(), out.packed);
      for (const auto number : numbers) bits.put(number - profile.least());
      bits.end();
      return;
    }
    case NumberForm::kVarints:
      for (const auto number : numbers) put_varint(out.numbers, number);
      return;
    case NumberForm::kIndexed:
      put_varint(out.head, index.table().size());
      for (const auto number : index.table()) put_varint(out.head, number);
      for (const auto number : numbers) out.numbers.push_back(index.index_of(number));
      return;
  }
}

// ---- reading -----------------------------------------------------------------------------------

// The eight bytes at a place, zeros beyond the end.
std::uint64_t word_at(std::string_view bytes, std::uint64_t at) {
  std::uint64_t word = 0;
  if (at + 8 <= bytes.size() && std::endian::native == std::endian::little) {
    std::memcpy(&word, bytes.data() + at, 8);
    return word;
  }
  for (std::size_t i = 0; i < 8 && at + i < bytes.size(); ++i) {
    word |= std::uint64_t{static_cast<std::uint8_t>(bytes[at + i])} << (8 * i);
  }
  return word;
}

}  // namespace

void put_numbers(std::span<const std::uint64_t> numbers, Sections& out) {
  if (numbers.empty()) return;
  Profile plain;
  Profile differences;
  plain.include(numbers[0]);
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    plain.include(numbers[i]);
    differences.include(zigzag_difference(numbers[i - 1], numbers[i]));
  }
  Index index;
  const auto form = choose(numbers, plain, index);
  if (numbers.size() < 2 || form == NumberForm::kIndexed || differences.bits() >= plain.bits()) {
    out.head.push_back(static_cast<char>(form));
    put_form(numbers, plain, form, index, out);
    return;
  }
  std::vector<std::uint64_t> steps(numbers.size() - 1);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i] = zigzag_difference(numbers[i], numbers[i + 1]);
  }
  Index index_of_steps;
  const auto form_of_steps = choose(steps, differences, index_of_steps);
  out.head.push_back(static_cast<char>(static_cast<std::uint8_t>(form_of_steps) | kDifferences));
  put_varint(out.head, numbers[0]);
  put_form(steps, differences, form_of_steps, index_of_steps, out);
}

std::optional<NumberColumn> NumberColumn::take(std::uint64_t count, SectionReader& from) {
  NumberColumn column;
  if (count == 0) return column;
  const auto form = from.head.byte();
  if (!form) return std::nullopt;
  column.differences_ = (*form & kDifferences) != 0;
  if (column.differences_) {
    const auto first = from.head.varint();
    if (!first) return std::nullopt;
    column.last_ = *first;
    --count;
  }
  if (!column.take_form(*form & ~kDifferences, count, from)) return std::nullopt;
  return column;
}

bool NumberColumn::take_form(std::uint8_t form, std::uint64_t count, SectionReader& from) {
  form_ = static_cast<NumberForm>(form);
  const auto take_base = [&] {
    const auto base = from.head.varint();
    base_ = base.value_or(0);
    return base.has_value();
  };
  const auto take_rest = [&](ColumnReader& section, std::uint64_t bytes) {
    const auto rest = section.bytes(bytes);
    rest_ = rest.value_or("");
    return rest.has_value();
  };
  switch (form_) {
    case NumberForm::kConstant:
      return take_base();
    case NumberForm::kBytes:
      return take_base() && take_rest(from.numbers, count);
    case NumberForm::kPacked: {
      width_ = from.head.byte().value_or(0);
      if (width_ == 0 || width_ > 64 || count > UINT32_MAX) return false;
      return take_base() && take_rest(from.packed, (count * width_ + 7) / 8);
    }
    case NumberForm::kVarints: {
      rest_ = from.numbers.rest();
      for (std::uint64_t i = 0; i < count; ++i) {
        if (!from.numbers.varint()) return false;
      }
      return true;
    }
    case NumberForm::kIndexed: {
      const auto size = from.head.varint();
      if (!size || *size == 0 || *size > kMaxIndexed) return false;
      for (std::size_t i = 0; i < *size; ++i) {
        if (!take_base()) return false;
        table_[i] = base_;
      }
      return take_rest(from.numbers, count) && std::all_of(rest_.begin(), rest_.end(), [&](char c) {
               return static_cast<std::uint8_t>(c) < *size;
             });
    }
  }
  return false;
}

std::uint64_t NumberColumn::next() {
  if (!differences_) return next_plain();
  if (first_) {
    first_ = false;
  } else {
    last_ += static_cast<std::uint64_t>(unzigzag(next_plain()));
  }
  return last_;
}

std::uint64_t NumberColumn::next_plain() {
  const auto take_byte = [&] {
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  };
  switch (form_) {
    case NumberForm::kConstant:
      return base_;
    case NumberForm::kBytes:
      return base_ + take_byte();
    case NumberForm::kPacked: {
      const auto shift = bit_ % 8;
      auto value = word_at(rest_, bit_ / 8) >> shift;
      // Behind a shifted word up to seven bits of it are in the ninth byte.
      if (shift + width_ > 64) value |= word_at(rest_, bit_ / 8 + 8) << (64 - shift);
      bit_ += width_;
      return base_ + (width_ == 64 ? value : value & ((std::uint64_t{1} << width_) - 1));
    }
    case NumberForm::kVarints: {
      std::uint64_t value = 0;
      for (unsigned shift = 0;; shift += 7) {
        const auto byte = take_byte();
        value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
      }
    }
    case NumberForm::kIndexed:
      return table_[take_byte()];
  }
  return 0;
}

}  // namespace observeai::wire::detail
