#include "agent/logs/secret_assignments.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "agent/logs/secret_entropy.h"
#include "agent/logs/secret_fields.h"
#include "agent/logs/secret_names.h"
#include "agent/logs/secret_tokens.h"
#include "agent/logs/secret_values.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kMaxKeyReach = 64;  // To each side of the anchor

bool is_key_char(char c) {
  return chars::is(c, chars::kUrlSafe | chars::kDot);
}

bool is_digits(std::string_view value, std::size_t min, std::size_t max) {
  return value.size() >= min && value.size() <= max &&
         chars::run_end(value, 0, chars::kDigit) == value.size();
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
  if (word.kind == "card_code") return is_digits(content, 3, 4);
  if (word.kind == "one_time_code") return is_digits(content, 6, 8);
  if (word.kind == "auth") return has_random_part(content, 8);
  if (word.kind == "session_id") {
    return content.size() >= 16 && !content.starts_with("0x") && has_any(content, chars::kDigit) &&
           has_any(content, chars::kUpper | chars::kLower);
  }
  return true;
}

// A value that nothing but blanks separates from its name, or only an arrow, bar or "is".
bool is_plausible_in_prose(const KeyWord& word, std::string_view content, Separator separator) {
  const bool password = word.kind == "password";
  if (separator == Separator::kWeak)
    return password ? looks_like_password(content) : is_random_value(content);
  if (word.kind == kRandomKind || word.kind == "auth") return false;
  const bool is_random =
      is_random_value(content) && content.find_first_of("-.") == std::string_view::npos;
  return is_random || (password && looks_generated(content));
}

// ALTER ROLE app PASSWORD 'x'; create user app with password 'x'.
bool is_clause(std::string_view text, const KeyPlace& key) {
  const auto name = chars::from(text, key.begin, key.end - key.begin);
  if (name == "PASSWORD") return true;
  constexpr std::string_view kWith = "with ";
  return key.begin >= kWith.size() &&
         chars::equals_ignoring_case(chars::from(text, key.begin - kWith.size(), kWith.size()),
                                     kWith);
}

// "API key: x", "Unseal Key 1: x": "key" says something with the word before it only.
std::string with_word_before(std::string_view text, KeyPlace& key) {
  auto begin = key.begin - 1;
  while (begin > 0 && key.begin - begin < 16 && chars::is(text[begin - 1], chars::kAlnum)) --begin;
  auto name = normalized_key(chars::from(text, begin, key.begin - 1 - begin));
  constexpr auto kWords =
      std::to_array<std::string_view>({"api", "access", "encryption", "secret", "private",
                                       "signing", "master", "account", "unseal", "recovery"});
  if (std::find(kWords.begin(), kWords.end(), name) == kWords.end()) return {};
  key.begin = begin;
  if (name == "unseal" && key.end + 2 < text.size() && text[key.end] == ' ' &&
      chars::is(text[key.end + 1], chars::kDigit)) {
    key.end += 2;
  }
  return (name == "unseal" || name == "recovery" ? "secret" : name) + "key";
}

// "A temporary password is generated for root@localhost: x": what ends the line behind a name.
SecretSpan match_announced(std::string_view text, const KeyPlace& key) {
  constexpr std::size_t kReach = 120;
  // elasticsearch-setup-passwords: "PASSWORD elastic = x"
  if (chars::from(text, key.begin, key.end - key.begin) == "PASSWORD" &&
      chars::from(text, key.end).starts_with(' ')) {
    const auto name_end = chars::run_end(text, key.end + 1, chars::kWord);
    const auto at = name_end + 3;
    if (name_end > key.end + 1 && chars::from(text, name_end, 3) == " = ") {
      const auto end = unquoted_end(text, at);
      if (looks_like_password(chars::from(text, at, end - at))) return {at, end, "password", false};
    }
  }
  const auto rest = chars::from(text, key.end, kReach);
  if (!rest.starts_with(' ')) return {};
  const auto line = rest.substr(0, rest.find('\n'));
  const auto colon = line.rfind(": ");
  if (colon == std::string_view::npos) return {};
  const auto value = key.end + colon + 2;
  const auto end = std::min(text.find_first_of(" \t\r\n\"'", value), text.size());
  const bool is_last = end == text.size() || text[end] != ' ';
  const auto content = text.substr(value, end - value);
  if (!is_last || content.size() < 8 || !looks_like_password(content)) return {};
  const auto begin = key.begin - std::min<std::size_t>(key.begin, 24);
  const auto said = text.substr(begin, value - begin);
  const bool is_new = said.find("generated") != std::string_view::npos ||
                      said.find("emporary") != std::string_view::npos ||
                      said.find("reset") != std::string_view::npos;
  return is_new ? SecretSpan{value, end, "password", false} : SecretSpan{};
}

