#include <array>

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {
namespace {

using chars::is;

constexpr std::size_t kMaxCardDigits = 19;
constexpr std::size_t kMaxPlainDigits = 16;

bool passes_luhn(std::string_view digits) {
  unsigned sum = 0;
  bool twice = false;
  for (auto i = digits.size(); i-- > 0; twice = !twice) {
    auto value = static_cast<unsigned>(digits[i] - '0') * (twice ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

// EAN-13, whose numbers of Germany begin as Visa's: weights 1 and 3.
bool is_article_number(std::string_view digits) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i)
    sum += static_cast<unsigned>(digits[i] - '0') * (i % 2 == 0 ? 1 : 3);
  return sum % 10 == 0;
}

// Issuer ranges of ISO/IEC 7812 in use, with their lengths.
bool has_issuer_prefix(std::string_view digits) {
  const auto n = digits.size();
  const auto prefix = [&](std::size_t count) {
    unsigned value = 0;
    for (std::size_t i = 0; i < count; ++i)
      value = value * 10 + static_cast<unsigned>(digits[i] - '0');
    return value;
  };
  const auto p2 = prefix(2);
  const auto p4 = prefix(4);
  if (digits[0] == '4') return n == 16 || n == 19 || (n == 13 && !is_article_number(digits));
  if ((p2 >= 51 && p2 <= 55) || (p4 >= 2221 && p4 <= 2720)) return n == 16;
  if (p2 == 34 || p2 == 37) return n == 15;
  if (p4 == 6011 || p2 == 65 || (p4 >= 6440 && p4 <= 6499)) return n >= 16;
  if (p4 >= 3528 && p4 <= 3589) return n >= 16;
  if (p2 == 36 || p2 == 38 || p2 == 39 || (p4 >= 3000 && p4 <= 3059)) return n == 14;
  return p2 == 62 && n >= 16;
}

// %20 and %3D end in a letter or digit that is none of the number.
bool is_escape_before(std::string_view text, std::size_t at) {
  return at >= 3 && text[at - 3] == '%' && is(text[at - 2], chars::kDigit) &&
         is(chars::lower(text[at - 1]), chars::kHexLower);
}

bool is_card_char(char c) {
  return is(c, chars::kDigit) || is_card_joint(c);
}

// Whether `at` can be inside of a card number: a digit, or a joint between two.
bool may_be_inside(std::string_view text, std::size_t at) {
  if (is(text[at], chars::kDigit)) return true;
  return is_card_char(text[at]) && at + 1 < text.size() && is(text[at + 1], chars::kDigit) &&
         is(text[at - 1], chars::kDigit);
}

// 4-4-4-4 and 4-6-5, as printed on cards.
bool is_printed_group(std::size_t digits, std::size_t so_far) {
  return digits == 4 || (digits == 6 && so_far == 10);
}

// A card number that begins at `at`, in groups as printed on cards (no group under four digits
// except the last), not part of a longer number.
SecretSpan card_at(std::string_view text, std::size_t at) {
  std::array<char, kMaxCardDigits> digits{};
  std::size_t count = 0;
  std::size_t group = 0;
  std::size_t i = at;
  for (; i < text.size(); ++i) {
    if (is(text[i], chars::kDigit)) {
      if (count == kMaxCardDigits) return {};
      digits[count++] = text[i];
      ++group;
    } else if (is_card_joint(text[i]) && is_printed_group(group, count) && i + 1 < text.size() &&
               is(text[i + 1], chars::kDigit) && count < kMaxCardDigits) {
      group = 0;
    } else {
      break;
    }
  }
  // Longer numbers without groups are ids; issuers hardly give such.
  if (i - at == count && count > kMaxPlainDigits) return {};
  const std::string_view number(digits.data(), count);
  if (count < kMinCardDigits || !has_issuer_prefix(number) || !passes_luhn(number)) return {};
  if (i < text.size() && is(text[i], chars::kWord)) return {};
  // 0.4905288596691994
  if (at > 1 && text[at - 1] == '.' && is(text[at - 2], chars::kDigit)) return {};
  return {at, i, "credit_card", false};
}

}  // namespace

SecretSpan next_card_number(std::string_view text, std::size_t from) {
  // A run of at least 13 card characters covers one sampled place, wherever it begins.
  for (std::size_t sample = from + kMinCardDigits - 1; sample < text.size();) {
    if (!may_be_inside(text, sample)) {
      sample += kMinCardDigits;
      continue;
    }
    std::size_t begin = sample;
    while (begin > from && is_card_char(text[begin - 1])) --begin;
    auto i = begin;
    for (; i < text.size() && is_card_char(text[i]); ++i) {
      const bool starts =
          is(text[i], chars::kDigit) &&
          (i == 0 || !is(text[i - 1], chars::kUrlSafe) || is_escape_before(text, i));
      if (!starts) continue;
      if (const auto card = card_at(text, i)) return card;
    }
    sample = i + kMinCardDigits;
  }
  return {};
}

}  // namespace observeai::agent
