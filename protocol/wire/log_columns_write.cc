#include "protocol/wire/detail/log_columns.h"

namespace observeai::wire::detail {
namespace {

constexpr std::uint32_t kUnused = UINT32_MAX;

// Numbers things in the order of their first use.
class FirstUse {
 public:
  explicit FirstUse(std::size_t count) : numbers_(count, kUnused) {}
  // True the first time.
  bool use(std::uint32_t thing) {
    if (numbers_[thing] != kUnused) return false;
    numbers_[thing] = static_cast<std::uint32_t>(order_.size());
    order_.push_back(thing);
    return true;
  }
  std::uint32_t number(std::uint32_t thing) const { return numbers_[thing]; }
  const std::vector<std::uint32_t>& order() const { return order_; }

 private:
  std::vector<std::uint32_t> numbers_;
  std::vector<std::uint32_t> order_;
};

void put_texts(std::span<const std::string_view> texts, Sections& out) {
  std::vector<std::uint64_t> lengths;
  lengths.reserve(texts.size());
  for (const auto text : texts) {
    lengths.push_back(text.size());
    out.text.append(text);
  }
  put_numbers(lengths, out);
}

// Returns the columns in the order of their first use.
std::vector<std::uint32_t> put_skeletons(const LogSkeletons& lines, Sections& out) {
  FirstUse texts(lines.texts().size());
  FirstUse columns(lines.column_count());
  std::vector<LogSkeletons::Part> parts;
  put_varint(out.head, lines.skeleton_count());
  for (std::uint32_t skeleton = 0; skeleton < lines.skeleton_count(); ++skeleton) {
    lines.parts_of(skeleton, parts);
    put_varint(out.head, parts.size());
    for (const auto& part : parts) {
      put_varint(out.head, texts.use(part.text) ? 0 : texts.number(part.text) + 1);
    }
    parts.pop_back();
    for (const auto& part : parts) columns.use(part.column);
  }
  std::vector<std::string_view> bytes;
  bytes.reserve(texts.order().size());
  for (const auto text : texts.order()) bytes.push_back(lines.texts()[text]);
  put_texts(bytes, out);
  return columns.order();
}

void put_line_numbers(const LogSkeletons& lines, Sections& out) {
  std::uint32_t known = 0;
  for (const auto skeleton : lines.lines()) {
    if (skeleton == LogSkeletons::kPlain) {
      put_varint(out.numbers, 1);
    } else if (skeleton == known) {
      put_varint(out.numbers, 0);
      ++known;
    } else {
      put_varint(out.numbers, skeleton + std::uint64_t{2});
    }
  }
}

// ---- values ------------------------------------------------------------------------------------

using Values = std::span<const LogValue>;

constexpr std::array<std::uint64_t, 19> kPowersOfTen = [] {
  std::array<std::uint64_t, 19> powers{1};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

struct Traits {
  std::uint8_t kinds = 0;
  std::uint32_t shortest = UINT32_MAX;
  std::uint32_t longest = 0;
  bool zero_before = false;

  bool same_length() const { return shortest == longest; }
  bool has(ValueKind kind) const { return (kinds & static_cast<std::uint8_t>(kind)) != 0; }
};

Traits traits_of(Values values) {
  Traits traits;
  for (const auto& value : values) {
    traits.kinds |= static_cast<std::uint8_t>(value.kind);
    traits.shortest = std::min(traits.shortest, value.length);
    traits.longest = std::max(traits.longest, value.length);
    traits.zero_before |= value.kind == ValueKind::kDecimal && value.length > 1 &&
                          value.number < kPowersOfTen[value.length - 1];
  }
  return traits;
}

ValueForm form_of(const Traits& traits) {
  if (traits.has(ValueKind::kText)) return ValueForm::kTexts;
  if (traits.has(ValueKind::kHex)) {
    return traits.same_length() ? ValueForm::kHexes : ValueForm::kTexts;
  }
  return traits.zero_before && !traits.same_length() ? ValueForm::kTexts : ValueForm::kDecimals;
}

std::string_view text_of(const LogValue& value, DecimalBuffer& buffer) {
  if (value.kind == ValueKind::kDecimal) return decimal_text(value.number, value.length, buffer);
  return {value.text, value.length};
}

unsigned hex_value(char digit) {
  return (static_cast<unsigned>(digit) & 0xF) + (digit >= 'a' ? 9 : 0);
}

void put_hexes(Values values, std::size_t digits, std::string& out) {
  DecimalBuffer buffer;
  for (const auto& value : values) {
    const auto text = text_of(value, buffer);
    std::size_t i = 0;
    for (; i + 1 < digits; i += 2) {
      out.push_back(static_cast<char>(hex_value(text[i]) << 4 | hex_value(text[i + 1])));
    }
    if (i < digits) out.push_back(static_cast<char>(hex_value(text[i]) << 4));
  }
}

void put_column(Values values, std::vector<std::uint64_t>& scratch, Sections& out) {
  const auto traits = traits_of(values);
  const auto form = form_of(traits);
  out.head.push_back(static_cast<char>(form));
  scratch.clear();
  DecimalBuffer buffer;
  switch (form) {
    case ValueForm::kDecimals:
      put_varint(out.head, traits.zero_before ? traits.longest : 1);
      for (const auto& value : values) scratch.push_back(value.number);
      put_numbers(scratch, out);
      return;
    case ValueForm::kHexes:
      put_varint(out.head, traits.longest);
      put_hexes(values, traits.longest, out.packed);
      return;
    case ValueForm::kTexts:
      for (const auto& value : values) {
        scratch.push_back(value.length);
        out.text.append(text_of(value, buffer));
      }
      put_numbers(scratch, out);
      return;
  }
}

// The values of one column after the other, each in the order of lines.
void put_columns(const LogSkeletons& lines, const std::vector<std::uint32_t>& order,
                 Sections& out) {
  std::vector<std::size_t> counts(lines.column_count());
  for (const auto& value : lines.values()) ++counts[value.column];
  std::vector<std::size_t> ends(lines.column_count());
  std::size_t end = 0;
  for (const auto column : order) {
    ends[column] = end;
    end += counts[column];
  }
  std::vector<LogValue> sorted(lines.values().size());
  for (const auto& value : lines.values()) sorted[ends[value.column]++] = value;
  std::vector<std::uint64_t> scratch;
  for (const auto column : order) {
    const auto begin = ends[column] - counts[column];
    put_column(Values(sorted).subspan(begin, counts[column]), scratch, out);
  }
}

}  // namespace

void put_lines(const LogSkeletons& lines, Sections& out) {
  const auto columns = put_skeletons(lines, out);
  put_line_numbers(lines, out);
  put_texts(lines.plain(), out);
  put_columns(lines, columns, out);
}

}  // namespace observeai::wire::detail