// Where the value that begins at `value` ends.
std::size_t value_end_of(std::string_view text, std::size_t value, Separator separator,
                         const Quote& quote) {
  if (separator == Separator::kTag) return std::min(text.find('<', value), text.size());
  if (quote.mark != 0) return quoted_end(text, value, quote);
  if (separator == Separator::kEncoded)
    return unquoted_end(text.substr(0, encoded_end(text, value)), value);
  return unquoted_end(text, value);
}

// "usage: login <token> [options]", "--token TOKEN", {"a-secret" : secret "b" missing}.
bool is_description(std::string_view text, const KeyPlace& key, Separator separator,
                    std::size_t value_end, std::string_view content, bool quoted) {
  const bool is_punctuated =
      std::string_view(" ,.;:)]\"'").find(content[0]) != std::string_view::npos;
  if (separator == Separator::kTag && is_punctuated &&
      !chars::from(text, value_end).starts_with("</"))
    return true;
  if (key.is_flag && separator == Separator::kBlank) {
    const auto upper = chars::run_end(content, 0, chars::kUpper | chars::kUnderscore);
    if (upper == content.size() || content[upper] == ']') return true;
  }
  auto behind = key.end;
  take_quote(text, behind);
  return key.is_quoted && !quoted && chars::from(text, behind).starts_with(' ') &&
         looks_like_words(content);
}

// Lower case; upper case differs in the first letter, before the anchor.
struct ForeignName {
  std::string_view name;
  std::size_t anchor;
};
constexpr auto kForeignNames = std::to_array<ForeignName>(
    {{"\u0430\u0440\u043e\u043b\u044c", 1},  // парoль without its first letter
     {"\u5bc6\u7801", 0},                    // Chinese, simplified
     {"\u5bc6\u78bc", 0},                    // Chinese, traditional
     {"\u30d1\u30b9\u30ef\u30fc\u30c9", 4},  // Japanese
     {"\ube44\ubc00\ubc88\ud638", 0},        // Korean
     {"contrase\u00f1a", 6},
     {"has\u0142o", 0},
     {"l\u00f6senord", 3}});

bool is_directive_key(std::string_view key) {
  return key == "requirepass" || key == "masterauth" || key == "secretaccesskey" ||
         key == "awssecretaccesskey" || key == "npmauthtoken" || key == "authpass";
}

// The value of a name that says `word`.
SecretSpan match_value(std::string_view text, const KeyPlace& place, const std::string& key,
                       const KeyWord& word, bool is_directive) {
  std::size_t value = place.end;
  auto separator = take_separator(text, place, value);
  if (separator == Separator::kNone || value >= text.size()) return {};
  if (text[value] == '[') value = skip_blanks(text, value + 1);
  const bool is_object =
      separator == Separator::kColon && value < text.size() && text[value] == '{';
  if (is_object && !enter_value_member(text, value)) return {};  // Its members have their own keys
  value = skip_wrapper(text, value);
  const Quote quote = take_quote(text, value);
  const bool quoted = quote.mark != 0;
  if (chars::from(text, value).starts_with("-----BEGIN ")) return {};  // A detector of its own
  value = skip_scheme(text, value);
  auto value_end = value_end_of(text, value, separator, quote);
  const auto content = chars::from(text, value, value_end - value);
  if (content.size() > kMaxJudgedValue) return {value, value_end, word.kind, false};
  const auto key_text = chars::from(text, place.begin, place.end - place.begin);
  const bool is_working_directory = (key == "pwd" || key == "oldpwd") && content.starts_with('/');
  if (is_working_directory || is_placeholder(content) || is_path(content)) return {};
  if (!quoted && is_reference(content)) return {};
  if (!has_word_byte(content) && content.size() < 4) return {};
  if (is_description(text, place, separator, value_end, content, quoted)) return {};
  const bool password = word.kind == "password";
  const bool in_prose = separator == Separator::kWeak || separator == Separator::kProse;
  if (in_prose && !(quoted && password && is_clause(text, place)) &&
      !is_plausible_in_prose(word, content, separator)) {
    return {};
  }
  if (separator == Separator::kBlank && !is_directive &&
      (content.starts_with('-') || content.size() < 4)) {
    return {};
  }
  const bool prose = separator == Separator::kColon && !quoted && !place.is_quoted;
  if (!is_plausible(word, key_text, content, quoted, prose)) return {};
  const bool is_code = word.kind == "card_code" || word.kind == "one_time_code";
  if (prose && !password && !is_code && key == word.ending &&
      (content.size() < 8 || looks_like_words(content)))
    return {};
  // "arn:…:secret:name"
  const bool in_path = prose && !password && place.begin > 0 && text[place.begin - 1] == ':' &&
                       value == place.end + 1;
  if (in_path && !is_random_value(content)) return {};
  if (prose && !has_word_byte(content)) return {};
  if (separator == Separator::kBlank && !password && looks_like_words(content)) return {};
  if (separator == Separator::kProse) {
    if (const auto token = token_at(text, value)) return token;
  }
  const bool is_phrase = word.ending == "passphrase" && !quoted && separator != Separator::kBlank &&
                         looks_like_words(content);
  if (is_phrase) value_end = phrase_end(text, value_end);
  return {value, value_end, word.kind, false};
}

}  // namespace

