#include <algorithm>
#include <tuple>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/decimal.h"
#include "protocol/wire/detail/log_columns.h"

namespace observeai::wire::detail {
namespace {

constexpr std::ptrdiff_t kCopyBytes = 16;
constexpr std::uint64_t kBelowEightDigits = 100'000'000;
constexpr char kHexDigits[] = "0123456789abcdef";

// "00" to "99".
constexpr std::array<char, 200> kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

Error corrupt(std::string_view why) {
  return Error(Errc::kCorrupt, "log lines: " + std::string(why));
}

// A pair of texts, in the order of their places.
struct Pair {
  std::uint64_t texts = 0;  // The number of the one before, then its own
  std::uint32_t place = 0;
};

// Numbers equal pairs alike, in the order of their first use: by sorting, because the sender chooses
// them and could choose what collides in a hash table. How many differ.
std::uint32_t number_pairs(std::vector<Pair> pairs, std::vector<std::uint32_t>& numbers) {
  std::vector<std::uint32_t> first(numbers.size());
  std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
    return std::tie(a.texts, a.place) < std::tie(b.texts, b.place);
  });
  std::vector<bool> is_first(numbers.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const bool again = i > 0 && pairs[i].texts == pairs[i - 1].texts;
    is_first[pairs[i].place] = !again;
    first[pairs[i].place] = again ? first[pairs[i - 1].place] : pairs[i].place;
  }
  std::uint32_t count = 0;
  for (std::size_t place = 0; place < numbers.size(); ++place)
    if (is_first[place]) numbers[place] = count++;
  for (const auto& pair : pairs) numbers[pair.place] = numbers[first[pair.place]];
  return count;
}

}  // namespace

std::string_view decimal_text(std::uint64_t number, std::size_t digits, DecimalBuffer& buffer) {
  char* const end = buffer.data() + buffer.size();
  char* at = end;
  for (; number >= 10; number /= 100) std::memcpy(at -= 2, &kPairs[2 * (number % 100)], 2);
  if (number > 0 || at == end) *--at = static_cast<char>('0' + number);
  while (static_cast<std::size_t>(end - at) < digits) *--at = '0';
  return {at, static_cast<std::size_t>(end - at)};
}

Result<LogLineReader> LogLineReader::create(std::size_t lines, SectionReader& from) {
  LogLineReader reader;
  reader.text_end_ = from.text.rest().data() + from.text.rest().size();
  if (!reader.take_skeletons(from)) return corrupt("bad skeletons");
  if (!reader.take_lines(lines, from)) return corrupt("bad line numbers");
  if (!reader.take_columns(from)) return corrupt("bad columns");
  reader.room_ = kMaxBodyBytes;
  return reader;
}

bool LogLineReader::take_skeletons(SectionReader& from) {
  const auto skeletons = from.head.varint();
  if (!skeletons || *skeletons > kMaxSkeletonTexts) return false;
  std::vector<std::uint32_t> texts;  // One after the other, of all skeletons
  std::uint32_t used = 0;
  for (std::uint64_t i = 0; i < *skeletons; ++i) {
    const auto count = from.head.varint();
    if (!count || *count == 0 || *count > kMaxPlaces + 1) return false;
    if (texts.size() + *count > kMaxSkeletonTexts) return false;
    for (std::uint64_t k = 0; k < *count; ++k) {
      const auto number = from.head.varint();
      if (!number || *number > used) return false;
      texts.push_back(*number == 0 ? used++ : static_cast<std::uint32_t>(*number - 1));
    }
    ends_.push_back(static_cast<std::uint32_t>(texts.size()));
  }
  std::vector<std::string_view> bytes(used);
  auto lengths = NumberColumn::take(used, from);
  if (!lengths) return false;
  for (auto& text : bytes) {
    const auto taken = from.text.bytes(lengths->next());
    if (!taken) return false;
    text = *taken;
  }
  return take_parts(texts, bytes);
}

bool LogLineReader::take_parts(const std::vector<std::uint32_t>& texts,
                               const std::vector<std::string_view>& bytes) {
  std::vector<Pair> pairs;
  pairs.reserve(texts.size());
  parts_.reserve(texts.size());
  for (const auto end : ends_) {
    std::uint64_t before = UINT32_MAX;
    while (parts_.size() < end) {
      const auto text = texts[parts_.size()];
      const auto place = static_cast<std::uint32_t>(parts_.size());
      parts_.push_back({bytes[text], 0});
      if (parts_.size() < end) pairs.push_back({before << 32 | text, place});
      before = text;
    }
  }
  std::vector<std::uint32_t> numbers(parts_.size());
  const auto count = number_pairs(std::move(pairs), numbers);
  if (count > kMaxColumns) return false;
  for (std::size_t place = 0; place < parts_.size(); ++place) parts_[place].column = numbers[place];
  columns_.resize(count);
  return true;
}

bool LogLineReader::take_lines(std::size_t count, SectionReader& from) {
  std::uint32_t known = 0;
  lines_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = from.numbers.varint();
    if (!number) return false;
    if (*number == 1) {
      lines_.push_back(LogSkeletons::kPlain);
    } else if (*number == 0 && known < ends_.size()) {
      lines_.push_back(known++);
    } else if (*number >= 2 && *number - 2 < known) {
      lines_.push_back(static_cast<std::uint32_t>(*number - 2));
    } else {
      return false;
    }
  }
  return known == ends_.size();
}

