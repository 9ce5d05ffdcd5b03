#include "protocol/pki/enrollment_token.h"

#include "protocol/base/text.h"
#include "protocol/pki/private_key.h"

namespace observeai::pki {

namespace {

constexpr std::string_view kVersion = "oai1";
constexpr std::string_view kIdAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
// 32 bytes in base64url.
constexpr std::size_t kEncodedLength = 43;
// A token has 147 characters; what is much longer is some other file.
constexpr std::size_t kMaxLength = 256;

// The error never repeats `text`: it may be the secret.
Result<std::array<std::uint8_t, 32>> decode(std::string_view text, const char* part) {
  std::array<std::uint8_t, 32> out{};
  auto bytes = text::from_base64url(text);
  if (text.size() != kEncodedLength || !bytes || bytes->size() != out.size() ||
      text::to_base64url(*bytes) != text) {
    return Error(Errc::kInvalid, std::string("the ") + part + " in the token must be " +
                                     std::to_string(kEncodedLength) +
                                     " base64url characters; was the token copied whole?");
  }
  std::copy(bytes->begin(), bytes->end(), out.begin());
  std::fill(bytes->begin(), bytes->end(), std::uint8_t{0});
  return out;
}

std::string encode_hex(const std::string& hex) {
  const auto bytes = text::from_hex(hex);
  return bytes ? text::to_base64url(*bytes) : std::string();
}

}  // namespace

bool is_token_id(std::string_view text) {
  return text.size() == kTokenIdLength &&
         text.find_first_not_of(kIdAlphabet) == std::string_view::npos;
}

Result<EnrollmentToken> parse_token(std::string_view text) {
  text = text::trim(text);
  if (text.empty()) return Error(Errc::kInvalid, "the token is empty");
  if (text.size() > kMaxLength) return Error(Errc::kInvalid, "the token is too long to be one");
  const auto parts = text::split(text, '.');
  if (parts[0] != kVersion) {
    return Error(Errc::kInvalid,
                 "the token must start with \"oai1.\"; is this an ObserveAI token?");
  }
  if (parts.size() != 5) {
    return Error(Errc::kInvalid, "the token must have 5 parts separated by '.', this one has " +
                                     std::to_string(parts.size()) + "; was it copied whole?");
  }
  EnrollmentToken token;
  if (!is_token_id(parts[1])) {
    return Error(Errc::kInvalid, "the id in the token must be 10 characters of [a-z0-9]");
  }
  token.id = parts[1];
  TRY(token.secret, decode(parts[2], "secret"));
  TRY(const auto server, decode(parts[3], "server key hash"));
  TRY(const auto root, decode(parts[4], "root metadata hash"));
  token.server_spki_sha256 = text::to_hex(server);
  token.root_metadata_sha256 = text::to_hex(root);
  return token;
}

std::string format_token(const EnrollmentToken& token) {
  std::string out(kVersion);
  out.append(".").append(token.id);
  out.append(".").append(text::to_base64url(token.secret));
  out.append(".").append(encode_hex(token.server_spki_sha256));
  out.append(".").append(encode_hex(token.root_metadata_sha256));
  return out;
}

EnrollmentToken generate_token() {
  EnrollmentToken token;
  random_bytes(token.secret);
  std::uint8_t byte = 0;
  while (token.id.size() < kTokenIdLength) {
    random_bytes({&byte, 1});
    // 252 = 7 * 36: every character equally likely.
    if (byte < 252) token.id.push_back(kIdAlphabet[byte % kIdAlphabet.size()]);
  }
  return token;
}

}  // namespace observeai::pki
