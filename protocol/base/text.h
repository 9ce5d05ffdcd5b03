// Small text and byte helpers that more than one module needs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::text {

using Bytes = std::span<const std::uint8_t>;

std::string to_hex(Bytes bytes);
Result<std::vector<std::uint8_t>> from_hex(std::string_view hex);
// RFC 4648 section 5, without padding.
std::string to_base64url(Bytes bytes);
Result<std::vector<std::uint8_t>> from_base64url(std::string_view text);

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
// Whole text, base 10, no sign for unsigned; nullopt on anything else.
std::optional<std::uint64_t> parse_u64(std::string_view text);
std::optional<std::int64_t> parse_i64(std::string_view text);
std::optional<double> parse_double(std::string_view text);

// Length of the valid UTF-8 sequence at the front of `text`, 0 if there is none (RFC 3629).
std::size_t utf8_sequence_length(std::string_view text);
bool is_valid_utf8(std::string_view text);
// Invalid bytes become U+FFFD, one for each byte.
std::string replace_invalid_utf8(std::string_view text);
// What cannot be seen or changes how the text around it is shown (control characters, line separators,
// zero-width characters, directional marks and overrides) and invalid UTF-8 become \xNN for each byte;
// at most `limit` bytes, then "...".
std::string escape_unprintable(std::string_view text, std::size_t limit);

// The candidate nearest to `word` by edit distance, if near enough to be a typo of it.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// "1.5 GiB", "12 ms": for people.
std::string format_bytes(double bytes);
std::string format_duration_ms(std::int64_t ms);
// "2026-11-21T07:45:00.123Z"
std::string format_time_ms(std::int64_t unix_ms);
// RFC 3339 -> unix nanoseconds; accepts any fraction length and numeric offsets.
Result<std::int64_t> parse_rfc3339_ns(std::string_view text);
// "15m", "2h", "30s", "1d", "250ms" -> milliseconds.
Result<std::int64_t> parse_duration_ms(std::string_view text);

}  // namespace observeai::text
