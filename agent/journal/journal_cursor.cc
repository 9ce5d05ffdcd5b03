#include "agent/journal/journal_cursor.h"

#include <array>
#include <charconv>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kMostDigits = 16;  // Of 64 bits

Error malformed(std::string_view part) {
  return Error(Errc::kCorrupt, "journal cursor: bad part \"" + std::string(part) + "\"");
}

bool is_lower_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The value of "<key>=<value>".
std::optional<std::string_view> value_of(std::string_view part, char key) {
  if (part.size() < 2 || part[0] != key || part[1] != '=') return std::nullopt;
  return part.substr(2);
}

Result<std::string> parse_id(std::string_view part, char key) {
  const auto value = value_of(part, key);
  if (!value || value->size() != kIdDigits || !is_lower_hex(*value)) return malformed(part);
  return std::string(*value);
}

Result<std::uint64_t> parse_number(std::string_view part, char key) {
  const auto value = value_of(part, key);
  if (!value || value->size() > kMostDigits || !is_lower_hex(*value)) return malformed(part);
  std::uint64_t number = 0;
  std::from_chars(value->data(), value->data() + value->size(), number, 16);
  return number;
}

void append_hex(std::string& out, const char* key, std::uint64_t value) {
  std::array<char, kMostDigits> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  out += key;
  out.append(digits.data(), end);
}

}  // namespace

Result<JournalCursor> parse_cursor(std::string_view text) {
  const auto parts = text::split(text, ';');
  if (parts.size() != 6) return malformed(text.substr(0, 64));
  JournalCursor cursor;
  TRY(cursor.chain, parse_id(parts[0], 's'));
  TRY(cursor.number, parse_number(parts[1], 'i'));
  TRY(cursor.boot, parse_id(parts[2], 'b'));
  TRY(cursor.monotonic_us, parse_number(parts[3], 'm'));
  TRY(cursor.realtime_us, parse_number(parts[4], 't'));
  TRY(cursor.content_hash, parse_number(parts[5], 'x'));
  return cursor;
}

std::string format_cursor(const JournalCursor& cursor) {
  std::string out = "s=" + cursor.chain;
  append_hex(out, ";i=", cursor.number);
  out += ";b=" + cursor.boot;
  append_hex(out, ";m=", cursor.monotonic_us);
  append_hex(out, ";t=", cursor.realtime_us);
  append_hex(out, ";x=", cursor.content_hash);
  return out;
}

bool is_same_entry(const JournalCursor& a, const JournalCursor& b) {
  return a.boot == b.boot && a.monotonic_us == b.monotonic_us && a.realtime_us == b.realtime_us &&
         a.content_hash == b.content_hash;
}

}  // namespace observeai::agent
