#include "agent/logs/secret_assignments.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxKeyReach = 64;    // To each side of the anchor
constexpr std::size_t kMaxBlanks = 4;       // Around the separator
constexpr std::size_t kMaxBackslashes = 8;  // Nested JSON in strings doubles them
constexpr std::size_t kMaxKeyAhead = 40;    // After ',' when asking whether another key follows

// Keys are compared in lower case without '_', '-' and '.'.
struct KeyWord {
  std::string_view ending;
  std::string_view kind;
};
constexpr auto kKeyWords = std::to_array<KeyWord>({
    {"secretaccesskey", "aws_secret_access_key"},
    {"password", "password"},
    {"passwd", "password"},
    {"pwd", "password"},
    {"passphrase", "password"},
    {"passcode", "password"},
    {"passwordhash", "password"},
    {"secret", "secret"},
    {"secretkey", "secret"},
    {"secretvalue", "secret"},
    {"token", "token"},
    {"tokenvalue", "token"},
    {"apikey", "api_key"},
    {"accesskey", "access_key"},
    {"accountkey", "access_key"},
    {"privatekey", "private_key"},
    {"signingkey", "private_key"},
    {"encryptionkey", "private_key"},
    {"masterkey", "private_key"},
    {"credential", "credential"},
    {"credentials", "credential"},
});

// Identifiers that end in "token" and say where to read on, or are vocabulary of language models.
constexpr auto kHarmlessTokens = std::to_array<std::string_view>(
    {"page",  "next",   "cursor",       "continuation", "continue", "resume", "sync",
     "eos",   "bos",    "pad",          "unk",          "sep",      "cls",    "mask",
     "stop",  "cancel", "cancellation", "fencing",      "per",      "start",  "end",
     "first", "last",   "max",          "unexpected"});

// What stands after the separator when no secret does.
constexpr auto kPlaceholders = std::to_array<std::string_view>(
    {"null",      "nil",     "none",    "true",   "false",  "undefined", "empty",   "unset",
     "set",       "not",     "is",      "was",    "must",   "required",  "missing", "invalid",
     "incorrect", "wrong",   "expired", "hidden", "masked", "redacted",  "removed", "filtered",
     "changed",   "updated", "reset",   "ok",     "yes",    "no",        "and",     "or",
     "to",        "for",     "with",    "from",   "in",     "on",        "the",     "a",
     "an",        "of",      "by",      "please", "cannot", "can",       "could",   "should",
     "has",       "have",    "failed",  "denied", "string", "str",       "unknown", "disabled",
     "enabled",   "option",  "flag",    "n/a",    "file",   "stdin",     "prompt",  "if",
     "when",      "too",     "does"});

bool is_key_char(char c) {
  return chars::is(c, chars::kUrlSafe | chars::kDot);
}

std::string normalized_key(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (chars::is(c, chars::kAlnum)) out.push_back(chars::lower(c));
  }
  while (!out.empty() && chars::is(out.back(), chars::kDigit)) out.pop_back();  // password2
  return out;
}

// The longest ending wins; nullptr when the key names no secret.
const KeyWord* find_key_word(const std::string& key) {
  const KeyWord* best = nullptr;
  for (const auto& word : kKeyWords) {
    if (key.ends_with(word.ending) &&
        (best == nullptr || word.ending.size() > best->ending.size())) {
      best = &word;
    }
  }
  if (best != nullptr && best->kind == "token") {
    const std::string_view stem = std::string_view(key).substr(0, key.size() - best->ending.size());
    for (const auto word : kHarmlessTokens) {
      if (stem.ends_with(word)) return nullptr;
    }
  }
  return best;
}

struct Quote {
  char mark = 0;                // 0 = none
  std::size_t backslashes = 0;  // Before it: JSON inside a JSON string
};

