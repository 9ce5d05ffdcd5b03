// Ed25519 keys that sign: root, command signer, approver, audit, agent result. Values; thread-safe.
// Verification is strict (RFC 8032 with libsodium's checks): S < L, no small order, canonical keys.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/signing/sealing.h"

namespace observeai::signing {

// The first 16 hex digits of sha256(public key). A name for people and a hint for finding the key;
// never proof: two keys may share one.
using KeyId = StringId<struct KeyIdTag>;
inline constexpr std::size_t kKeyIdLength = 16;

using SignatureBytes = std::array<std::uint8_t, 64>;

// The public half. Its own type: an X25519 key never passes where a verifying key is wanted.
struct VerifyKey {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const VerifyKey&) const = default;
};

KeyId key_id(const VerifyKey& key);
// kInvalid unless 16 lower-case hex digits.
Result<KeyId> parse_key_id(std::string_view text);

// "ed25519:<43 base64url characters>": one line for configuration, API and root ceremonies.
std::string to_text(const VerifyKey& key);
// kInvalid for anything else, and for a key that no signature can verify against (small order).
Result<VerifyKey> parse_verify_key(std::string_view text);

// Wiped on destruction. Never printed.
class SigningKeyPair {
 public:
  static SigningKeyPair generate();
  static SigningKeyPair from_seed(const SecretKey32& seed);
  ~SigningKeyPair();
  SigningKeyPair(const SigningKeyPair&) = default;
  SigningKeyPair& operator=(const SigningKeyPair&) = default;

  const VerifyKey& public_key() const { return public_key_; }
  KeyId id() const { return key_id(public_key_); }
  SecretKey32 seed() const;
  SignatureBytes sign(std::string_view message) const;

 private:
  SigningKeyPair() = default;
  VerifyKey public_key_;
  std::array<std::uint8_t, 64> secret_{};  // libsodium's form: seed || public key
};

bool verify(std::string_view message, const SignatureBytes& signature, const VerifyKey& key);

}  // namespace observeai::signing
