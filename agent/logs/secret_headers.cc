#include "agent/logs/secret_headers.h"

#include <algorithm>

#include "agent/logs/secret_values.h"

namespace observeai::agent {
namespace {

using namespace std::string_view_literals;
using chars::is;
using chars::run_end;

std::size_t skip_blanks_and_quotes(std::string_view text, std::size_t at) {
  const auto limit = std::min(text.size(), at + 8);
  while (at < limit && " \t\"'\\["sv.find(text[at]) != std::string_view::npos) ++at;
  return at;
}

std::size_t header_value_end(std::string_view text, std::size_t at) {
  while (at < text.size() && "\r\n\"'`\\"sv.find(text[at]) == std::string_view::npos) ++at;
  return at;
}

// Digest username="bob", nonce="x", response="y": its parts stand in quotes, escaped or not.
SecretSpan digest_response(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxBytes = 1024;
  const auto fields = text.substr(at, kMaxBytes);
  constexpr auto kName = "response="sv;
  const auto name = fields.substr(0, fields.find_first_of("\r\n")).find(kName);
  if (name == std::string_view::npos)
    return {at, header_value_end(text, at), "authorization", false};
  const auto value = skip_blanks_and_quotes(text, at + name + kName.size());
  return {at, run_end(text, value, chars::kAlnum), "authorization", false};
}

// "theme=dark; Path=/" lets nobody in.
bool has_long_value(std::string_view cookie) {
  constexpr std::size_t kMin = 8;
  while (!cookie.empty()) {
    const auto end = std::min(cookie.find(';'), cookie.size());
    const auto pair = cookie.substr(0, end);
    const auto equals = pair.find('=');
    const auto name = pair.substr(0, equals);
    const bool is_attribute = chars::equals_ignoring_case(name, " expires") ||
                              chars::equals_ignoring_case(name, " domain") ||
                              chars::equals_ignoring_case(name, " path") ||
                              chars::equals_ignoring_case(name, " max-age") ||
                              chars::equals_ignoring_case(name, " samesite");
    if (equals != std::string_view::npos && !is_attribute && pair.size() - equals - 1 >= kMin)
      return true;
    cookie.remove_prefix(std::min(end + 1, cookie.size()));
  }
  return false;
}

}  // namespace

SecretSpan match_authorization(std::string_view text, std::size_t at) {
  constexpr auto kName = "authorization"sv;
  constexpr std::size_t kAnchor = 4;  // "oriz"
  if (at < kAnchor || !chars::equals_ignoring_case(text.substr(at - kAnchor, kName.size()), kName))
    return {};
  auto value = skip_blanks_and_quotes(text, at - kAnchor + kName.size());
  if (value >= text.size() || (text[value] != ':' && text[value] != '=')) return {};
  value = skip_blanks_and_quotes(text, value + 1);
  const auto word_end = run_end(text, value, chars::kUrlSafe);
  const auto scheme = text.substr(value, word_end - value);
  const auto is_scheme = [&](std::string_view name) {
    return chars::equals_ignoring_case(scheme, name);
  };
  if (!scheme.empty() && word_end < text.size() && text[word_end] == ' ') {
    const auto credentials = word_end + 1;
    for (const auto name :
         {"bearer"sv, "basic"sv, "token"sv, "apikey"sv, "negotiate"sv, "ntlm"sv, "key"sv}) {
      if (is_scheme(name)) {
        const auto end = credential_end(text, credentials);
        if (text.substr(credentials, end - credentials).starts_with("[REDACTED")) return {};
        return {credentials, end, "authorization", false};
      }
    }
    if (is_scheme("digest")) return digest_response(text, credentials);
    if (scheme.starts_with("AWS4-") || is_scheme("hmac") || is_scheme("signature")) {
      return {credentials, header_value_end(text, credentials), "authorization", false};
    }
    const auto end = credential_end(text, credentials);
    const auto unknown = text.substr(credentials, end - credentials);  // GenieKey x, Splunk x
    const auto padding = std::min(unknown.find('='), unknown.size());
    const bool is_token = is(scheme[0], chars::kUpper) && unknown.size() >= 16 &&
                          unknown.find_first_not_of('=', padding) == std::string_view::npos;
    if (is_token && has_any(unknown, chars::kDigit)) {
      return {credentials, end, "authorization", false};
    }
  }
  const auto end = credential_end(text, value);
  const auto bare = text.substr(value, end - value);
  const bool has_digit =
      std::any_of(bare.begin(), bare.end(), [](char c) { return is(c, chars::kDigit); });
  if (bare.starts_with("REDACTED") || bare.size() < 8 || (!has_digit && bare.size() < 16))
    return {};
  return {value, end, "authorization", false};
}

SecretSpan match_bearer(std::string_view text, std::size_t at) {
  constexpr auto kWord = "bearer "sv;
  if (at < 1 || !chars::equals_ignoring_case(text.substr(at - 1, kWord.size()), kWord)) return {};
  const auto begin = at - 1 + kWord.size();
  const auto end = run_end(text, begin, chars::kUrlSafe | chars::kDot | chars::kBase64);
  const auto token = text.substr(begin, end - begin);
  const bool has_digit =
      std::any_of(token.begin(), token.end(), [](char c) { return is(c, chars::kDigit); });
  if (token.size() < 16 || !has_digit) return {};
  return {begin, end, "bearer_token", false};
}

SecretSpan match_cookie(std::string_view text, std::size_t at) {
  constexpr auto kName = "cookie"sv;
  if (at < 1 || !chars::equals_ignoring_case(text.substr(at - 1, kName.size()), kName)) return {};
  auto value = at - 1 + kName.size();
  if (value < text.size() && (text[value] == '"' || text[value] == '\'')) ++value;
  if (value >= text.size() || text[value] != ':') return {};
  value = skip_blanks_and_quotes(text, value + 1);
  const auto name_end = std::min(text.find_first_of("= \t\r\n\"';,", value), text.size());
  if (name_end + 1 >= text.size() || text[name_end] != '=') return {};
  const auto end = header_value_end(text, value);
  return has_long_value(text.substr(value, end - value)) ? SecretSpan{value, end, "cookie", false}
                                                         : SecretSpan{};
}

}  // namespace observeai::agent
