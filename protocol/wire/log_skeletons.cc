#include "protocol/wire/detail/log_skeletons.h"

#include <array>

#include "protocol/wire/detail/decimal.h"

namespace observeai::wire::detail {
namespace {

constexpr std::size_t kMaxNodes = 1U << 16;
constexpr std::size_t kFewestSlots = 1024;
constexpr std::size_t kMaxProbes = 64;
constexpr std::ptrdiff_t kMaxDecimalDigits = 18;  // All of them fit 64 bits
constexpr std::ptrdiff_t kFewestHexDigits = 4;    // Shorter: a digit beside a letter, as in "5a"
constexpr std::ptrdiff_t kLongestMarked = 20;     // A number with letters before or behind it
constexpr std::ptrdiff_t kRoomForNumber = 16;     // Words are read where the line has as much
constexpr std::size_t kBytesForEachValue = 12;    // About, of lines with many values

enum Class : std::uint8_t { kDigit = 1, kHexLetter = 2, kLetter = 4 };

constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kDigit;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = c <= 'f' ? kHexLetter : kLetter;
  for (unsigned c = 'A'; c <= 'Z'; ++c) classes[c] = kLetter;
  return classes;
}();

std::uint8_t class_of(char c) {
  return kClasses[static_cast<std::uint8_t>(c)];
}

const char* find_digit(const char* at, const char* end) {
  for (; end - at >= 8; at += 8) {
    if (const auto digits = digits_in(word_of(at)); digits != 0) {
      return at + first_byte(digits);
    }
  }
  while (at < end && (class_of(*at) & kDigit) == 0) ++at;
  return at;
}

// Reads digits on from the first one; returns their end.
const char* read_digits(const char* at, const char* end, std::uint64_t& number) {
  if (end - at >= 8) {
    const auto word = word_of(at);
    const auto count = first_byte(~digits_in(word) & kEachByte * 0x80);
    number = number_of(word, count);
    at += count;
    if (count < 8) return at;
  }
  for (; at < end && class_of(*at) == kDigit; ++at) {
    number = number * 10 + static_cast<std::uint64_t>(*at - '0');  // Too many: not used
  }
  return at;
}

struct Found {
  LogValue value;
  const char* begin;
};

// The value around the first digit of text that begins at `begin`.
Found value_at(const char* begin, const char* digit, const char* end) {
  std::uint64_t number = 0;
  const char* const digits_end = read_digits(digit, end, number);
  const char* first = digit;
  std::uint8_t letters = 0;
  while (first > begin && class_of(first[-1]) != 0) letters |= class_of(*--first);
  const char* last = digits_end;
  while (last < end && class_of(*last) != 0) letters |= class_of(*last++);

  const auto found = [](const char* text, const char* text_end, ValueKind kind) {
    Found out{{{}, static_cast<std::uint32_t>(text_end - text), 0, kind}, text};
    out.value.text = text;
    return out;
  };
  const auto is_number = digits_end - digit <= kMaxDecimalDigits;
  if (letters != 0 && (letters & kLetter) == 0 && last - first >= kFewestHexDigits) {
    return found(first, last, ValueKind::kHex);
  }
  // Letters beside the only number of a word are static text, as in "v12".
  if (is_number && (letters == 0 || ((letters & kDigit) == 0 && last - first <= kLongestMarked))) {
    auto out = found(digit, digits_end, ValueKind::kDecimal);
    out.value.number = number;
    return out;
  }
  return found(first, last, ValueKind::kText);
}

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// The first eight bytes, zeros beyond the end.
std::uint64_t beginning_of(std::string_view text) {
  if (text.size() >= 8) return word_of(text.data());
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    word |= std::uint64_t{static_cast<std::uint8_t>(text[i])} << (8 * i);
  }
  return word;
}

// Whether at least eight bytes begin with `text`, whose beginning is known.
bool begins_with(const char* bytes, std::size_t size, std::string_view text,
                 std::uint64_t beginning) {
  if (text.size() <= 8) {
    // Of eight bytes those above the text are shifted out, in two steps as it may be all of them.
    const auto above = 8 * (8 - static_cast<unsigned>(text.size()));
    return ((word_of(bytes) ^ beginning) << above / 2 << (above - above / 2)) == 0;
  }
  if (text.size() > size || word_of(bytes) != beginning) return false;
  const auto last = text.size() - 8;
  for (std::size_t i = 8; i < last; i += 8) {
    if (word_of(bytes + i) != word_of(text.data() + i)) return false;
  }
  return word_of(bytes + last) == word_of(text.data() + last);
}