void add_assignment_anchors(SecretPrefilter& filter, std::uint16_t tag) {
  for (const std::string_view anchor :
       {"assw",  "assp",  "assc",  "pwd=",  "pwd:",  "pwd\"", "pwd'",  "pwd ",  "pwd\\", "pwd>",
        "ecre",  "oken",  "pike",  "i_ke",  "i-ke",  "i.ke",  "sske",  "s_ke",  "s-ke",  "ntke",
        "t_ke",  "t-ke",  "teke",  "e_ke",  "e-ke",  "ngke",  "g_ke",  "g-ke",  "onke",  "n_ke",
        "n-ke",  "erke",  "r_ke",  "r-ke",  "rede",  "ass=",  "ass:",  "ass\"", "ass'",  "ass ",
        "ass>",  "ass\\", "ass|",  "ass\t", "ass%",  "uth=",  "uth:",  "uth\"", "uth'",  "uth ",
        "uth\\", "uth%",  "wtke",  "wt_k",  "wt-k",  "onid",  "on_i",  "on-i",  "ssid",  "pwd%",
        "pwd|",  "key=",  "key:",  "key\"", "key'",  "key ",  "key>",  "key\\", "key%",  "hmac",
        "salt",  "seed",  "ycod",  "y_co",  "y-co",  "pcod",  "p_co",  "p-co",  "psk=",  "psk:",
        "psk ",  "psk\\", "psk&",  "t-ap",  "cvv=",  "cvv:",  "cvv\"", "cvv'",  "cvv\\", "cvv2",
        "cvc=",  "cvc:",  "cvc\"", "cvc'",  "cvc\\", "otp=",  "otp:",  "otp\"", "psk\"", "psk'",
        "ndpw",  "otpw",  "inpw",  "serp",  "nwor",  "rase",  "epas",  "enha",  "twoo",  "th-p",
        "e_pa",  "pinc",  "pin_",  "pwd&",  "pwd*"}) {
    filter.add(anchor, tag);
  }
}

void add_foreign_anchors(SecretPrefilter& filter, std::uint16_t tag) {
  for (const auto& word : kForeignNames) filter.add(chars::from(word.name, word.anchor), tag);
}

SecretSpan match_foreign_name(std::string_view text, std::size_t at) {
  for (const auto& word : kForeignNames) {
    if (at < word.anchor || chars::from(text, at - word.anchor, word.name.size()) != word.name)
      continue;
    KeyPlace place{at - word.anchor, at - word.anchor + word.name.size()};
    place.is_quoted = place.begin > 0 && place.end < text.size() &&
                      (text[place.begin - 1] == '"' || text[place.begin - 1] == '\'');
    const KeyWord password{"password", "password"};
    return match_value(text, place, "password", password, false);
  }
  return {};
}

SecretSpan match_assignment(std::string_view text, std::size_t at) {
  KeyPlace place{at, at};
  while (place.begin > 0 && at - place.begin < kMaxKeyReach && is_key_char(text[place.begin - 1]))
    --place.begin;
  while (place.end < text.size() && place.end - at < kMaxKeyReach && is_key_char(text[place.end]))
    ++place.end;
  const auto key_text = chars::from(text, place.begin, place.end - place.begin);
  auto key = normalized_key(key_text);
  if (key == "key" && place.begin > 1 && text[place.begin - 1] == ' ')
    key = with_word_before(text, place);
  const KeyWord* word = find_key_word(key);
  if (word == nullptr) return {};

  // "requirepass x" and "masterauth x" of redis.conf are written without a separator.
  const bool is_directive = is_directive_key(key);
  place.is_flag = key_text.starts_with('-') || is_directive;
  place.is_tag = place.begin > 0 && text[place.begin - 1] == '<';
  std::size_t behind = place.end;
  const bool begins_quoted =
      place.begin > 0 && (text[place.begin - 1] == '"' || text[place.begin - 1] == '\'');
  place.is_quoted = begins_quoted && take_quote(text, behind).mark != 0;
  if (auto found = match_value(text, place, key, *word, is_directive)) return found;
  return word->kind == "password" ? match_announced(text, place) : SecretSpan{};
}

}  // namespace observeai::agent
