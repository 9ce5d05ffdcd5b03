// Key agreement and authenticated encryption between one agent and the control plane.
// libsodium: crypto_kx (X25519 + BLAKE2b), crypto_aead_xchacha20poly1305_ietf, random 24-byte nonces.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::signing {

using PublicKey32 = std::array<std::uint8_t, 32>;

// Wiped on destruction. Never printed, never compared with ==.
class SecretKey32 {
 public:
  SecretKey32() = default;
  explicit SecretKey32(const std::array<std::uint8_t, 32>& bytes) : bytes_(bytes) {}
  ~SecretKey32();
  SecretKey32(const SecretKey32&) = default;
  SecretKey32& operator=(const SecretKey32&) = default;
  const std::array<std::uint8_t, 32>& bytes() const { return bytes_; }

 private:
  std::array<std::uint8_t, 32> bytes_{};
};

using SealingKey = SecretKey32;

struct KeyAgreementPair {
  PublicKey32 public_key{};
  SecretKey32 secret_key;
};
// One key for each direction.
struct SessionKeys {
  SealingKey up;    // Agent -> control plane
  SealingKey down;  // Control plane -> agent
};

KeyAgreementPair generate_key_agreement_pair();
// kInvalid for a public key of small order.
Result<SessionKeys> agent_session_keys(const KeyAgreementPair& agent,
                                       const PublicKey32& controlplane);
Result<SessionKeys> controlplane_session_keys(const KeyAgreementPair& controlplane,
                                              const PublicKey32& agent);

inline constexpr std::size_t kSealOverheadBytes = 40;
// nonce(24) || ciphertext || tag(16)
std::string seal(std::string_view plain, std::string_view associated_data, const SealingKey& key);
// kDenied when anything was changed, cut, or sealed for another key or associated data.
Result<std::string> open(std::string_view sealed, std::string_view associated_data,
                         const SealingKey& key);

std::array<std::uint8_t, 32> sha256(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);
void random_bytes(std::span<std::uint8_t> out);
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace observeai::signing
