#include "agent/app/error_line.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace observeai::agent {
namespace {

struct Level {
  std::string_view word;
  bool is_error;
};
constexpr std::array<Level, 20> kLevels = {{
    {"alert", true},    {"crit", true},      {"critical", true}, {"debug", false},
    {"emerg", true},    {"emergency", true}, {"err", true},      {"error", true},
    {"fatal", true},    {"fine", false},     {"info", false},    {"information", false},
    {"notice", false},  {"panic", true},     {"severe", true},   {"trace", false},
    {"verbose", false}, {"warn", false},     {"warning", false}, {"wrn", false},
}};
constexpr std::size_t kLongestLevel = 11;

enum class Byte : std::uint8_t { kOther, kWord, kFirst };  // kFirst: a level may begin with it

constexpr std::array<Byte, 256> make_bytes() {
  std::array<Byte, 256> out{};
  for (unsigned c = 0; c < 256; ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9') || c == '_') out[c] = Byte::kWord;
  }
  for (const Level& level : kLevels) {
    const auto c = static_cast<unsigned char>(level.word[0]);
    out[c] = out[c - 'a' + 'A'] = Byte::kFirst;
  }
  return out;
}
constexpr std::array<Byte, 256> kBytes = make_bytes();

bool is_word(char c) {
  return kBytes[static_cast<unsigned char>(c)] != Byte::kOther;
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool same_word(std::string_view word, std::string_view other) {
  return word.size() == other.size() && std::equal(word.begin(), word.end(), other.begin(),
                                                   [](char a, char b) { return lower(a) == b; });
}

std::optional<bool> level_of(std::string_view word) {
  if (word.empty() || word.size() > kLongestLevel) return std::nullopt;
  for (const Level& level : kLevels) {
    if (level.word[0] == lower(word[0]) && same_word(word, level.word)) return level.is_error;
  }
  return std::nullopt;
}

std::string_view word_at(std::string_view text) {
  return text.substr(
      0, static_cast<std::size_t>(std::ranges::find_if_not(text, is_word) - text.begin()));
}

// What follows the name of a field of the level whose letter v is at `at`; empty: it is another word.
std::string_view after_name(std::string_view line, std::size_t at) {
  struct Name {
    std::string_view text;
    std::size_t v;  // Where its v is
  };
  for (const Name& name : {Name{"level", 2}, Name{"severity", 2}, Name{"lvl", 1}}) {
    if (at < name.v || !line.substr(at - name.v).starts_with(name.text)) continue;
    return line.substr(at - name.v + name.text.size());
  }
  return {};
}

// The level that a field names: "level":"error", level=error, "severity": "ERROR". All names of such fields
// have a v, which is rare.
std::optional<bool> field_level(std::string_view line) {
  for (std::size_t at = line.find('v'); at != std::string_view::npos; at = line.find('v', at + 1)) {
    std::string_view rest = after_name(line, at);
    const bool quoted_name = rest.starts_with('"');
    if (quoted_name) rest.remove_prefix(1);
    if (rest.empty() || (rest.front() != '=' && !(quoted_name && rest.front() == ':'))) continue;
    rest.remove_prefix(1);
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '"')) rest.remove_prefix(1);
    if (const auto level = level_of(word_at(rest))) return level;
  }
  return std::nullopt;
}

// "E0102 15:04:05.000000" of glog and Kubernetes' klog: I, W, E or F and the date.
std::optional<bool> klog_level(std::string_view line) {
  if (line.size() < 6 || line[5] != ' ') return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!std::all_of(line.begin() + 1, line.begin() + 5, is_digit)) return std::nullopt;
  if (line[0] == 'E' || line[0] == 'F') return true;
  if (line[0] == 'I' || line[0] == 'W') return false;
  return std::nullopt;
}

// A part of a path, a name or a key is no level: "/error/x", "error.log", "error_count", "error=none".
bool is_apart(std::string_view line, std::size_t at, std::size_t size) {
  constexpr std::string_view kNotBefore = "/.-";
  constexpr std::string_view kNotAfter = "/.-=";
  const std::size_t end = at + size;
  return (at == 0 || kNotBefore.find(line[at - 1]) == std::string_view::npos) &&
         (end == line.size() || kNotAfter.find(line[end]) == std::string_view::npos);
}

std::optional<bool> first_level(std::string_view line) {
  const std::size_t end = std::min(line.size(), kLevelWordWithin);
  for (std::size_t at = 0; at < end; ++at) {
    const Byte byte = kBytes[static_cast<unsigned char>(line[at])];
    if (byte == Byte::kOther) continue;
    const std::string_view word = word_at(line.substr(at));
    if (byte == Byte::kFirst && is_apart(line, at, word.size())) {
      if (const auto level = level_of(word)) return level;
    }
    // PostgreSQL's own word for what is no trouble.
    if (word == "LOG" && line.substr(at + 3).starts_with(':')) return false;
    at += word.size();
  }
  return std::nullopt;
}

bool begins_with_exception(std::string_view line) {
  if (line.starts_with("Traceback (most recent call last)")) return true;
  if (line.starts_with("Exception in thread") || line.starts_with("Unhandled exception"))
    return true;
  // "java.io.IOException: gone", "ValueError: x"
  const std::size_t colon = line.substr(0, kLevelWordWithin).find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  return name.find(' ') == std::string_view::npos &&
         (name.ends_with("Exception") || name.ends_with("Error"));
}

}  // namespace

bool is_error_line(std::string_view line) {
  line = line.substr(0, kLevelFieldWithin);
  if (const auto level = klog_level(line)) return *level;
  if (const auto level = field_level(line)) return *level;
  if (const auto level = first_level(line)) return *level;
  return begins_with_exception(line);
}

}  // namespace observeai::agent
