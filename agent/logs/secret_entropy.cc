#include "agent/logs/secret_entropy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

namespace observeai::agent {
namespace {

using namespace std::string_view_literals;
using chars::is;
using chars::run_end;

constexpr std::size_t kMinRandom = 40;
constexpr std::size_t kMaxRandom = 128;  // Longer is data
constexpr std::size_t kPemLine = 64;
constexpr std::size_t kMimeLine = 76;

struct Mixture {
  std::size_t upper = 0;
  std::size_t lower = 0;
  std::size_t digits = 0;
  std::size_t changes = 0;  // Of class, between neighbours
  std::size_t distinct = 0;
};

Mixture mixture_of(std::string_view value) {
  Mixture m;
  std::array<std::uint64_t, 4> seen{};
  int before = -1;
  for (const char c : value) {
    const int kind = is(c, chars::kUpper)   ? 0
                     : is(c, chars::kLower) ? 1
                     : is(c, chars::kDigit) ? 2
                                            : 3;
    m.upper += kind == 0 ? 1 : 0;
    m.lower += kind == 1 ? 1 : 0;
    m.digits += kind == 2 ? 1 : 0;
    m.changes += before >= 0 && kind != before ? 1 : 0;
    before = kind;
    const auto byte = static_cast<unsigned char>(c);
    seen[byte / 64] |= std::uint64_t{1} << byte % 64;
  }
  for (const auto part : seen) m.distinct += static_cast<std::size_t>(std::popcount(part));
  return m;
}

// Most long runs are paths, names and hashes, in which one kind of character is missing.
bool may_be_random(std::string_view value) {
  std::uint16_t seen = 0;
  for (const char c : value) seen |= chars::kClasses[static_cast<unsigned char>(c)];
  constexpr std::uint16_t kAll = chars::kDigit | chars::kUpper | chars::kLower;
  return (seen & kAll) == kAll;
}

// Platform-Update-Win7-SRV08-Package: at least three parts are capitalised words.
bool is_dashed_words(std::string_view value) {
  std::size_t words = 0;
  for (std::size_t at = 0; at < value.size();) {
    const auto end = run_end(value, at, chars::kAlnum);
    const auto part = value.substr(at, end - at);
    words += part.size() >= 4 && is(part[0], chars::kUpper) &&
                     run_end(part, 1, chars::kLower) == part.size()
                 ? 1
                 : 0;
    at = end + 1;
  }
  return words >= 3;
}

// GPU-c7e425ef-5d97-43f8-ad11-ba896a380f54 is an id as the UUID alone is.
bool ends_with_uuid(std::string_view value) {
  constexpr std::size_t kUuid = 36;
  if (value.size() < kUuid) return false;
  const auto uuid = value.substr(value.size() - kUuid);
  return run_end(uuid, 0, chars::kHexLower | chars::kDash) == kUuid && uuid[8] == '-' &&
         uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-';
}

// Of random characters from base64 62 of 100 neighbours differ in class, in words and names under 30.
bool is_random_token(std::string_view value) {
  if (value.size() < kMinRandom || value.size() > kMaxRandom || !may_be_random(value)) return false;
  const auto m = mixture_of(value);
  if (m.upper < 3 || m.lower < 3 || m.digits < 2 || m.distinct < 20) return false;
  if (m.changes * 100 < 42 * (value.size() - 1)) return false;
  // Lines of PEM and MIME have these lengths.
  const bool is_line = (value.size() == kPemLine || value.size() == kMimeLine) &&
                       value.find_first_of("-_") == std::string_view::npos;
  return !is_line && !is_dashed_words(value) && !ends_with_uuid(value);
}

// Beginnings of public data: digests, DER, SSH keys, images, archives.
constexpr auto kPublicBeginnings = std::to_array<std::string_view>(
    {"sha1-", "sha256-", "sha384-", "sha512-", "MII", "AAAA", "iVBOR", "/9j/", "PHN2", "R0lGOD",
     "UklGR", "H4sI", "JVBER", "_Z"});
// Names whose values are public, in lower case without '_', '-' and '.'; the first six as a whole.
constexpr auto kPublicNames =
    std::to_array<std::string_view>({"x",         "y",           "n",
                                     "h1",        "peer",        "ipfs",
                                     "sha1",      "sha",         "sha256",
                                     "sha384",    "sha512",      "md5",
                                     "digest",    "integrity",   "etag",
                                     "match",     "base64",      "fingerprint",
                                     "checksum",  "hash",        "id",
                                     "cert",      "certificate", "publickey",
                                     "pubkey",    "cursor",      "continuation",
                                     "pagetoken", "nexttoken",   "continuationtoken",
                                     "synctoken", "resumetoken"});
constexpr std::size_t kWholeNames = 6;

// The name that stands before a value at `at`: name=, "name":, name:
std::string name_before(std::string_view text, std::size_t at) {
  constexpr std::size_t kMaxBetween = 8;
  constexpr std::size_t kMaxName = 40;
  auto end = at;
  while (end > 0 && at - end < kMaxBetween &&
         " \t\"'\\=:,[({<"sv.find(text[end - 1]) != std::string_view::npos)
    --end;
  auto begin = end;
  while (begin > 0 && end - begin < kMaxName && is(text[begin - 1], chars::kUrlSafe | chars::kDot))
    --begin;
  // "public key: x"
  constexpr auto kPublic = "public "sv;
  if (begin >= kPublic.size() &&
      chars::equals_ignoring_case(text.substr(begin - kPublic.size(), kPublic.size()), kPublic)) {
    begin -= kPublic.size();
  }
  std::string name;
  for (const char c : text.substr(begin, end - begin)) {
    if (is(c, chars::kAlnum)) name.push_back(chars::lower(c));
  }
  // "x-amz-id-2"
  while (name.size() > 3 && !name.ends_with("1") && is(name.back(), chars::kDigit) &&
         name[name.size() - 2] == 'd') {
    name.pop_back();
  }
  return name;
}

bool has_public_name(std::string_view text, std::size_t begin) {
  const auto name = name_before(text, begin);
  for (std::size_t i = 0; i < kPublicNames.size(); ++i) {
    if (i < kWholeNames ? name == kPublicNames[i] : name.ends_with(kPublicNames[i])) return true;
  }
  return false;
}

bool is_hex(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return is(c, chars::kHexLower); });
}

