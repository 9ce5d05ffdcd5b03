#include "agent/logs/secret_statements.h"

#include <algorithm>
#include <array>
#include <optional>

#include "agent/logs/secret_names.h"
#include "agent/logs/secret_values.h"

namespace observeai::agent {
namespace {

using namespace std::string_view_literals;
using chars::is;

constexpr std::size_t kMaxStatement = 2048;  // Looked at to each side of an anchor
constexpr std::size_t kMaxArguments = 256;   // Behind the name of a call
constexpr std::size_t kMaxFields = 64;

bool has_word(std::string_view text, std::size_t at, std::string_view word) {
  return chars::equals_ignoring_case(chars::from(text, at, word.size()), word);
}

// The content of the literal at `at` (quoted, N'x', $$x$$); nothing when there is none.
std::optional<SecretSpan> literal_at(std::string_view text, std::size_t at) {
  at = skip_wrapper(text, skip_blanks(text, at));
  const auto quote = take_quote(text, at);
  if (quote.mark == 0) return std::nullopt;
  const auto end = quoted_end(text, at, quote);
  const auto content = chars::from(text, at, end - at);
  if (content.empty() || is_placeholder(content)) return SecretSpan{};
  return SecretSpan{at, end, "password", false};
}

// The field number `index` of a list that begins behind '('; quotes and inner brackets are passed over.
std::optional<std::size_t> field_begin(std::string_view text, std::size_t at, std::size_t index,
                                       std::size_t reach) {
  const auto limit = std::min(text.size(), at + reach);
  std::size_t depth = 0;
  while (index > 0 && at < limit) {
    const char c = text[at];
    if (c == '\'' || c == '"' || (c == '\\' && at + 1 < limit)) {
      auto inside = at;
      const auto quote = take_quote(text, inside);
      if (quote.mark != 0) {
        auto end = quoted_end(chars::from(text, 0, limit), inside, quote);
        take_quote(text, end);
        at = std::max(end, inside);
        continue;
      }
    }
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') {
      if (depth == 0) return std::nullopt;
      --depth;
    }
    if (c == ',' && depth == 0) --index;
    ++at;
  }
  if (index > 0 || at >= limit) return std::nullopt;
  return at;
}

// The first column of "(name, password)" that ends at `close` whose name names a password or the like.
std::optional<std::size_t> secret_column(std::string_view text, std::size_t close) {
  const auto from = close - std::min(close, kMaxStatement);
  const auto open = chars::from(text, from, close - from).rfind('(');
  if (open == std::string_view::npos) return std::nullopt;
  std::size_t begin = from + open + 1;
  for (std::size_t column = 0; column < kMaxFields && begin < close; ++column) {
    const auto end = std::min(text.substr(0, close).find(',', begin), close);
    const auto* word = find_key_word(normalized_key(chars::from(text, begin, end - begin)));
    if (word != nullptr && word->kind != kRandomKind && word->kind != "auth") return column;
    begin = end + 1;
  }
  return std::nullopt;
}

// `argument` counts from 0; the name ends at the anchor's place plus its own rest.
struct Call {
  std::string_view name;
  std::size_t anchor;
  std::size_t argument;
};
constexpr auto kCalls = std::to_array<Call>(
    {{"PDO->__construct", 0, 2}, {"mysqli->__construct", 0, 2}, {"mysqli->real_connect", 0, 2},
     {"mysqli_connect", 0, 2},   {"mysqli_real_connect", 0, 3}, {"new PDO", 3, 2},
     {"new mysqli", 4, 2},       {"ldap_bind", 0, 2},           {"ftp_login", 0, 2},
     {"oci_connect", 0, 1},      {"imap_open", 0, 2},           {"password_verify", 8, 0},
     {"password_hash", 8, 0},    {"pgp_sym_encrypt", 0, 1},     {"pgp_sym_decrypt", 0, 1},
     {"aes_encrypt", 0, 1},      {"aes_decrypt", 0, 1},         {"changeUserPassword", 8, 1},
     {"db.auth", 0, 1},          {"sp_addlogin", 0, 1},         {"ConvertTo-SecureString", 0, 0}});

}  // namespace

SecretSpan match_identified(std::string_view text, std::size_t at) {
  constexpr auto kWord = "identified "sv;
  constexpr std::size_t kAnchor = 5;  // "ifie"
  if (at < kAnchor || !has_word(text, at - kAnchor, kWord)) return {};
  auto i = skip_blanks(text, at - kAnchor + kWord.size());
  if (has_word(text, i, "with ")) {
    i = skip_blanks(text, i + 5);
    while (i < text.size() && (is(text[i], chars::kWord) || text[i] == '\'' || text[i] == '"')) ++i;
    i = skip_blanks(text, i);
  }
  if (!has_word(text, i, "by ")) return {};
  i = skip_blanks(text, i + 3);
  if (has_word(text, i, "password ")) i = skip_blanks(text, i + 9);
  if (has_word(text, i, "values ")) i = skip_blanks(text, i + 7);
  if (const auto literal = literal_at(text, i)) return *literal;
  const auto end = unquoted_end(text, i);
  const auto content = chars::from(text, i, end - i);
  // "identified by name", "identified by ?"
  if (content.size() < 4 || content[0] == ':' || is_placeholder(content) ||
      !(looks_like_password(content) || chars::from(text, end).starts_with(';') ||
        has_word(text, end, " using "))) {
    return {};
  }
  return {i, end, "password", false};
}

SecretSpan match_inserted(std::string_view text, std::size_t at) {
  constexpr auto kWord = "values"sv;
  if (!has_word(text, at, kWord) || at == 0) return {};
  auto close = at;
  while (close > 0 && (text[close - 1] == ' ' || text[close - 1] == '\n')) --close;
  if (close == 0 || text[close - 1] != ')') return {};
  const auto open = skip_blanks(text, at + kWord.size());
  if (open >= text.size() || text[open] != '(') return {};
  const auto column = secret_column(text, close - 1);
  if (!column) return {};
  const auto field = field_begin(text, open + 1, *column, kMaxStatement);
  return field ? literal_at(text, *field).value_or(SecretSpan{}) : SecretSpan{};
}

void add_call_anchors(SecretPrefilter& filter, std::uint16_t tag) {
  for (const auto& call : kCalls) filter.add(chars::from(call.name, call.anchor), tag);
}

SecretSpan match_call(std::string_view text, std::size_t at) {
  for (const auto& call : kCalls) {
    if (at < call.anchor || !has_word(text, at - call.anchor, call.name)) continue;
    const auto begin = at - call.anchor;
    if (begin > 0 && is(text[begin - 1], chars::kWord)) continue;
    const auto open = begin + call.name.size();
    if (open >= text.size() || (text[open] != '(' && text[open] != ' ')) continue;
    const auto field = field_begin(text, open + 1, call.argument, kMaxArguments);
    if (field) return literal_at(text, *field).value_or(SecretSpan{});
  }
  return {};
}

}  // namespace observeai::agent