std::uint32_t mixed(std::uint64_t value) {
  value = (value ^ value >> 32) * 0x9E3779B97F4A7C15U;
  return static_cast<std::uint32_t>(value >> 32);
}

std::uint32_t hash_of_text(std::string_view text) {
  std::uint64_t hash = text.size();
  const auto take = [&](std::uint64_t word) {
    hash = (hash ^ word) * 0xD1B54A32D192ED03U;
    hash ^= hash >> 32;
  };
  for (; text.size() >= 8; text.remove_prefix(8)) take(word_of(text.data()));
  std::uint64_t rest = 0;
  for (const char c : text) rest = rest << 8 | static_cast<std::uint8_t>(c);
  take(rest);
  return mixed(hash);
}

}  // namespace

template <class Same, class Make, class HashOf>
std::uint32_t LogSkeletons::Table::find(std::uint32_t hash, const Same& same, const Make& make,
                                        const HashOf& hash_of) {
  if (2 * (count_ + 1) > slots_.size()) {
    std::vector<std::uint32_t> old(std::max(kFewestSlots, 2 * slots_.size()), kNone);
    old.swap(slots_);
    for (const auto entry : old) {
      if (entry == kNone) continue;
      std::size_t at = hash_of(entry);
      while (slots_[at & (slots_.size() - 1)] != kNone) ++at;
      slots_[at & (slots_.size() - 1)] = entry;
    }
  }
  std::size_t at = hash & (slots_.size() - 1);
  for (std::size_t probes = 0; probes < kMaxProbes; ++probes) {
    auto& slot = slots_[at];
    if (slot == kNone) {
      const auto made = make();
      if (made == kNone) return kNone;
      slots_[at] = made;
      ++count_;
      return made;
    }
    if (same(slot)) return slot;
    at = (at + 1) & (slots_.size() - 1);
  }
  return kNone;
}

LogSkeletons::LogSkeletons(std::size_t lines, std::size_t bytes) {
  nodes_.emplace_back();  // The root
  lines_.reserve(lines);
  values_.reserve(bytes / kBytesForEachValue);
}

void LogSkeletons::add(std::string_view line) {
  const auto values_before = values_.size();
  const auto leaf = walk(line);
  if (leaf != kNone) {
    auto& skeleton = nodes_[leaf].skeleton;
    if (skeleton == kNone && skeleton_texts_ + nodes_[leaf].depth <= kMaxSkeletonTexts) {
      skeleton_texts_ += nodes_[leaf].depth;
      skeleton = static_cast<std::uint32_t>(leaves_.size());
      leaves_.push_back(leaf);
    }
    if (skeleton != kNone) return lines_.push_back(skeleton);
  }
  values_.resize(values_before);
  lines_.push_back(kPlain);
  plain_.push_back(line);
}

// Most lines go the way of the one before them: then the static text needs no search. No static text
// has a digit, so what is found there is what a search would have found.
std::uint32_t LogSkeletons::step_again(std::uint32_t node, const char*& at, const char* end) {
  const auto next = nodes_[node].likely_next;
  if (next == kNone) return kNone;
  const auto& there = nodes_[next];
  const auto size = there.bytes.size();
  if (end - at < static_cast<std::ptrdiff_t>(size) + kRoomForNumber ||
      !begins_with(at, static_cast<std::size_t>(end - at), there.bytes, there.beginning)) {
    return kNone;
  }
  const char* const digit = at + size;
  const auto word = word_of(digit);
  const auto count = first_byte(~digits_in(word) & kEachByte * 0x80);
  if (count - 1 >= 7 || class_of(digit[count]) != 0 || there.ends_in_letter) return kNone;
  LogValue value{{number_of(word, count)}, count, 0, ValueKind::kDecimal};
  value.column = static_cast<std::uint16_t>(there.column);
  values_.push_back(value);
  at = digit + count;
  return next;
}

