#include "protocol/signing/keys.h"

#include <sodium.h>

#include "protocol/base/text.h"
#include "protocol/signing/detail/sodium_ready.h"

namespace observeai::signing {
namespace {

static_assert(crypto_sign_PUBLICKEYBYTES == 32 && crypto_sign_SECRETKEYBYTES == 64);
static_assert(crypto_sign_SEEDBYTES == 32 && crypto_sign_BYTES == 64);

constexpr std::string_view kTextPrefix = "ed25519:";

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

KeyId key_id(const VerifyKey& key) {
  return KeyId::parse(sha256_hex(text::as_text(key.bytes)).substr(0, kKeyIdLength)).value();
}

Result<KeyId> parse_key_id(std::string_view text) {
  const bool hex = text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (text.size() != kKeyIdLength || !hex) {
    return Error(Errc::kInvalid, "a key id is 16 lower-case hex digits, got \"" +
                                     text::escape_unprintable(text, 40) + "\"");
  }
  return KeyId::parse(text);
}

std::string to_text(const VerifyKey& key) {
  return std::string(kTextPrefix) + text::to_base64url(key.bytes);
}

Result<VerifyKey> parse_verify_key(std::string_view text) {
  detail::require_sodium();
  if (!text.starts_with(kTextPrefix)) {
    return Error(Errc::kInvalid, "a public key starts with \"ed25519:\"");
  }
  const auto bytes = text::from_base64url(text.substr(kTextPrefix.size()));
  if (!bytes || bytes->size() != 32) {
    return Error(Errc::kInvalid, "a public key is \"ed25519:\" and 43 characters of base64url");
  }
  VerifyKey key;
  std::copy(bytes->begin(), bytes->end(), key.bytes.begin());
  if (to_text(key) != text || ::crypto_core_ed25519_is_valid_point(key.bytes.data()) != 1) {
    return Error(Errc::kInvalid, "the public key is not a valid Ed25519 key");
  }
  return key;
}

SigningKeyPair SigningKeyPair::generate() {
  detail::require_sodium();
  SigningKeyPair pair;
  ::crypto_sign_keypair(pair.public_key_.bytes.data(), pair.secret_.data());
  return pair;
}

SigningKeyPair SigningKeyPair::from_seed(const SecretKey32& seed) {
  detail::require_sodium();
  SigningKeyPair pair;
  ::crypto_sign_seed_keypair(pair.public_key_.bytes.data(), pair.secret_.data(),
                             seed.bytes().data());
  return pair;
}

SigningKeyPair::~SigningKeyPair() {
  ::sodium_memzero(secret_.data(), secret_.size());
}

SecretKey32 SigningKeyPair::seed() const {
  std::array<std::uint8_t, 32> bytes{};
  ::crypto_sign_ed25519_sk_to_seed(bytes.data(), secret_.data());
  SecretKey32 seed(bytes);
  ::sodium_memzero(bytes.data(), bytes.size());
  return seed;
}

SignatureBytes SigningKeyPair::sign(std::string_view message) const {
  SignatureBytes signature{};
  ::crypto_sign_detached(signature.data(), nullptr, bytes_of(message), message.size(),
                         secret_.data());
  return signature;
}

bool verify(std::string_view message, const SignatureBytes& signature, const VerifyKey& key) {
  detail::require_sodium();
  return ::crypto_sign_verify_detached(signature.data(), bytes_of(message), message.size(),
                                       key.bytes.data()) == 0;
}

}  // namespace observeai::signing
