#include "agent/logs/secret_names.h"

#include <algorithm>
#include <array>
#include <span>

namespace observeai::agent {
namespace {

constexpr auto kKeyWords = std::to_array<KeyWord>({
    {"secretaccesskey", "aws_secret_access_key"},
    {"password", "password"},
    {"passwd", "password"},
    {"pwd", "password"},
    {"passphrase", "password"},
    {"passcode", "password"},
    {"passwordhash", "password"},
    {"passwordconfirmation", "password"},
    {"confirmpassword", "password"},
    {"psk", "password"},
    {"bindpw", "password"},
    {"rootpw", "password"},
    {"pincode", "password"},
    {"adminpw", "password"},
    {"userpw", "password"},
    {"passwort", "password"},
    {"kennwort", "password"},
    {"contrasena", "password"},
    {"motdepasse", "password"},
    {"senha", "password"},
    {"wachtwoord", "password"},
    {"pass", "password"},
    {"masterauth", "password"},
    {"auth", "auth"},
    {"authpass", "password"},
    {"artapi", "api_key"},
    {"cvv", "card_code"},
    {"cvc", "card_code"},
    {"otp", "one_time_code"},
    {"sessionid", "session_id"},
    {"phpsessid", "session_id"},
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
    {"jwtkey", "private_key"},
    {"secretkeybase", "secret"},
    {"credential", "credential"},
    {"credentials", "credential"},
    // Judged by their values.
    {"key", kRandomKind},
    {"hmac", kRandomKind},
    {"salt", kRandomKind},
    {"seed", kRandomKind},
    {"recoverycode", kRandomKind},
    {"backupcode", kRandomKind},
});

// Identifiers that end in "key" and find something.
constexpr auto kHarmlessKeys = std::to_array<std::string_view>(
    {"cache",  "sort",    "partition", "routing", "idempotency", "primary", "foreign",
     "public", "pub",     "object",    "row",     "shard",       "group",   "hash",
     "event",  "message", "dedup",     "s3",      "join",        "index",   "lookup",
     "unique", "map",     "host",      "i18n",    "range",       "tag",     "lock",
     "issue",  "build",   "job",       "task",    "queue",       "record",  "storagepath"});

// Identifiers that end in "token" and say where to read on, or are vocabulary of language models.
constexpr auto kHarmlessTokens = std::to_array<std::string_view>(
    {"page",  "next",   "cursor",       "continuation", "continue", "resume", "sync",
     "eos",   "bos",    "pad",          "unk",          "sep",      "cls",    "mask",
     "stop",  "cancel", "cancellation", "fencing",      "per",      "start",  "end",
     "first", "last",   "max",          "unexpected"});

// Identifiers that end in "pass" and count, rate or name something.
constexpr auto kHarmlessPasses = std::to_array<std::string_view>(
    {"by",    "kee",    "com",          "tres",  "sur",      "over",  "under", "first", "second",
     "third", "one",    "two",          "three", "single",   "multi", "last",  "high",  "low",
     "band",  "render", "shadow",       "test",  "tests",    "build", "lint",  "check", "checks",
     "num",   "per",    "optimization", "opt",   "compiler", "must",  "did",   "will",  "can"});

bool ends_with_any(std::string_view stem, std::span<const std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return stem.ends_with(word); });
}

}  // namespace

std::string normalized_key(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (chars::is(c, chars::kAlnum)) out.push_back(chars::lower(c));
  }
  while (!out.empty() && chars::is(out.back(), chars::kDigit)) out.pop_back();  // password2
  return out;
}

const KeyWord* find_key_word(const std::string& key) {
  const KeyWord* best = nullptr;
  for (const auto& word : kKeyWords) {
    if (key.ends_with(word.ending) &&
        (best == nullptr || word.ending.size() > best->ending.size())) {
      best = &word;
    }
  }
  if (best == nullptr) return nullptr;
  const auto stem = std::string_view(key).substr(0, key.size() - best->ending.size());
  if (best->kind == "token" && ends_with_any(stem, kHarmlessTokens)) return nullptr;
  if (best->ending == "pass" && ends_with_any(stem, kHarmlessPasses)) return nullptr;
  // "key" alone finds something more often than it opens.
  if (best->ending == "key" && (stem.empty() || ends_with_any(stem, kHarmlessKeys))) return nullptr;
  return best;
}

}  // namespace observeai::agent