std::uint32_t LogSkeletons::step(std::uint32_t node, const char*& at, const char* end) {
  const char* const digit = find_digit(at, end);
  if (digit == end || nodes_[node].depth == kMaxPlaces) return kNone;
  const auto found = value_at(at, digit, end);
  const std::string_view text(at, static_cast<std::size_t>(found.begin - at));
  auto next = nodes_[node].likely_next;
  if (next == kNone || !same_text(nodes_[next].bytes, text)) next = child(node, text, false);
  if (next == kNone) return kNone;
  nodes_[node].likely_next = next;
  values_.push_back(found.value);
  values_.back().column = static_cast<std::uint16_t>(nodes_[next].column);
  at = found.begin + found.value.length;
  return next;
}

// The leaf of the line; kNone when it is to be plain.
std::uint32_t LogSkeletons::walk(std::string_view line) {
  const char* at = line.data();
  const char* const end = at + line.size();
  std::uint32_t node = 0;
  for (auto next = node; next != kNone;) {
    node = next;
    next = step_again(node, at, end);
    if (next == kNone) next = step(node, at, end);
  }
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  const auto likely = nodes_[node].likely_end;
  if (likely != kNone && same_text(nodes_[likely].bytes, rest)) return likely;
  if (find_digit(at, end) != end) return kNone;
  const auto leaf = child(node, rest, true);
  if (leaf != kNone) nodes_[node].likely_end = leaf;
  return leaf;
}

std::uint32_t LogSkeletons::child(std::uint32_t parent, std::string_view text, bool leaf) {
  const auto text_hash = hash_of_text(text);
  const auto hash = mixed(std::uint64_t{text_hash} << 32 | parent << 1 | (leaf ? 1U : 0U));
  return node_table_.find(
      hash,
      [&](std::uint32_t node) {
        const auto& there = nodes_[node];
        return there.hash == hash && there.parent == parent && (there.column == kNone) == leaf &&
               same_text(there.bytes, text);
      },
      [&] { return make_node(parent, text, text_hash, hash, leaf); },
      [&](std::uint32_t node) { return nodes_[node].hash; });
}

std::uint32_t LogSkeletons::make_node(std::uint32_t parent, std::string_view text,
                                      std::uint32_t text_hash, std::uint32_t hash, bool leaf) {
  if (nodes_.size() == kMaxNodes) return kNone;
  Node node;
  node.bytes = text;
  node.beginning = beginning_of(text);
  node.ends_in_letter = !text.empty() && class_of(text.back()) != 0;
  node.parent = parent;
  node.hash = hash;
  node.depth = nodes_[parent].depth + 1;
  node.text = text_number(text, text_hash);
  if (node.text == kNone) return kNone;
  if (!leaf) {
    node.column = column_number(nodes_[parent].text, node.text);
    if (node.column == kNone) return kNone;
  }
  nodes_.push_back(node);
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

std::uint32_t LogSkeletons::text_number(std::string_view text, std::uint32_t hash) {
  return text_table_.find(
      hash,
      [&](std::uint32_t number) {
        return text_hashes_[number] == hash && same_text(texts_[number], text);
      },
      [&] {
        texts_.push_back(text);
        text_hashes_.push_back(hash);
        return static_cast<std::uint32_t>(texts_.size() - 1);
      },
      [&](std::uint32_t number) { return text_hashes_[number]; });
}

std::uint32_t LogSkeletons::column_number(std::uint32_t before, std::uint32_t text) {
  const auto texts = std::uint64_t{before} << 32 | text;
  return column_table_.find(
      mixed(texts), [&](std::uint32_t column) { return columns_[column] == texts; },
      [&] {
        if (columns_.size() == kMaxColumns) return kNone;
        columns_.push_back(texts);
        return static_cast<std::uint32_t>(columns_.size() - 1);
      },
      [&](std::uint32_t column) { return mixed(columns_[column]); });
}

void LogSkeletons::parts_of(std::uint32_t skeleton, std::vector<Part>& out) const {
  auto node = leaves_[skeleton];
  out.resize(nodes_[node].depth);
  for (auto part = out.size(); part > 0; node = nodes_[node].parent) {
    out[--part] = {nodes_[node].text, nodes_[node].column};
  }
}

}  // namespace observeai::wire::detail