// A quote at `at`, escaped or not; moves `at` behind it.
Quote take_quote(std::string_view text, std::size_t& at) {
  std::size_t i = at;
  while (i < text.size() && text[i] == '\\' && i - at < kMaxBackslashes) ++i;
  if (i >= text.size() || (text[i] != '"' && text[i] != '\'' && text[i] != '`')) return {};
  const Quote quote{text[i], i - at};
  at = i + 1;
  return quote;
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  const auto limit = std::min(text.size(), at + kMaxBlanks);
  while (at < limit && (text[at] == ' ' || text[at] == '\t')) ++at;
  return at;
}

enum class Separator { kNone, kEquals, kColon, kBlank, kTag };

// What stands between key and value; moves `at` to the value's first byte (or opening quote).
Separator take_separator(std::string_view text, std::size_t& at, bool is_flag, bool is_tag) {
  if (is_tag && at < text.size() && text[at] == '>') {
    ++at;
    return Separator::kTag;
  }
  const auto after_key = at;
  take_quote(text, at);
  const auto before_blanks = at;
  at = skip_blanks(text, at);
  const auto next = [&](std::size_t ahead) {
    return at + ahead < text.size() ? text[at + ahead] : '\0';
  };
  if (next(0) == '=') {
    if (next(1) == '=' || next(1) == '~') return Separator::kNone;
    at = skip_blanks(text, at + (next(1) == '>' ? 2 : 1));
    return Separator::kEquals;
  }
  if (next(0) == ':') {
    if (next(1) == ':' || next(1) == '/') return Separator::kNone;
    at = skip_blanks(text, at + (next(1) == '=' ? 2 : 1));
    return Separator::kColon;
  }
  const bool blank_follows = at > before_blanks && before_blanks == after_key;
  return is_flag && blank_follows ? Separator::kBlank : Separator::kNone;
}

std::size_t quoted_end(std::string_view text, std::size_t at, const Quote& quote) {
  std::size_t backslashes = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++backslashes;
      continue;
    }
    // An escaped quote inside the value has more backslashes than the quotes around it; an even
    // number before a plain quote is backslashes that belong to the value.
    if (text[at] == quote.mark && backslashes <= quote.backslashes) return at - backslashes;
    if (text[at] == quote.mark && quote.backslashes == 0 && backslashes % 2 == 0) return at;
    backslashes = 0;
  }
  return text.size();
}

// After ',', ';' or '&': does the value end here because another field follows?
bool field_follows(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] == ' ' || text[at] == '"' || text[at] == '\'' ||
      text[at] == '\\') {
    return true;
  }
  const auto limit = std::min(text.size(), at + kMaxKeyAhead);
  const auto begin = at;
  while (at < limit && (is_key_char(text[at]) || text[at] == ' ')) ++at;
  return at > begin && at < text.size() && (text[at] == '=' || text[at] == ':');
}

std::size_t unquoted_end(std::string_view text, std::size_t at) {
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '"' || c == '\'' || c == '`' ||
        c == '<' ||
        (c == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == 'n'))) {
      return at;
    }
    if ((c == ',' || c == ';' || c == '&') && field_follows(text, at + 1)) return at;
    if ((c == ')' || c == '}' || c == ']') &&
        (at + 1 >= text.size() ||
         std::string_view(" ,;)}]\"'\\.").find(text[at + 1]) != std::string_view::npos)) {
      return at;
    }
  }
  return at;
}

// "auth_token=Bearer abc": the scheme is no secret, what follows it is.
std::size_t skip_scheme(std::string_view text, std::size_t at) {
  for (const std::string_view scheme : {"bearer ", "basic ", "token "}) {
    if (chars::equals_ignoring_case(text.substr(at, scheme.size()), scheme))
      return at + scheme.size();
  }
  return at;
}

std::string_view without_punctuation(std::string_view value) {
  while (!value.empty() &&
         std::string_view(".,;:!?)]").find(value.back()) != std::string_view::npos) {
    value.remove_suffix(1);
  }
  while (!value.empty() && std::string_view("(<[").find(value.front()) != std::string_view::npos) {
    value.remove_prefix(1);
  }
  return value;
}

