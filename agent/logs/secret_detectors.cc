#include "agent/logs/secret_detectors.h"

#include <algorithm>
#include <array>
#include <string>

#include "agent/logs/secret_assignments.h"
#include "agent/logs/secret_commands.h"
#include "agent/logs/secret_headers.h"
#include "agent/logs/secret_statements.h"
#include "agent/logs/secret_tokens.h"
#include "agent/logs/secret_urls.h"
#include "agent/logs/secret_values.h"

namespace observeai::agent {
namespace chars {

std::size_t run_end(std::string_view text, std::size_t at, std::uint16_t classes) {
  while (at < text.size() && is(text[at], classes)) ++at;
  return at;
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace chars

namespace {

using namespace std::string_view_literals;
using chars::is;
using chars::run_end;

constexpr std::string_view kAlnumLower = "abcdefghijklmnopqrstuvwxyz0123456789";

// ---- matchers of their own; each gets the index of its anchor ----------------------------------

// header.payload.signature, each base64url; header and payload begin as JSON objects do.
SecretSpan match_jwt(std::string_view text, std::size_t at) {
  if (!text.substr(at).starts_with("eyJ") || (at > 0 && is(text[at - 1], chars::kUrlSafe)))
    return {};
  const auto header = run_end(text, at, chars::kUrlSafe);
  if (header - at < 10 || header + 4 >= text.size() || text[header] != '.' ||
      !text.substr(header + 1).starts_with("ey")) {
    return {};
  }
  auto end = run_end(text, header + 1, chars::kUrlSafe);
  if (end - header < 8) return {};
  if (end < text.size() && text[end] == '.')
    end = run_end(text, end + 1, chars::kUrlSafe | chars::kDot);
  return {at, end, "jwt", false};
}

// oal1.<host>.<port>.<code>.<key hash>, which lets a console in; the host may be an IPv6 address.
SecretSpan match_login(std::string_view text, std::size_t at) {
  constexpr std::size_t kMinBytes = 100;  // Code and key hash alone have 108
  constexpr std::size_t kMaxBytes = 512;
  if (text.compare(at, 5, "oal1.") != 0 || (at > 0 && is(text[at - 1], chars::kWord))) return {};
  auto end = at;
  const auto limit = std::min(text.size(), at + kMaxBytes);
  while (end < limit && (is(text[end], chars::kUrlSafe | chars::kDot) || text[end] == ':' ||
                         text[end] == '[' || text[end] == ']' || text[end] == '%')) {
    ++end;
  }
  return end - at < kMinBytes ? SecretSpan{} : SecretSpan{at, end, "observeai_login", false};
}

// Of PEM and of our key files: "RSA PRIVATE KEY", "OBSERVEAI ED25519 SECRET KEY".
std::size_t find_key_title(std::string_view title) {
  std::size_t found = std::string_view::npos;
  for (const auto words : {"PRIVATE KEY"sv, "SECRET KEY"sv, "PRIVATE%20KEY"sv, "PRIVATE+KEY"sv})
    found = std::min(found, title.find(words));
  return found;
}

// -----BEGIN … PRIVATE KEY----- to its END, or to the end of the text.
SecretSpan match_private_key(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxTitle = 64;
  constexpr auto kBegin = "-----BEGIN"sv;
  if (!text.substr(at).starts_with(kBegin)) return {};
  const auto title = chars::from(text, at + kBegin.size() + 1, kMaxTitle);
  const auto marker = find_key_title(title);
  if (marker == std::string_view::npos ||
      title.substr(0, marker).find("--") != std::string_view::npos)
    return {};
  constexpr auto kEnd = "-----END"sv;
  const auto end = text.find(kEnd, at + kBegin.size() + marker);
  if (end == std::string_view::npos) return {at, text.size(), "private_key", false};
  auto close = text.find("-----", end + kEnd.size());
  close = close == std::string_view::npos || close - end > kMaxTitle + 32 ? end + kEnd.size()
                                                                          : close + 5;
  return {at, close, "private_key", false};
}

// Password hashes as crypt(3) and htpasswd write them: $apr1$salt$hash, $2y$10$…, $6$salt$hash, $y$…,
// $argon2id$…, also with each '$' doubled as compose files need it.
SecretSpan match_crypt(std::string_view text, std::size_t at) {
  constexpr std::size_t kMinHash = 22;  // MD5, the shortest
  constexpr std::size_t kMaxBytes = 512;
  if (at > 0 && is(text[at - 1], chars::kWord)) return {};
  const auto limit = std::min(text.size(), at + kMaxBytes);
  std::size_t end = at;
  std::size_t part = at;
  std::size_t dollars = 0;
  for (; end < limit; ++end) {
    const char c = text[end];
    if (c == '$') {
      part = end + 1;
      ++dollars;
    } else if (!is(c, chars::kAlnum | chars::kDot) && c != '/' && c != '+' &&
               (end - at > 80 || (c != '=' && c != '-' && c != ','))) {
      break;
    }
  }
  const auto hash = text.substr(part, end - part);
  if (dollars < 3 || hash.size() < kMinHash) return {};
  return {at, end, "password_hash", false};
}

// -u user:password and --user user:password of curl and friends.
SecretSpan match_user_argument(std::string_view text, std::size_t at) {
  const auto rest = text.substr(at);
  std::size_t begin = 0;
  if (rest.starts_with(" -u ")) {
    begin = at + 4;
  } else if (rest.starts_with(" -su ") || rest.starts_with(" -ku ")) {
    begin = at + 5;
  } else if (rest.starts_with("--user ") || rest.starts_with("--user=")) {
    begin = at + 7;
  } else {
    return {};
  }
  if (begin < text.size() && (text[begin] == '"' || text[begin] == '\'')) ++begin;
  const auto end = credential_end(text, begin);
  const auto pair = text.substr(begin, end - begin);
  const auto colon = pair.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == pair.size() ||
      pair.substr(colon).starts_with("://") || pair.substr(colon).starts_with(":[REDACTED") ||
      pair.find_first_not_of("0123456789:") == std::string_view::npos) {
    return {};
  }
  return {begin + colon + 1, end, "password", false};
}

// 123456789:AA… of the Telegram bot API.
SecretSpan match_telegram(std::string_view text, std::size_t at) {
  if (!text.substr(at).starts_with(":AA")) return {};
  const auto end = run_end(text, at + 1, chars::kUrlSafe);
  if (end - at - 1 != 35) return {};
  std::size_t begin = at;
  while (begin > 0 && at - begin < 11 && is(text[begin - 1], chars::kDigit)) --begin;
  if (at - begin < 8 || at - begin > 10) return {};
  return {begin, end, "telegram_token", false};
}

// discord.com/api/webhooks/<id>/<token>
SecretSpan match_discord(std::string_view text, std::size_t at) {
  constexpr auto kPath = "/webhooks/"sv;
  constexpr std::size_t kMaxReach = 40;
  if (!text.substr(at).starts_with(kPath)) return {};
  const auto before = text.substr(at - std::min(at, kMaxReach), std::min(at, kMaxReach));
  if (before.find("discord") == std::string_view::npos) return {};
  const auto id_end = run_end(text, at + kPath.size(), chars::kDigit);
  if (id_end >= text.size() || text[id_end] != '/') return {};
  const auto end = run_end(text, id_end + 1, chars::kUrlSafe);
  if (end - id_end < 40) return {};
  return {id_end + 1, end, "discord_webhook", false};
}

// https://….webhook.office.com/webhookb2/<ids>/IncomingWebhook/<secret>/<id>
SecretSpan match_teams(std::string_view text, std::size_t at) {
  constexpr auto kPath = "/IncomingWebhook/"sv;
  constexpr std::size_t kSecretBytes = 32;
  if (!text.substr(at).starts_with(kPath)) return {};
  const auto begin = at + kPath.size();
  const auto end = run_end(text, begin, chars::kAlnum);
  if (end - begin < kSecretBytes) return {};
  return {begin, end, "teams_webhook", false};
}

using Matcher = SecretSpan (*)(std::string_view, std::size_t);
constexpr auto kMatchers = std::to_array<Matcher>(
    {match_assignment,    match_jwt,           match_private_key,  match_authorization,
     match_bearer,        match_cookie,        match_url_userinfo, match_dsn,
     match_user_argument, match_sas_signature, match_telegram,     match_discord,
     match_login,         match_oracle,        match_crypt,        match_teams,
     match_query,         match_escaped_url,   match_identified,   match_inserted,
     match_call,          match_command,       match_foreign_name, match_auth_command});
enum MatcherTag : std::uint16_t {
  kAssignment,
  kJwt,
  kPrivateKey,
  kAuthorization,
  kBearer,
  kCookie,
  kUrl,
  kDsn,
  kUserArgument,
  kSas,
  kTelegram,
  kDiscord,
  kLogin,
  kOracle,
  kCrypt,
  kTeams,
  kQuery,
  kEscapedUrl,
  kIdentified,
  kInserted,
  kCall,
  kCommand,
  kForeignName,
  kAuthCommand
};
constexpr std::uint16_t kFirstToken = 100;  // Tags from here on are those of secret_tokens.h
static_assert(kMatchers.size() == kAuthCommand + 1 && kMatchers.size() <= kFirstToken);

void add_with_any_alnum(SecretPrefilter& filter, std::string_view before, std::string_view after,
                        std::uint16_t tag, std::string_view alphabet) {
  for (const char c : alphabet) filter.add(std::string(before) + c + std::string(after), tag);
}

}  // namespace

bool opens_key_block(std::string_view text) {
  const auto begin = text.rfind("-----BEGIN ");
  if (begin == std::string_view::npos) return false;
  return find_key_title(text.substr(begin)) != std::string_view::npos &&
         text.substr(begin).find("-----END ") == std::string_view::npos;
}

void add_secret_anchors(SecretPrefilter& filter) {
  add_assignment_anchors(filter, kAssignment);
  add_with_any_alnum(filter, "eyJ", "", kJwt, "hijklmnopqrstuvwxyz0123456");  // {"a … {"z
  filter.add("eyAi", kJwt);
  filter.add("eyJc", kJwt);  // {"\ of an escaped key
  filter.add("----", kPrivateKey);
  filter.add("oriz", kAuthorization);
  filter.add("eare", kBearer);
  filter.add("ooki", kCookie);
  add_with_any_alnum(filter, "", "://", kUrl, kAlnumLower);
  filter.add("@tcp", kDsn);
  filter.add("@uni", kDsn);
  filter.add(" -u ", kUserArgument);
  filter.add(" -su", kUserArgument);
  filter.add(" -ku", kUserArgument);
  filter.add("--us", kUserArgument);
  filter.add("sig=", kSas);
  add_with_any_alnum(filter, ":aa", "", kTelegram, "abcdefghijklmnopqrstuvwxyz0123456789-_");
  filter.add("/web", kDiscord);
  filter.add("oal1", kLogin);
  filter.add(":ora", kOracle);
  for (const auto anchor :
       {"$apr"sv, "$2a$"sv, "$2b$"sv, "$2y$"sv, "$arg"sv, "$$2a"sv, "$$2b"sv, "$$2y"sv}) {
    filter.add(anchor, kCrypt);
  }
  for (const auto anchor : {"$1$"sv, "$5$"sv, "$6$"sv, "$y$"sv, "$7$"sv}) {
    add_with_any_alnum(filter, anchor, "", kCrypt, "abcdefghijklmnopqrstuvwxyz0123456789./$");
  }
  filter.add("/inc", kTeams);
  add_query_anchors(filter, kQuery);
  filter.add(":\\/\\", kEscapedUrl);
  filter.add(":\\\\/", kEscapedUrl);
  filter.add("3a%2", kEscapedUrl);
  filter.add("ifie", kIdentified);
  filter.add("valu", kInserted);
  add_call_anchors(filter, kCall);
  add_command_anchors(filter, kCommand);
  add_foreign_anchors(filter, kForeignName);
  filter.add("uth ", kAuthCommand);
  filter.add("uth\"", kAuthCommand);
  add_token_anchors(filter, kFirstToken);
}

SecretSpan match_secret(std::uint16_t tag, std::string_view text, std::size_t at) {
  if (tag >= kFirstToken) return match_token(tag - kFirstToken, text, at);
  return kMatchers[tag](text, at);
}

}  // namespace observeai::agent
