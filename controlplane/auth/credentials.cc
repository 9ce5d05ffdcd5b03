#include "controlplane/auth/credentials.h"

#include "protocol/base/id.h"
#include "protocol/base/text.h"

namespace observeai::controlplane {
namespace {

constexpr std::string_view kKeyPrefix = "oak1_";
constexpr std::string_view kLoginPrefix = "oal1.";
constexpr std::size_t kMaxHostBytes = 253;

bool is_secret(std::string_view text) {
  const auto bytes = text::from_base64url(text);
  return bytes && bytes->size() == kSecretBytes;
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= kMaxHostBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == ':' || c == '_';
         });
}

// Cuts the part after the last dot off `text`.
std::string_view take_last(std::string_view& text) {
  const auto dot = text.rfind('.');
  if (dot == std::string_view::npos) return std::exchange(text, {});
  const auto last = text.substr(dot + 1);
  text = text.substr(0, dot);
  return last;
}

}  // namespace

std::string format_api_key(const ApiKeyText& key) {
  return std::string(kKeyPrefix) + key.id + "_" + key.secret;
}

Result<ApiKeyText> parse_api_key(std::string_view text) {
  const Error wrong(Errc::kInvalid, "not an API key: it must look like oak1_<id>_<secret>");
  if (!text.starts_with(kKeyPrefix)) return wrong;
  text.remove_prefix(kKeyPrefix.size());
  const auto end = text.find('_');  // Not in an id, but it may be in the secret.
  if (end == std::string_view::npos) return wrong;
  ApiKeyText key{std::string(text.substr(0, end)), std::string(text.substr(end + 1))};
  if (!is_valid_id(key.id) || !is_secret(key.secret)) return wrong;
  return key;
}

std::string format_login(const LoginText& login) {
  return std::string(kLoginPrefix) + login.host + "." + std::to_string(login.port) + "." +
         login.code + "." + login.spki_sha256;
}

Result<LoginText> parse_login(std::string_view text) {
  const Error wrong(
      Errc::kInvalid,
      "not a login text: it must look like oal1.<host>.<port>.<code>.<key>; copy it whole");
  if (!text.starts_with(kLoginPrefix)) return wrong;
  text.remove_prefix(kLoginPrefix.size());
  LoginText login;
  login.spki_sha256 = take_last(text);
  login.code = take_last(text);
  const auto port = text::parse_u64(take_last(text));
  login.host = text;
  const auto pin = text::from_hex(login.spki_sha256);
  if (!pin || pin->size() != 32 || !is_secret(login.code) || !port || *port == 0 || *port > 65535 ||
      !is_host(login.host)) {
    return wrong;
  }
  login.port = static_cast<std::uint16_t>(*port);
  return login;
}

}  // namespace observeai::controlplane
