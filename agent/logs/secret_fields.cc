#include "agent/logs/secret_fields.h"

#include <algorithm>

#include "agent/logs/secret_detectors.h"
#include "agent/logs/secret_values.h"

namespace observeai::agent {
namespace {

// Behind the name; one that is longer goes on to where an unquoted one ends.
constexpr std::size_t kMaxEncoded = 2048;

// A percent escape, also of an escape: %3D, %253D, %25253D.
struct Escape {
  std::size_t depth = 0;
  std::string_view code;  // Empty: none
};

Escape take_escape(std::string_view text, std::size_t& at) {
  constexpr std::size_t kMaxDepth = 4;
  if (at >= text.size() || text[at] != '%') return {};
  Escape escape;
  auto i = at + 1;
  while (escape.depth < kMaxDepth && chars::from(text, i, 2) == "25") {
    i += 2;
    ++escape.depth;
  }
  if (i + 2 > text.size()) return {};
  escape.code = chars::from(text, i, 2);
  at = i + 2;
  return escape;
}

bool is_code(const Escape& escape, std::string_view code) {
  return chars::equals_ignoring_case(escape.code, code);
}

// %3D, %22%3A%22 and what is like them.
Separator take_encoded(std::string_view text, std::size_t& at) {
  auto i = at;
  auto escape = take_escape(text, i);
  if (is_code(escape, "22") || is_code(escape, "27")) escape = take_escape(text, i);
  if (!is_code(escape, "3d") && !is_code(escape, "3a")) return Separator::kNone;
  for (auto next = i; is_code(take_escape(text, next), "20");) i = next;
  auto quote = i;
  const auto opening = take_escape(text, quote);
  at = is_code(opening, "22") || is_code(opening, "27") ? quote : i;
  return Separator::kEncoded;
}

// <name>password</name><value>x</value>
bool enter_sibling_tag(std::string_view text, std::size_t& at) {
  constexpr std::size_t kMaxTag = 40;
  if (!chars::from(text, at).starts_with("</")) return false;
  const auto close = chars::from(text, at, kMaxTag).find('>');
  if (close == std::string_view::npos) return false;
  auto i = at + close + 1;
  while (i < text.size() && i < at + 2 * kMaxTag && (text[i] == '\n' || text[i] == '\r')) ++i;
  i = skip_blanks(text, i);
  for (const std::string_view tag : {"<value>", "<string>"}) {
    if (!chars::from(text, i).starts_with(tag)) continue;
    at = i + tag.size();
    return true;
  }
  return false;
}

// setProperty("password", "x"), ["--password", "x"]: moves `at`, which is behind the key, to the second
// string's quote.
bool enter_pair(std::string_view text, const KeyPlace& key, std::size_t& at) {
  auto open = key.begin - 1;  // At the quote
  if (open > 0 && (text[open - 1] == 'b' || text[open - 1] == 'u')) --open;
  if (!key.is_flag && (open == 0 || text[open - 1] != '(')) return false;
  std::size_t i = at;
  if (take_quote(text, i).mark == 0 || i >= text.size() || text[i] != ',') return false;
  i = skip_blanks(text, i + 1);
  auto value = skip_wrapper(text, i);
  const auto quote = take_quote(text, value);
  if (quote.mark == 0) return false;
  at = i;
  if (key.is_flag) return value < text.size() && text[value] != '-';
  auto end = quoted_end(chars::from(text, 0, value + kMaxJudgedValue), value, quote);
  if (looks_like_words(chars::from(text, value, end - value))) return false;
  take_quote(text, end);
  return end < text.size() && text[end] == ')';
}

// {"name":"DB_PASSWORD","value":"x"}, name="password" value="x", name="password">x<,
// s:8:"password";s:1:"x": moves `at`, which is behind the key, to the value.
Separator enter_value_sibling(std::string_view text, const KeyPlace& key, std::size_t& at) {
  // {"type":"token","value":"x"} tells of a lexer.
  constexpr std::size_t kReach = 12;
  const auto before =
      chars::from(text, key.begin - std::min(key.begin, kReach), std::min(key.begin, kReach));
  if (before.find("type") != std::string_view::npos ||
      before.find("kind") != std::string_view::npos)
    return Separator::kNone;
  std::size_t i = at;
  const auto quote = take_quote(text, i);
  if (quote.mark == 0 || i >= text.size()) return Separator::kNone;
  const bool is_attribute =
      key.begin > 2 + quote.backslashes && text[key.begin - 2 - quote.backslashes] == '=';
  if (is_attribute && text[i] == '>') {
    at = i + 1;
    return Separator::kTag;
  }
  if (chars::from(text, i).starts_with(";s:")) {
    i = chars::run_end(text, i + 3, chars::kDigit);
    if (i >= text.size() || text[i] != ':') return Separator::kNone;
    at = i + 1;
    return Separator::kEquals;
  }
  if (text[i] != ',' && !is_attribute) return Separator::kNone;
  i = skip_blanks(text, i + 1);
  take_quote(text, i);
  constexpr std::string_view kMember = "value";
  if (!chars::equals_ignoring_case(chars::from(text, i, kMember.size()), kMember))
    return Separator::kNone;
  i += kMember.size();
  take_quote(text, i);
  i = skip_blanks(text, i);
  if (i >= text.size() || (text[i] != ':' && text[i] != '=')) return Separator::kNone;
  at = skip_blanks(text, i + 1);
  return Separator::kEquals;
}

// The body of a form's part: name="password", an empty line, the value; ends of lines may be literal.
bool enter_form_part(std::string_view text, std::size_t& at) {
  auto i = at;
  if (take_quote(text, i).mark == 0) return false;
  for (int line = 0; line < 2; ++line) {
    const auto begin = i;
    for (const char end : {'r', 'n'}) {
      auto next = i;
      while (next < text.size() && text[next] == '\\') ++next;
      if (next > i && next < text.size() && text[next] == end) i = next + 1;
      if (next == i && next < text.size() && text[next] == (end == 'r' ? '\r' : '\n')) ++i;
    }
    if (i == begin) return false;
  }
  at = i;
  return true;
}

Separator take_weak_separator(std::string_view text, std::size_t& at) {
  // A key takes the '-' of "->" with it.
  if (at > 0 && text[at - 1] == '-' && chars::from(text, at).starts_with('>')) {
    ++at;
    return Separator::kWeak;
  }
  for (const std::string_view separator :
       {" is: ", " is ", " to ", " -> ", "|", " | ", "\t", "\\t"}) {
    if (chars::from(text, at).starts_with(separator)) {
      at += separator.size();
      return Separator::kWeak;
    }
  }
  // PASSWORD('x')
  if (at + 1 < text.size() && text[at] == '(' && (text[at + 1] == '\'' || text[at + 1] == '"')) {
    ++at;
    return Separator::kWeak;
  }
  const auto value = skip_blanks(text, at);
  auto inside = skip_wrapper(text, value);
  if (value == at || value >= text.size()) return Separator::kNone;
  const bool is_table = value > at + 1;
  const bool is_quoted = take_quote(text, inside).mark != 0;
  at = value;
  if (is_table || is_quoted) return Separator::kWeak;
  // Words of prose are short, what is generated is not.
  constexpr std::size_t kMinGenerated = 10;
  const auto begin = chars::from(text, value, kMinGenerated);
  return begin.size() == kMinGenerated && begin.find(' ') == std::string_view::npos
             ? Separator::kProse
             : Separator::kNone;
}

Separator take_sign(std::string_view text, std::size_t& at) {
  const auto next = [&](std::size_t ahead) {
    return at + ahead < text.size() ? text[at + ahead] : '\0';
  };
  if (next(0) == '=') {
    if (next(1) == '=' || (next(1) == '~' && (next(2) == ' ' || next(2) == '/')))
      return Separator::kNone;
    at = skip_blanks(text, at + (next(1) == '>' ? 2 : 1));
    return Separator::kEquals;
  }
  if (next(0) == ':') {
    if (next(1) == ':' || next(1) == '/') return Separator::kNone;
    at = skip_blanks(text, at + (next(1) == '=' ? 2 : 1));
    return Separator::kColon;
  }
  constexpr std::string_view kWideColon = "\uff1a";
  if (chars::from(text, at).starts_with(kWideColon)) {
    at = skip_blanks(text, at + kWideColon.size());
    return Separator::kColon;
  }
  return Separator::kNone;
}

}  // namespace

bool enter_value_member(std::string_view text, std::size_t& at) {
  std::size_t i = skip_blanks(text, at + 1);
  if (take_quote(text, i).mark == 0) return false;
  constexpr std::string_view kMember = "value";
  if (!chars::equals_ignoring_case(chars::from(text, i, kMember.size()), kMember)) return false;
  i += kMember.size();
  take_quote(text, i);
  i = skip_blanks(text, i);
  if (take_sign(text, i) != Separator::kColon) return false;
  at = i;
  return true;
}

std::size_t encoded_end(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  for (auto before = at; before > 0 && at - before < 12; --before) {
    if (text[before - 1] != '%') continue;
    auto i = before - 1;
    depth = take_escape(text, i).depth;
    break;
  }
  const auto near = chars::from(text, 0, at + kMaxEncoded);
  while ((at = near.find('%', at)) != std::string_view::npos) {
    auto i = at;
    const auto escape = take_escape(text, i);
    const bool ends = is_code(escape, "22") || is_code(escape, "26") || is_code(escape, "27") ||
                      is_code(escape, "7d");
    if (ends && escape.depth <= depth) return at;
    ++at;
  }
  return text.size();
}

Separator take_separator(std::string_view text, const KeyPlace& key, std::size_t& at) {
  if (key.is_tag && at < text.size() && text[at] == '>') {
    ++at;
    return Separator::kTag;
  }
  if (at < text.size() && text[at] == '%') {
    const auto encoded = take_encoded(text, at);
    if (encoded != Separator::kNone) return encoded;
  }
  if (enter_sibling_tag(text, at)) return Separator::kTag;
  const auto after_key = at;
  while (at < text.size() && at < after_key + 2 && text[at] == '*') ++at;  // **password**: x
  take_quote(text, at);
  // [password] => x, ["password"]=> x
  if (chars::from(text, at).starts_with("] =") || chars::from(text, at).starts_with("]=")) ++at;
  const auto before_blanks = at;
  at = skip_blanks(text, at);
  const auto sign = take_sign(text, at);
  if (sign != Separator::kNone) return sign;
  const bool blank_follows = at > before_blanks && before_blanks == after_key;
  if (key.is_flag && blank_follows) return Separator::kBlank;
  at = after_key;
  if (key.is_quoted) {
    if (enter_pair(text, key, at)) return Separator::kEquals;
    at = after_key;
    const auto sibling = enter_value_sibling(text, key, at);
    if (sibling != Separator::kNone) return sibling;
    return enter_form_part(text, at) ? Separator::kEquals : Separator::kNone;
  }
  return take_weak_separator(text, at);
}

}  // namespace observeai::agent
