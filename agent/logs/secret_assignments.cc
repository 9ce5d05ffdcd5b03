#include "agent/logs/secret_assignments.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "agent/logs/secret_entropy.h"
#include "agent/logs/secret_names.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxKeyReach = 64;    // To each side of the anchor
constexpr std::size_t kMaxBlanks = 4;       // Around the separator
constexpr std::size_t kMaxBackslashes = 8;  // Nested JSON in strings doubles them
constexpr std::size_t kMaxJudged = 512;     // A longer value is a secret, whatever it looks like
constexpr std::size_t kMaxKeyAhead = 40;    // After ',' when asking whether another key follows

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
     "when",      "too",     "does",    "all"});

bool is_key_char(char c) {
  return chars::is(c, chars::kUrlSafe | chars::kDot);
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

// kEncoded is %3D, the '=' of form data; kWeak stands between a key and a value only now and then
// ("password is x", "password->x", "password|x"): the value itself must look like a password.
enum class Separator { kNone, kEquals, kColon, kBlank, kTag, kEncoded, kWeak };

Separator take_weak_separator(std::string_view text, std::size_t& at) {
  // A key takes the '-' of "->" with it.
  if (at > 0 && text[at - 1] == '-' && text.substr(at).starts_with('>')) {
    ++at;
    return Separator::kWeak;
  }
  for (const std::string_view separator : {" is ", " to ", " -> ", "|", "\t"}) {
    if (text.substr(at).starts_with(separator)) {
      at += separator.size();
      return Separator::kWeak;
    }
  }
  return Separator::kNone;
}

// What stands between key and value; moves `at` to the value's first byte (or opening quote).
Separator take_separator(std::string_view text, std::size_t& at, bool is_flag, bool is_tag) {
  if (is_tag && at < text.size() && text[at] == '>') {
    ++at;
    return Separator::kTag;
  }
  const auto after_key = at;
  if (chars::equals_ignoring_case(text.substr(at, 3), "%3d")) {
    at += 3;
    return Separator::kEncoded;
  }
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
  if (is_flag && blank_follows) return Separator::kBlank;
  at = after_key;
  return take_weak_separator(text, at);
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

// A phrase of plain words goes on to its last one: "passphrase=correct horse battery".
std::size_t phrase_end(std::string_view text, std::size_t end) {
  constexpr int kMaxWords = 16;
  for (int words = 0; words < kMaxWords; ++words) {
    if (end >= text.size() || text[end] != ' ') return end;
    const auto next = chars::run_end(text, end + 1, chars::kLower);
    const bool is_word = next > end + 1 && (next >= text.size() || text[next] == ' ');
    if (!is_word) return end;
    end = next;
  }
  return end;
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
  // The closing bracket may be cut off by where an unquoted value ends; what follows it is no name.
  const auto is_reference = [&](std::string_view open, std::string_view close) {
    if (!value.starts_with(open)) return false;
    const auto closed = value.find(close, open.size());
    return closed == std::string_view::npos || closed + close.size() == value.size();
  };
  if (value.empty() || value.starts_with("REDACTED") || is_reference("${", "}") ||
      is_reference("{{", "}}") || is_reference("$(", ")") ||
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

bool has_any(std::string_view value, std::uint16_t classes) {
  return std::any_of(value.begin(), value.end(), [&](char c) { return chars::is(c, classes); });
}

// Letters and digits together and no call or type: "hunter2abc", not "required", "42", "char(255)".
bool looks_like_password(std::string_view value) {
  return value.size() >= 6 && has_any(value, chars::kUpper | chars::kLower) &&
         has_any(value, chars::kDigit) && value.find_first_of("([{") == std::string_view::npos;
}

// A part of at least `bytes` that mixes letters and digits, or a longer one that changes between upper
// and lower case as no words do: "9f8e7d6c5b4a", "dXNlcjpwYXNz"; not "scram-sha-256", "UserToken".
bool has_random_part(std::string_view value, std::size_t bytes) {
  constexpr std::size_t kMinMixedCase = 12;
  for (std::size_t i = 0; i < value.size();) {
    const auto end = chars::run_end(value, i, chars::kAlnum | chars::kBase64);
    const auto part = value.substr(i, end - i);
    i = end + 1;
    if (part.size() >= bytes && has_any(part, chars::kDigit) &&
        has_any(part, chars::kUpper | chars::kLower)) {
      return true;
    }
    std::size_t changes = 0;
    for (std::size_t k = 1; k < part.size(); ++k) {
      changes += chars::is(part[k], chars::kUpper) != chars::is(part[k - 1], chars::kUpper) ? 1 : 0;
    }
    if (part.size() >= kMinMixedCase && changes * 3 > part.size()) return true;
  }
  return false;
}

// Keys that more often name something else than a secret: "pass: 3 tests", "auth=none",
// "session_id=17". Their value decides.
bool is_plausible(const KeyWord& word, std::string_view key_text, std::string_view content,
                  bool quoted, bool prose) {
  if (word.ending == "pass") {
    const bool is_number = !has_any(content, chars::kUpper | chars::kLower);
    if (is_number && content.find_first_not_of("0123456789.,%/") == std::string_view::npos) {
      return quoted && content.size() >= 6;
    }
    // "PASS: Test2" is a test's.
    if (prose && chars::equals_ignoring_case(key_text, word.ending)) {
      return key_text == word.ending && looks_like_password(content);
    }
    return !prose || !looks_like_words(content);
  }
  if (word.kind == kRandomKind) return is_random_value(content);
  if (word.kind == "auth") return has_random_part(content, 8);
  if (word.kind == "session_id") {
    return content.size() >= 16 && !content.starts_with("0x") && has_any(content, chars::kDigit) &&
           has_any(content, chars::kUpper | chars::kLower);
  }
  return true;
}

// {"password": {"value": "x"}}, as configuration dumps have it: moves `at`, which is at '{', to the
// value of the member.
bool enter_value_member(std::string_view text, std::size_t& at) {
  std::size_t i = skip_blanks(text, at + 1);
  if (take_quote(text, i).mark == 0) return false;
  constexpr std::string_view kMember = "value";
  if (!chars::equals_ignoring_case(text.substr(i, kMember.size()), kMember)) return false;
  i += kMember.size();
  if (take_separator(text, i, false, false) != Separator::kColon) return false;
  at = i;
  return true;
}

// setProperty("password", "x"): moves `at`, which is behind the key, to the second string's quote.
bool enter_pair(std::string_view text, std::size_t key_begin, std::size_t& at) {
  if (key_begin < 2 || text[key_begin - 2] != '(') return false;
  std::size_t i = at;
  if (take_quote(text, i).mark == 0 || i >= text.size() || text[i] != ',') return false;
  i = skip_blanks(text, i + 1);
  auto value = i;
  const auto quote = take_quote(text, value);
  if (quote.mark == 0) return false;
  auto end = quoted_end(text.substr(0, value + kMaxJudged), value, quote);
  if (looks_like_words(text.substr(value, end - value))) return false;
  take_quote(text, end);
  if (end >= text.size() || text[end] != ')') return false;
  at = i;
  return true;
}

// {"name":"DB_PASSWORD","value":"x"}: moves `at`, which is behind the key, to the value.
bool enter_value_sibling(std::string_view text, std::size_t& at) {
  std::size_t i = at;
  if (take_quote(text, i).mark == 0 || i >= text.size() || text[i] != ',') return false;
  i = skip_blanks(text, i + 1);
  if (take_quote(text, i).mark == 0) return false;
  constexpr std::string_view kMember = "value";
  if (!chars::equals_ignoring_case(text.substr(i, kMember.size()), kMember)) return false;
  i += kMember.size();
  if (take_separator(text, i, false, false) != Separator::kColon) return false;
  at = i;
  return true;
}

}  // namespace

void add_assignment_anchors(SecretPrefilter& filter, std::uint16_t tag) {
  for (const std::string_view anchor :
       {"assw",  "assp",  "assc", "pwd=",  "pwd:", "pwd\"", "pwd'", "pwd ",  "pwd\\", "pwd>",
        "ecre",  "oken",  "pike", "i_ke",  "i-ke", "i.ke",  "sske", "s_ke",  "s-ke",  "ntke",
        "t_ke",  "t-ke",  "teke", "e_ke",  "e-ke", "ngke",  "g_ke", "g-ke",  "onke",  "n_ke",
        "n-ke",  "erke",  "r_ke", "r-ke",  "rede", "ass=",  "ass:", "ass\"", "ass'",  "ass ",
        "ass>",  "ass\\", "ass|", "ass\t", "ass%", "uth=",  "uth:", "uth\"", "uth'",  "uth ",
        "uth\\", "uth%",  "wtke", "wt_k",  "wt-k", "onid",  "on_i", "on-i",  "ssid",  "pwd%",
        "pwd|",  "key=",  "key:", "key\"", "key'", "key ",  "key>", "key\\", "key%",  "hmac",
        "salt",  "seed",  "ycod", "y_co",  "y-co", "pcod",  "p_co", "p-co"}) {
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

  // "requirepass x" and "masterauth x" of redis.conf are written without a separator.
  const bool is_directive = key == "requirepass" || key == "masterauth";
  const bool is_flag = key_text.starts_with('-') || is_directive;
  const bool is_tag = begin > 0 && text[begin - 1] == '<';
  const auto is_quote = [&](std::size_t i) {
    return i < text.size() && (text[i] == '"' || text[i] == '\'');
  };
  // On both sides: a message that begins with the word is prose, {"msg":"token: unexpected"}.
  const bool key_is_quoted =
      begin > 0 && is_quote(begin - 1) && end < text.size() && (is_quote(end) || text[end] == '\\');
  std::size_t value = end;
  auto separator = take_separator(text, value, is_flag, is_tag);
  if (separator == Separator::kNone) {
    value = end;
    if (key_is_quoted && (enter_pair(text, begin, value) || enter_value_sibling(text, value)))
      separator = Separator::kEquals;
  }
  if (separator == Separator::kNone || value >= text.size()) return {};
  if (text[value] == '[') value = skip_blanks(text, value + 1);
  const bool is_object =
      separator == Separator::kColon && value < text.size() && text[value] == '{';
  if (is_object && !enter_value_member(text, value)) return {};  // Its members have their own keys
  const Quote quote = take_quote(text, value);
  if (text.substr(value).starts_with("-----BEGIN ")) return {};  // A detector of its own
  value = skip_scheme(text, value);
  auto value_end = separator == Separator::kTag ? std::min(text.find('<', value), text.size())
                   : quote.mark != 0            ? quoted_end(text, value, quote)
                                                : unquoted_end(text, value);
  if (separator == Separator::kEncoded) value_end = std::min(value_end, text.find("%26", value));
  const auto content = text.substr(value, value_end - value);
  const bool is_working_directory = (key == "pwd" || key == "oldpwd") && content.starts_with('/');
  if (is_working_directory) return {};
  if (content.size() > kMaxJudged) return {value, value_end, word->kind, false};
  if (is_placeholder(content)) return {};
  // "usage: login <token> [options]" is no element.
  const bool is_closed = text.substr(value_end).starts_with("</");
  const bool is_punctuated =
      std::string_view(" ,.;:)]\"'").find(content[0]) != std::string_view::npos;
  if (separator == Separator::kTag && is_punctuated && !is_closed) return {};
  const bool password = word->kind == "password";
  if (separator == Separator::kWeak &&
      !(password ? looks_like_password(content) : is_random_value(content))) {
    return {};
  }
  if (separator == Separator::kBlank && !is_directive &&
      (content.starts_with('-') || content.size() < 4)) {
    return {};
  }
  const bool prose = separator == Separator::kColon && quote.mark == 0 && !key_is_quoted;
  if (!is_plausible(*word, key_text, content, quote.mark != 0, prose)) return {};
  if (prose && !password && key == word->ending &&
      (content.size() < 8 || looks_like_words(content)))
    return {};
  // "arn:…:secret:name"
  const bool in_path =
      prose && !password && begin > 0 && text[begin - 1] == ':' && value == end + 1;
  if (in_path && !is_random_value(content)) return {};
  if (prose && !has_word_byte(content)) return {};
  if (separator == Separator::kBlank && !password && looks_like_words(content)) return {};
  const bool is_phrase = word->ending == "passphrase" && quote.mark == 0 &&
                         separator != Separator::kBlank && looks_like_words(content);
  if (is_phrase) value_end = phrase_end(text, value_end);
  return {value, value_end, word->kind, false};
}

}  // namespace observeai::agent