bool is_placeholder(std::string_view value) {
  value = without_punctuation(value);
  if (value.empty() || value.starts_with("REDACTED") || value.starts_with("${") ||
      value.starts_with("{{") || value.starts_with("$(") ||
      (value[0] == '%' && value.size() == 2)) {
    return true;
  }
  const auto is_variable_char = [](char c) {
    return chars::is(c, chars::kUpper | chars::kDigit | chars::kUnderscore);
  };
  if (value[0] == '$' && std::all_of(value.begin() + 1, value.end(), is_variable_char)) return true;
  if (value.find_first_not_of("*xX.-_#?") == std::string_view::npos) return true;
  return std::any_of(kPlaceholders.begin(), kPlaceholders.end(), [&](std::string_view word) {
    return chars::equals_ignoring_case(word, value);
  });
}

// Words and dashed names, as prose and object names have them.
bool looks_like_words(std::string_view value) {
  value = without_punctuation(value);
  if (value.size() > 40) return false;
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return chars::is(c, chars::kLower | chars::kDash); }) ||
         std::all_of(value.begin() + (value.empty() ? 0 : 1), value.end(),
                     [](char c) { return chars::is(c, chars::kLower); });
}

bool has_word_byte(std::string_view value) {
  return std::any_of(value.begin(), value.end(), [](char c) {
    return chars::is(c, chars::kAlnum) || static_cast<unsigned char>(c) >= 0x80;
  });
}

}  // namespace

void add_assignment_anchors(SecretPrefilter& filter, std::uint16_t tag) {
  for (const std::string_view anchor :
       {"assw", "assp", "assc", "pwd=", "pwd:", "pwd\"", "pwd'", "pwd ", "pwd\\",
        "pwd>", "ecre", "oken", "pike", "i_ke", "i-ke",  "i.ke", "sske", "s_ke",
        "s-ke", "ntke", "t_ke", "t-ke", "teke", "e_ke",  "e-ke", "ngke", "g_ke",
        "g-ke", "onke", "n_ke", "n-ke", "erke", "r_ke",  "r-ke", "rede"}) {
    filter.add(anchor, tag);
  }
}

SecretSpan match_assignment(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && at - begin < kMaxKeyReach && is_key_char(text[begin - 1])) --begin;
  std::size_t end = at;
  while (end < text.size() && end - at < kMaxKeyReach && is_key_char(text[end])) ++end;
  const auto key_text = text.substr(begin, end - begin);
  const auto key = normalized_key(key_text);
  const KeyWord* word = find_key_word(key);
  if (word == nullptr) return {};

  const bool is_flag = key_text.starts_with('-');
  const bool is_tag = begin > 0 && text[begin - 1] == '<';
  const bool key_is_quoted = begin > 0 && (text[begin - 1] == '"' || text[begin - 1] == '\'');
  std::size_t value = end;
  const auto separator = take_separator(text, value, is_flag, is_tag);
  if (separator == Separator::kNone || value >= text.size()) return {};
  if (text[value] == '[') value = skip_blanks(text, value + 1);
  const bool is_object =
      separator == Separator::kColon && value < text.size() && text[value] == '{';
  if (is_object) return {};  // Its members have keys of their own
  const Quote quote = take_quote(text, value);
  if (text.substr(value).starts_with("-----BEGIN ")) return {};  // A detector of its own
  value = skip_scheme(text, value);
  const auto value_end = separator == Separator::kTag ? std::min(text.find('<', value), text.size())
                         : quote.mark != 0            ? quoted_end(text, value, quote)
                                                      : unquoted_end(text, value);
  const auto content = text.substr(value, value_end - value);
  if (is_placeholder(content)) return {};
  const bool password = word->kind == "password";
  if (separator == Separator::kBlank && (content.starts_with('-') || content.size() < 4)) return {};
  const bool prose = separator == Separator::kColon && quote.mark == 0 && !key_is_quoted;
  if (prose && !password && key == word->ending &&
      (content.size() < 8 || looks_like_words(content)))
    return {};
  if (prose && !has_word_byte(content)) return {};
  if (separator == Separator::kBlank && !password && looks_like_words(content)) return {};
  return {value, value_end, word->kind, false};
}

}  // namespace observeai::agent