// Takes "<count bytes of `classes`>" off the front.
bool take(std::string_view& rest, std::uint16_t classes, std::size_t min, std::size_t max) {
  const auto end = run_end(rest, 0, classes);
  if (end < min || end > max) return false;
  rest.remove_prefix(end);
  return true;
}
bool take(std::string_view& rest, char c) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

// <32 hex>-<8 hex>-<8 hex>
bool is_mailgun(std::string_view rest) {
  return take(rest, chars::kHexLower, 32, 32) && take(rest, '-') &&
         take(rest, chars::kHexLower, 8, 8) && take(rest, '-') &&
         take(rest, chars::kHexLower, 8, 8) && rest.empty();
}
// <user id in base64>.<time>.<signature>
bool is_discord(std::string_view rest) {
  if (rest.empty() || (rest[0] != 'M' && rest[0] != 'N' && rest[0] != 'O')) return false;
  const auto whole = rest;
  return take(rest, chars::kAlnum, 23, 28) && take(rest, '.') &&
         take(rest, chars::kUrlSafe, 6, 6) && take(rest, '.') &&
         take(rest, chars::kUrlSafe, 27, 40) && rest.empty() && mixture_of(whole).upper >= 3;
}
// pat<14>.<64 hex>
bool is_airtable(std::string_view rest) {
  return rest.starts_with("pat") && take(rest, chars::kAlnum, 17, 17) && take(rest, '.') &&
         take(rest, chars::kHexLower, 64, 64) && rest.empty();
}
bool is_twilio(std::string_view rest) {
  return rest.size() == 34 && rest.starts_with("SK") && is_hex(rest.substr(2));
}

// Cheap: by length and first byte.
bool may_have_shape(std::string_view piece) {
  const auto n = piece.size();
  return (n == 34 && piece[0] == 'S') || (n == 50 && piece[32] == '-') ||
         (n == 82 && piece[0] == 'p') || (n >= 58 && n <= 76 && piece[0] >= 'M' && piece[0] <= 'O');
}

