#include "agent/logs/secret_values.h"

#include <algorithm>
#include <array>

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxBlanks = 32;      // Around a separator: tables align their columns
constexpr std::size_t kMaxBackslashes = 8;  // Nested JSON in strings doubles them
constexpr std::size_t kMaxKeyAhead = 40;    // After ',' when asking whether another key follows

// What stands after the separator when no secret does.
constexpr auto kPlaceholders = std::to_array<std::string_view>(
    {"null",      "nil",     "none",    "true",   "false",  "undefined", "empty",    "unset",
     "set",       "not",     "is",      "was",    "must",   "required",  "missing",  "invalid",
     "incorrect", "wrong",   "expired", "hidden", "masked", "redacted",  "removed",  "filtered",
     "changed",   "updated", "reset",   "ok",     "yes",    "no",        "and",      "or",
     "to",        "for",     "with",    "from",   "in",     "on",        "the",      "a",
     "an",        "of",      "by",      "please", "cannot", "can",       "could",    "should",
     "has",       "have",    "failed",  "denied", "string", "str",       "unknown",  "disabled",
     "enabled",   "option",  "flag",    "n/a",    "file",   "stdin",     "prompt",   "if",
     "when",      "too",     "does",    "all",    "known",  "sensitive", "protected"});

// Verbs after which a value in quotes is a sentence: "is too short", "must have 8 characters".
constexpr auto kVerbs =
    std::to_array<std::string_view>({"is", "are", "was", "must", "should", "cannot", "can't", "may",
                                     "has", "does", "needs", "too"});

// Where code reads a secret from; the secret itself is elsewhere.
constexpr auto kOwners = std::to_array<std::string_view>(
    {"this.", "self.", "var.", "data.", "local.", "module.", "process.env", "os.", "config.",
     "request.", "req.", "params.", "settings.", "props.", "state.", "secrets."});

constexpr std::size_t kMaxWrapper = 16;

// Types and functions around a literal.
constexpr auto kWrappers = std::to_array<std::string_view>(
    {"Some(", "Ok(", "Just(", "Secret(", "SecretString(", "Sensitive(", "String(", "Password(",
     "PASSWORD(", "MD5(", "md5(", "SHA1(", "SHA2(", "bytes("});

// Quotes in another form, and what closes each; those with a backslash stand after one.
struct QuoteForm {
  std::string_view opening;
  std::string_view closing;
};
constexpr auto kQuoteForms = std::to_array<QuoteForm>({{"&quot;", "&quot;"},
                                                       {"&#34;", "&#34;"},
                                                       {"&#39;", "&#39;"},
                                                       {"&#x27;", "&#x27;"},
                                                       {"&apos;", "&apos;"},
                                                       {"$$", "$$"},
                                                       {"\u201c", "\u201d"},
                                                       {"\u201e", "\u201c"},
                                                       {"\u201d", "\u201d"},
                                                       {"\u2018", "\u2019"}});
constexpr auto kEscapedQuotes = std::to_array<std::string_view>({"u0022", "u0027", "x22", "x27"});

// After ',', ';' or '&': does the value end here because another field follows?
bool field_follows(std::string_view text, std::size_t at) {
  if (at >= text.size() || text[at] == ' ' || text[at] == '"' || text[at] == '\'' ||
      text[at] == '\\') {
    return true;
  }
  const auto limit = std::min(text.size(), at + kMaxKeyAhead);
  const auto begin = at;
  while (at < limit && (chars::is(text[at], chars::kUrlSafe | chars::kDot) || text[at] == ' '))
    ++at;
  return at > begin && at < text.size() && (text[at] == '=' || text[at] == ':');
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

// <b>, </password>; not "x<y".
bool is_tag_at(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxTag = 40;
  const auto next = chars::from(text, at + 1, kMaxTag);
  return next.empty() || next[0] == '/' || next.find('>') != std::string_view::npos;
}

bool is_identifier_char(char c) {
  return chars::is(c, chars::kWord | chars::kDot);
}

}  // namespace

Quote take_quote(std::string_view text, std::size_t& at) {
  std::size_t i = at;
  while (i < text.size() && text[i] == '\\' && i - at < kMaxBackslashes) ++i;
  if (i >= text.size()) return {};
  if (text[i] == '"' || text[i] == '\'' || text[i] == '`') {
    const Quote quote{text[i], i - at, {}};
    at = i + 1;
    return quote;
  }
  const auto rest = chars::from(text, i, 6);
  if (i > at) {
    for (const auto form : kEscapedQuotes) {
      if (!rest.starts_with(form)) continue;
      const Quote quote{'"', 0, chars::from(text, at, i + form.size() - at)};
      at = i + form.size();
      return quote;
    }
    return {};
  }
  const auto first = static_cast<unsigned char>(text[i]);
  if (first != '&' && first != '$' && first < 0x80) return {};  // No form begins so
  for (const auto& form : kQuoteForms) {
    if (!rest.starts_with(form.opening)) continue;
    at = i + form.opening.size();
    return {'"', 0, form.closing};
  }
  return {};
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  const auto limit = std::min(text.size(), at + kMaxBlanks);
  while (at < limit) {
    if (text[at] == ' ' || text[at] == '\t') {
      ++at;
    } else if (chars::from(text, at, 2) == "\u00a0") {
      at += 2;
    } else {
      break;
    }
  }
  return at;
}