bool LogLineReader::take_columns(SectionReader& from) {
  std::vector<std::uint64_t> uses(ends_.size());
  std::uint64_t plain = 0;
  for (const auto line : lines_) ++(line == LogSkeletons::kPlain ? plain : uses[line]);
  std::vector<std::uint64_t> counts(columns_.size());
  std::uint64_t values = 0;
  for (std::size_t skeleton = 0, part = 0; skeleton < ends_.size(); ++skeleton) {
    for (; part + 1 < ends_[skeleton]; ++part) {
      counts[parts_[part].column] += uses[skeleton];
      values += uses[skeleton];
    }
    ++part;
  }
  if (values > kMaxBodyBytes) return false;  // A value is at least a byte
  plain_.form = ValueForm::kTexts;
  if (!plain_.take_texts(plain, from)) return false;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (!columns_[i].take(counts[i], from)) return false;
  }
  return true;
}

bool LogLineReader::Column::take(std::uint64_t count, SectionReader& from) {
  form = static_cast<ValueForm>(from.head.byte().value_or(UINT8_MAX));
  if (form == ValueForm::kTexts) return take_texts(count, from);
  const auto least = from.head.varint32().value_or(0);
  digits = least;
  if (digits == 0) return false;
  if (form == ValueForm::kHexes) {
    const auto taken = from.packed.bytes(count * ((std::uint64_t{digits} + 1) / 2));
    bytes = taken.value_or("");
    return taken.has_value();
  }
  const auto taken = NumberColumn::take(count, from);
  numbers = taken.value_or(NumberColumn());
  return form == ValueForm::kDecimals && digits <= DecimalBuffer().size() && taken;
}

bool LogLineReader::Column::take_texts(std::uint64_t count, SectionReader& from) {
  const auto lengths = NumberColumn::take(count, from);
  if (!lengths) return false;
  numbers = *lengths;
  std::uint64_t sum = 0;
  for (auto length = *lengths; count > 0; --count) {
    const auto next = length.next();
    if (next > from.text.rest().size()) return false;  // So that the sum stays small
    sum += next;
  }
  const auto taken = from.text.bytes(sum);
  bytes = taken.value_or("");
  return taken.has_value();
}

Result<std::string> LogLineReader::next() {
  used_ = 0;
  const auto skeleton = lines_[next_line_++];
  bool fits = true;
  if (skeleton == LogSkeletons::kPlain) {
    fits = append_value(plain_);
  } else {
    const auto end = ends_[skeleton];
    for (auto part = skeleton == 0 ? 0 : ends_[skeleton - 1]; fits && part < end; ++part) {
      fits = append_text(parts_[part].text) &&
             (part + 1 == end || append_value(columns_[parts_[part].column]));
    }
  }
  if (!fits) return corrupt("too much text");
  room_ -= used_;
  return std::string(line_.data(), used_);
}

// False when the lines are too long.
bool LogLineReader::make_room(std::size_t bytes) {
  if (bytes > room_ - used_) return false;
  if (line_.size() < used_ + bytes + kCopyBytes) line_.resize(2 * (used_ + bytes + kCopyBytes));
  return true;
}

// Of the text section. Short pieces, nearly all, are copied in one step with what stands behind them.
bool LogLineReader::append_text(std::string_view bytes) {
  if (!make_room(bytes.size())) return false;
  if (bytes.size() <= kCopyBytes && text_end_ - bytes.data() >= kCopyBytes) {
    std::memcpy(&line_[used_], bytes.data(), kCopyBytes);
  } else {
    std::copy(bytes.begin(), bytes.end(), &line_[used_]);
  }
  used_ += bytes.size();
  return true;
}

bool LogLineReader::append_decimal(std::uint64_t number, std::uint32_t digits) {
  if (number < kBelowEightDigits && digits <= 8) {
    if (!make_room(8)) return append_long_decimal(number, digits);
    const auto word = eight_digits(number);
    const auto zeros = std::min(first_byte(word ^ kEachByte * '0'), 8 - digits);
    put_word(word >> 8 * zeros, &line_[used_]);
    used_ += 8 - zeros;
    return true;
  }
  return append_long_decimal(number, digits);
}

bool LogLineReader::append_long_decimal(std::uint64_t number, std::uint32_t digits) {
  DecimalBuffer buffer;
  const auto text = decimal_text(number, digits, buffer);
  if (!make_room(text.size())) return false;
  std::copy(text.begin(), text.end(), &line_[used_]);
  used_ += text.size();
  return true;
}

bool LogLineReader::append_hex(Column& column) {
  if (!make_room(column.digits)) return false;
  char* out = &line_[used_];
  for (std::size_t i = 0; i < column.digits; ++i) {
    const auto byte = static_cast<std::uint8_t>(column.bytes[i / 2]);
    *out++ = kHexDigits[i % 2 == 0 ? byte >> 4 : byte & 0xF];
  }
  column.bytes.remove_prefix((std::size_t{column.digits} + 1) / 2);
  used_ += column.digits;
  return true;
}

bool LogLineReader::append_value(Column& column) {
  switch (column.form) {
    case ValueForm::kDecimals:
      return append_decimal(column.numbers.next(), column.digits);
    case ValueForm::kHexes:
      return append_hex(column);
    case ValueForm::kTexts: {
      const auto length = static_cast<std::size_t>(column.numbers.next());
      const auto bytes = column.bytes.substr(0, length);
      column.bytes.remove_prefix(length);
      return append_text(bytes);
    }
  }
  return false;
}

}  // namespace observeai::wire::detail
