#include "agent/logs/secret_urls.h"

#include <algorithm>
#include <array>
#include <string>

#include "agent/logs/secret_entropy.h"
#include "agent/logs/secret_values.h"

namespace observeai::agent {
namespace {

using namespace std::string_view_literals;
using chars::is;
using chars::run_end;

// In lower case; the first four bytes with the '?' or '&' before them are the anchor.
constexpr auto kParameters = std::to_array<std::string_view>({"code",
                                                              "key",
                                                              "sig",
                                                              "signature",
                                                              "x-amz-signature",
                                                              "x-goog-signature",
                                                              "session",
                                                              "sid",
                                                              "ticket",
                                                              "assertion",
                                                              "client_assertion",
                                                              "samlresponse",
                                                              "code_verifier",
                                                              "jwt",
                                                              "otp",
                                                              "pw",
                                                              "hash_key",
                                                              "st",
                                                              "oauth_signature",
                                                              "hmac"});

}  // namespace

// scheme://user:password@host, scheme://token@host.
SecretSpan match_url_userinfo(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxUserinfo = 512;
  const auto begin = at + 4;  // Anchor: "x://"
  if (chars::from(text, at + 1, 3) != "://" || chars::from(text, begin).starts_with("[REDACTED"))
    return {};
  const auto limit = std::min(text.size(), begin + kMaxUserinfo);
  std::size_t colon = std::string_view::npos;
  std::size_t host_at = std::string_view::npos;  // The last '@'
  bool in_path = false;
  std::size_t i = begin;
  for (; i < limit; ++i) {
    const char c = text[i];
    if (" \t\r\n\"'<>`\\"sv.find(c) != std::string_view::npos) break;
    // A password may hold a comma; between hosts ("h1:9092,h2:9092") and in lists it ends the URL.
    if (c == ',' && (host_at != std::string_view::npos || colon == std::string_view::npos ||
                     run_end(text, colon + 1, chars::kDigit) == i)) {
      break;
    }
    if (c == ':' && chars::from(text, i).starts_with("://")) break;  // The next URL of a list
    if (c == ':' && colon == std::string_view::npos) colon = i;
    if (c == '@' && !(in_path && text[i - 1] == '/')) {  // "/@scope" belongs to a path
      host_at = i;
      if (in_path) break;
    }
    if (c == '/' && !in_path && host_at != std::string_view::npos && colon < host_at) {
      in_path = true;  // "user:p@ss/w0rd@host": the password ends at an '@' that follows
      continue;
    }
    if ((c == '?' || c == '#') && host_at != std::string_view::npos) break;
    if ((c == '/' || c == '?' || c == '#') && !in_path) {
      // A password may hold these unescaped; but host:port/path@x is no userinfo.
      const bool maybe_password = host_at == std::string_view::npos &&
                                  colon != std::string_view::npos && text[begin] != '[' &&
                                  run_end(text, colon + 1, chars::kDigit) < i;
      if (!maybe_password) break;
      in_path = true;
    }
  }
  if (host_at == std::string_view::npos) {
    const bool undecided =
        i == limit && limit < text.size() && colon != std::string_view::npos && !in_path;
    return undecided ? SecretSpan{begin, limit, "url_password", true} : SecretSpan{};
  }
  if (colon != std::string_view::npos && colon < host_at) {
    const auto password = chars::from(text, colon + 1, host_at - colon - 1);
    const bool hidden = password.empty() || password.starts_with("[REDACTED") ||
                        password.find_first_not_of("*x") == std::string_view::npos;
    return hidden ? SecretSpan{} : SecretSpan{colon + 1, host_at, "url_password", false};
  }
  const auto user = chars::from(text, begin, host_at - begin);
  const bool has_digit =
      std::any_of(user.begin(), user.end(), [](char c) { return is(c, chars::kDigit); });
  if (user.size() < 20 || !has_digit) return {};
  return {begin, host_at, "url_password", false};
}

// user:password@tcp(host:3306)/db, as Go's MySQL driver writes it.
SecretSpan match_dsn(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxReach = 256;
  const auto rest = chars::from(text, at);
  if (!rest.starts_with("@tcp(") && !rest.starts_with("@unix(")) return {};
  std::size_t begin = at;
  std::size_t colon = std::string_view::npos;
  while (begin > 0 && at - begin < kMaxReach &&
         " \t\"'=<>"sv.find(text[begin - 1]) == std::string_view::npos) {
    --begin;
    if (text[begin] == ':') colon = begin;
  }
  if (colon == std::string_view::npos || colon + 1 == at) return {};
  return {colon + 1, at, "url_password", false};
}

// jdbc:oracle:thin:scott/tiger@host and jdbc:oracle:oci:…
SecretSpan match_oracle(std::string_view text, std::size_t at) {
  constexpr auto kScheme = "jdbc:oracle:"sv;
  constexpr std::size_t kAnchor = 4;  // "jdbc:oracle"
  constexpr std::size_t kMaxBytes = 128;
  if (at < kAnchor || text.compare(at - kAnchor, kScheme.size(), kScheme) != 0) return {};
  const auto driver_end = text.find(':', at - kAnchor + kScheme.size());
  if (driver_end == std::string_view::npos) return {};
  const auto rest = chars::from(text, driver_end + 1, kMaxBytes);
  const auto slash = rest.find('/');
  const auto host = rest.find('@');
  if (host == std::string_view::npos || slash >= host || slash == 0 || slash + 1 == host ||
      chars::from(rest, 0, host).find_first_of(" \t\"'") != std::string_view::npos ||
      chars::from(rest, slash + 1).starts_with("[REDACTED")) {
    return {};
  }
  return {driver_end + 1 + slash + 1, driver_end + 1 + host, "url_password", false};
}

// sig=… of an Azure shared access signature: base64 of 32 bytes, often percent-encoded.
SecretSpan match_sas_signature(std::string_view text, std::size_t at) {
  if (chars::from(text, at, 4) != "sig=" || (at > 0 && is(text[at - 1], chars::kUrlSafe)))
    return {};
  std::size_t end = at + 4;
  while (end < text.size() && (is(text[end], chars::kAlnum | chars::kBase64) || text[end] == '%'))
    ++end;
  if (end - at - 4 < 43) return {};
  return {at + 4, end, "azure_signature", false};
}

SecretSpan match_escaped_url(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxUserinfo = 256;
  const auto rest = chars::from(text, at);
  const bool percent = !rest.starts_with(':');
  std::size_t begin = at;
  if (percent) {
    if (!chars::equals_ignoring_case(chars::from(rest, 0, 8), "3a%2f%2f") || at == 0 ||
        text[at - 1] != '%')
      return {};
    begin = at + 8;
  } else {
    begin = at + 1;
    while (begin < text.size() && begin < at + 16 && (text[begin] == '\\' || text[begin] == '/'))
      ++begin;
  }
  const auto part = chars::from(text, begin, kMaxUserinfo);
  const auto userinfo =
      chars::from(part, 0, part.find_first_of(percent ? " \t\r\n\"'<>&"sv : " \t\r\n\"'<>\\"sv));
  const auto find = [&](std::string_view plain, std::string_view lower, std::string_view upper) {
    return percent ? std::min(userinfo.find(lower), userinfo.find(upper)) : userinfo.find(plain);
  };
  const auto host = find("@", "%40", "%40");
  const auto colon = find(":", "%3a", "%3A");
  if (host == std::string_view::npos || colon >= host) return {};
  const auto password = colon + (percent ? 3 : 1);
  if (password >= host || userinfo.find_first_not_of("*x", password) >= host) return {};
  return {begin + password, begin + host, "url_password", false};
}

void add_query_anchors(SecretPrefilter& filter, std::uint16_t tag) {
  for (const auto name : kParameters) {
    for (const char mark : {'?', '&'}) {
      if (name.size() >= 3) filter.add(mark + std::string(chars::from(name, 0, 3)), tag);
      if (name.size() == 2) filter.add(mark + std::string(name) + "=", tag);
    }
  }
}

SecretSpan match_query(std::string_view text, std::size_t at) {
  if (at == 0 || " \t"sv.find(text[at - 1]) != std::string_view::npos) return {};
  const auto name_end = run_end(text, at + 1, chars::kUrlSafe);
  if (name_end >= text.size() || text[name_end] != '=') return {};
  const auto name = chars::from(text, at + 1, name_end - at - 1);
  const bool known = std::any_of(kParameters.begin(), kParameters.end(), [&](std::string_view one) {
    return chars::equals_ignoring_case(one, name);
  });
  if (!known) return {};
  const auto begin = name_end + 1;
  auto end = begin;
  while (end < text.size() &&
         (is(text[end], chars::kUrlSafe | chars::kBase64 | chars::kDot | chars::kTilde) ||
          text[end] == '%'))
    ++end;
  const auto value = chars::from(text, begin, end - begin);
  const auto first = chars::from(value, 0, value.find_first_of("%.~"));
  const bool is_sas = name == "sig" && value.size() >= 43;  // match_sas_signature()
  if (is_sas || !is_random_value(first)) return {};
  return {begin, end, "url_secret", false};
}

}  // namespace observeai::agent