std::size_t skip_wrapper(std::string_view text, std::size_t at) {
  const auto is_quote = [&](std::size_t i) {
    return i < text.size() && (text[i] == '"' || text[i] == '\'' || text[i] == '\\');
  };
  const auto rest = chars::from(text, at);
  if (!rest.empty() && "bBuUNEr"sv.find(rest[0]) != std::string_view::npos && is_quote(at + 1))
    return at + 1;
  if (rest.starts_with("string(")) {  // var_dump: string(8) "x"
    const auto end = chars::run_end(text, at + 7, chars::kDigit);
    return chars::from(text, end).starts_with(") ") && is_quote(end + 2) ? end + 2 : at;
  }
  if (rest.substr(0, kMaxWrapper).find('(') == std::string_view::npos) return at;
  for (const auto wrapper : kWrappers) {
    if (rest.starts_with(wrapper) && is_quote(at + wrapper.size())) return at + wrapper.size();
  }
  return at;
}

// "auth_token=Bearer abc": the scheme is no secret, what follows it is.
std::size_t skip_scheme(std::string_view text, std::size_t at) {
  for (const std::string_view scheme : {"bearer ", "basic ", "token "}) {
    if (chars::equals_ignoring_case(chars::from(text, at, scheme.size()), scheme))
      return at + scheme.size();
  }
  return at;
}

std::size_t quoted_end(std::string_view text, std::size_t at, const Quote& quote) {
  if (!quote.closing.empty()) return std::min(text.find(quote.closing, at), text.size());
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

std::size_t credential_end(std::string_view text, std::size_t at) {
  while (at < text.size() && " \t\r\n\"'`,;<>\\)]}"sv.find(text[at]) == std::string_view::npos)
    ++at;
  return at;
}

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
        (c == '<' && is_tag_at(text, at)) || (c == '&' && chars::from(text, at, 6) == "&quot;") ||
        (c == '\\' && at + 1 < text.size() &&
         (text[at + 1] == '"' || text[at + 1] == 'n' || text[at + 1] == 'r'))) {
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

bool is_placeholder(std::string_view value) {
  // "[]", "{}" and what follows them: nothing stands there.
  if (value.starts_with("[]") || value.starts_with("{}") || value.starts_with("!vault"))
    return true;
  const auto blank = value.find(' ');
  const auto first = chars::from(value, 0, blank);
  if (blank != std::string_view::npos &&
      std::find(kVerbs.begin(), kVerbs.end(), first) != kVerbs.end()) {
    return true;
  }
  value = without_punctuation(value);
  // The closing bracket may be cut off by where an unquoted value ends; what follows it is no name.
  const auto is_filled_in = [&](std::string_view open, std::string_view close) {
    if (!value.starts_with(open)) return false;
    const auto closed = value.find(close, open.size());
    return closed == std::string_view::npos || closed + close.size() == value.size();
  };
  if (value.empty() || value.starts_with("REDACTED") || is_filled_in("${", "}") ||
      is_filled_in("{{", "}}") || is_filled_in("$(", ")") || is_filled_in("%(", ")s") ||
      (value[0] == '%' && value.size() == 2)) {
    return true;
  }
  const auto is_variable_char = [](char c) {
    return chars::is(c, chars::kUpper | chars::kDigit | chars::kUnderscore);
  };
  // ":password" of a statement
  if (value[0] == ':' && value.size() > 1 &&
      chars::run_end(value, 1, chars::kLower | chars::kUnderscore) == value.size()) {
    return true;
  }
  if (value[0] == '$' && std::all_of(value.begin() + 1, value.end(), is_variable_char)) return true;
  if (value.find_first_not_of("*xX.-_#?") == std::string_view::npos) return true;
  return std::any_of(kPlaceholders.begin(), kPlaceholders.end(), [&](std::string_view word) {
    return chars::equals_ignoring_case(word, value);
  });
}

bool is_reference(std::string_view value) {
  // A call: the name of a function and its bracket, with the arguments or cut off before them.
  const auto name_end = static_cast<std::size_t>(
      std::find_if_not(value.begin(), value.end(), is_identifier_char) - value.begin());
  const bool has_name = name_end >= 3 && chars::is(value[0], chars::kLower | chars::kUpper);
  const auto name = chars::from(value, 0, name_end);
  if (has_name && name_end < value.size() && value[name_end] == '(' &&
      !has_any(name, chars::kDigit)) {
    const auto arguments = chars::from(value, name_end + 1);
    return arguments.empty() || arguments.find(')') != std::string_view::npos ||
           name.find('.') != std::string_view::npos;
  }
  if (std::any_of(kOwners.begin(), kOwners.end(),
                  [&](std::string_view owner) { return value.starts_with(owner); })) {
    return name_end == value.size() || value[name_end] == '(' || value[name_end] == '[';
  }
  return false;
}

bool is_path(std::string_view value) {
  const bool begins = value.starts_with("./") || value.starts_with("~/") ||
                      (value.starts_with('/') && value.find('/', 1) != std::string_view::npos);
  return begins && !has_any(value, chars::kUpper) &&
         value.find_first_of("+=$!@#%^&* ") == std::string_view::npos;
}

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

bool looks_generated(std::string_view value) {
  constexpr std::size_t kMin = 10;
  if (value.size() < kMin || !has_any(value, chars::kLower) || !has_any(value, chars::kDigit))
    return false;
  if (value.find_first_of("([{/\\:") != std::string_view::npos) return false;
  return has_any(value, chars::kUpper) ||
         value.find_first_of("!@#$%^&*+=~?;<>") != std::string_view::npos;
}

bool has_random_part(std::string_view value, std::size_t bytes) {
  constexpr std::size_t kMinMixedCase = 12;
  for (std::size_t i = 0; i < value.size();) {
    const auto end = chars::run_end(value, i, chars::kAlnum | chars::kBase64);
    const auto part = chars::from(value, i, end - i);
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

}  // namespace observeai::agent
