// Matchers for secrets that show by themselves (tokens with a known beginning, keys, headers, URLs,
// card numbers). Pure; each looks at a bounded stretch around its anchor, or at a run that it then
// replaces, so that no byte is looked at again and again.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "agent/logs/secret_prefilter.h"

namespace observeai::agent {

struct SecretSpan {
  std::size_t begin = 0;
  std::size_t end = 0;  // end == begin: no match
  std::string_view kind;
  bool limit = false;  // A bound was reached before the end of what looks like a secret
  explicit operator bool() const { return end > begin || limit; }
};

// The kind of what only looks random: it gives way to every other find.
inline constexpr std::string_view kRandomKind = "entropy";

// Character classes of token bodies.
namespace chars {
inline constexpr std::uint16_t kDigit = 1, kUpper = 2, kLower = 4, kUnderscore = 8, kDash = 16,
                               kDot = 32, kBase64 = 64, kHexLower = 128,  // kBase64: + / =
    kTilde = 256, kDollar = 512, kColon = 1024;
inline constexpr std::uint16_t kAlnum = kDigit | kUpper | kLower;
inline constexpr std::uint16_t kWord = kAlnum | kUnderscore;
inline constexpr std::uint16_t kUrlSafe = kWord | kDash;
inline constexpr std::array<std::uint16_t, 256> kClasses = [] {
  std::array<std::uint16_t, 256> out{};
  for (unsigned c = '0'; c <= '9'; ++c) out[c] = kDigit | kHexLower;
  for (unsigned c = 'A'; c <= 'Z'; ++c) out[c] = kUpper;
  for (unsigned c = 'a'; c <= 'z'; ++c) out[c] = c <= 'f' ? kLower | kHexLower : kLower;
  out['_'] = kUnderscore;
  out['-'] = kDash;
  out['.'] = kDot;
  out['+'] = out['/'] = out['='] = kBase64;
  out['~'] = kTilde;
  out['$'] = kDollar;
  out[':'] = kColon;
  return out;
}();
inline bool is(char c, std::uint16_t classes) {
  return (kClasses[static_cast<unsigned char>(c)] & classes) != 0;
}
// text.substr(), but empty behind the end.
inline std::string_view from(std::string_view text, std::size_t at,
                             std::size_t count = std::string_view::npos) {
  return at < text.size() ? text.substr(at, count) : std::string_view();
}
// End of the run of `classes` from `at`.
std::size_t run_end(std::string_view text, std::size_t at, std::uint16_t classes);
char lower(char c);
bool equals_ignoring_case(std::string_view a, std::string_view b);
}  // namespace chars

// Puts the anchors of all detectors into `filter`, with tags that match_secret() understands.
void add_secret_anchors(SecretPrefilter& filter);
// The detector of `tag`, whose anchor stands at text[at].
SecretSpan match_secret(std::uint16_t tag, std::string_view text, std::size_t at);

// Whether a private key begins in `text` and does not end there.
bool opens_key_block(std::string_view text);

inline constexpr std::size_t kMinCardDigits = 13;
// Between groups of its digits; secret_hints.cc looks for the same.
inline bool is_card_joint(char c) {
  return c == ' ' || c == '-' || c == '+';
}
// The first card number at or after `from` (13 to 16 digits, to 19 with single blanks or dashes between
// groups, an issuer's prefix and length, Luhn). No anchor: every 13th byte is sampled.
SecretSpan next_card_number(std::string_view text, std::size_t from);

}  // namespace observeai::agent
