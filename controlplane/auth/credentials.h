// The text forms of API keys and login codes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::controlplane {

inline constexpr std::size_t kSecretBytes = 32;

struct ApiKeyText {
  std::string id;      // [a-z0-9-]{1,64}
  std::string secret;  // 43 characters base64url
};
// "oak1_<id>_<secret>"
std::string format_api_key(const ApiKeyText& key);
// kInvalid; the message never repeats the text.
Result<ApiKeyText> parse_api_key(std::string_view text);

// All that a console needs to find, know and enter a control plane.
struct LoginText {
  std::string host;
  std::uint16_t port = 0;
  std::string code;         // 43 characters base64url
  std::string spki_sha256;  // 64 lower-case hex digits: the server's key
};
// "oal1.<host>.<port>.<code>.<spki sha256>"; the host may hold dots and colons.
std::string format_login(const LoginText& login);
Result<LoginText> parse_login(std::string_view text);

}  // namespace observeai::controlplane