SecretSpan shaped_piece(std::string_view text, std::size_t begin, std::size_t end) {
  const auto piece = text.substr(begin, end - begin);
  if (!may_have_shape(piece)) return {};
  if (is_twilio(piece)) return {begin, end, "twilio_key", false};
  if (is_mailgun(piece)) return {begin, end, "mailgun_key", false};
  if (is_discord(piece)) return {begin, end, "discord_token", false};
  if (is_airtable(piece)) return {begin, end, "airtable_token", false};
  return {};
}

SecretSpan random_piece(std::string_view text, std::size_t begin, std::size_t end) {
  const auto piece = text.substr(begin, end - begin);
  if (!is_random_token(piece) || has_public_name(text, begin)) return {};
  return {begin, end, kRandomKind, false};
}

bool is_public_data(std::string_view value) {
  return std::any_of(kPublicBeginnings.begin(), kPublicBeginnings.end(),
                     [&](std::string_view beginning) { return value.starts_with(beginning); });
}

// The parts of a path or of a list, between '/', '+' and '='.
SecretSpan judge_parts(std::string_view text, std::size_t begin, std::size_t end, bool is_path) {
  for (std::size_t at = begin; at < end;) {
    const auto part_end = std::min(run_end(text, at, kRunClass & ~chars::kBase64), end);
    if (part_end - at >= kMinRun) {
      if (const auto found = shaped_piece(text, at, part_end)) return found;
      if (is_path) {
        if (const auto found = random_piece(text, at, part_end)) return found;
      }
    }
    at = part_end + 1;
  }
  return {};
}

// The secret in a maximal run, if there is one.
SecretSpan judge_run(std::string_view text, std::size_t begin, std::size_t end) {
  // The letter of a literal "\n" belongs to no token.
  if (begin > 0 && text[begin - 1] == '\\') ++begin;
  while (end > begin && text[end - 1] == '.') --end;
  // Behind name=; '=' at the end is padding.
  auto padding = end;
  while (padding > begin && text[padding - 1] == '=') --padding;
  const auto equals = text.substr(begin, padding - begin).rfind('=');
  if (equals != std::string_view::npos) begin += equals + 1;
  if (end - begin < kMinRun || is_public_data(text.substr(begin, end - begin))) return {};
  const bool is_path = text[begin] == '/';
  // Of a certificate one line in 64 begins with '/'.
  if (is_path && (end - begin == kPemLine || has_public_name(text, begin))) return {};
  if (const auto found = judge_parts(text, begin, end, is_path)) return found;
  return is_path ? SecretSpan{} : random_piece(text, begin, end);
}

}  // namespace

SecretSpan next_random_run(std::string_view text, std::size_t from) {
  auto begin = from;  // No run that matters begins before
  while (begin + kMinRun <= text.size()) {
    // Backwards from the last byte that a run from `begin` must have.
    auto at = begin + kMinRun;
    while (at > begin && is(text[at - 1], kRunClass)) --at;
    if (at > begin) {
      begin = at;
      continue;
    }
    const auto end = run_end(text.substr(0, begin + kMaxRun), begin + kMinRun, kRunClass);
    if (const auto found = judge_run(text, begin, end)) return found;
    begin = end + 1;
  }
  return {};
}

bool is_random_value(std::string_view value) {
  constexpr std::size_t kMin = 16;
  constexpr std::size_t kUuidDashes = 4;
  if (value.size() < kMin) return false;
  if (!std::all_of(value.begin(), value.end(),
                   [](char c) { return is(c, chars::kUrlSafe | chars::kBase64); }))
    return false;
  if (std::count(value.begin(), value.end(), '-') == kUuidDashes && value.size() == 36)
    return false;
  const auto m = mixture_of(value);
  return m.digits * 10 >= value.size() / 2 && m.upper + m.lower >= 3 && m.distinct >= 8 &&
         m.changes * 100 >= 25 * (value.size() - 1);
}

}  // namespace observeai::agent
