#include "protocol/signing/sealing.h"

#include <sodium.h>

#include "protocol/base/check.h"
#include "protocol/base/text.h"
#include "protocol/signing/detail/seal_with_nonce.h"
#include "protocol/signing/detail/sodium_ready.h"

namespace observeai::signing {
namespace {

constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;

static_assert(kNonceBytes == std::tuple_size_v<detail::SealNonce>);
static_assert(kNonceBytes + kTagBytes == kSealOverheadBytes);
static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == 32);
static_assert(crypto_kx_PUBLICKEYBYTES == 32 && crypto_kx_SECRETKEYBYTES == 32);
static_assert(crypto_kx_SESSIONKEYBYTES == 32);

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

using KeyExchange = int (*)(unsigned char*, unsigned char*, const unsigned char*,
                            const unsigned char*, const unsigned char*);

struct RxTx {
  SealingKey rx;
  SealingKey tx;
};

Result<RxTx> exchange(KeyExchange function, const KeyAgreementPair& own, const PublicKey32& peer) {
  detail::require_sodium();
  std::array<std::uint8_t, 32> rx{};
  std::array<std::uint8_t, 32> tx{};
  const int failed = function(rx.data(), tx.data(), own.public_key.data(),
                              own.secret_key.bytes().data(), peer.data());
  RxTx keys{SealingKey(rx), SealingKey(tx)};
  ::sodium_memzero(rx.data(), rx.size());
  ::sodium_memzero(tx.data(), tx.size());
  if (failed != 0) return Error(Errc::kInvalid, "the peer's X25519 public key is of small order");
  return keys;
}

}  // namespace

SecretKey32::~SecretKey32() {
  ::sodium_memzero(bytes_.data(), bytes_.size());
}

KeyAgreementPair generate_key_agreement_pair() {
  detail::require_sodium();
  KeyAgreementPair pair;
  std::array<std::uint8_t, 32> secret{};
  ::crypto_kx_keypair(pair.public_key.data(), secret.data());
  pair.secret_key = SecretKey32(secret);
  ::sodium_memzero(secret.data(), secret.size());
  return pair;
}

Result<SessionKeys> agent_session_keys(const KeyAgreementPair& agent,
                                       const PublicKey32& controlplane) {
  TRY(const RxTx keys, exchange(&::crypto_kx_client_session_keys, agent, controlplane));
  return SessionKeys{.up = keys.tx, .down = keys.rx};
}

Result<SessionKeys> controlplane_session_keys(const KeyAgreementPair& controlplane,
                                              const PublicKey32& agent) {
  TRY(const RxTx keys, exchange(&::crypto_kx_server_session_keys, controlplane, agent));
  return SessionKeys{.up = keys.rx, .down = keys.tx};
}

std::string detail::seal_with_nonce(std::string_view plain, std::string_view associated_data,
                                    const SealingKey& key, const SealNonce& nonce) {
  require_sodium();
  std::string out(kNonceBytes + plain.size() + kTagBytes, '\0');
  std::copy(nonce.begin(), nonce.end(), bytes_of(out));
  const int failed = ::crypto_aead_xchacha20poly1305_ietf_encrypt(
      bytes_of(out) + kNonceBytes, nullptr, bytes_of(plain), plain.size(),
      bytes_of(associated_data), associated_data.size(), nullptr, nonce.data(), key.bytes().data());
  CHECK(failed == 0);
  return out;
}

std::string seal(std::string_view plain, std::string_view associated_data, const SealingKey& key) {
  detail::SealNonce nonce;
  random_bytes(nonce);
  return detail::seal_with_nonce(plain, associated_data, key, nonce);
}

Result<std::string> open(std::string_view sealed, std::string_view associated_data,
                         const SealingKey& key) {
  detail::require_sodium();
  if (sealed.size() < kSealOverheadBytes) {
    return Error(Errc::kDenied,
                 "sealed message is cut short: " + std::to_string(sealed.size()) + " bytes");
  }
  const auto cipher = sealed.substr(kNonceBytes);
  std::string plain(cipher.size() - kTagBytes, '\0');
  const int failed = ::crypto_aead_xchacha20poly1305_ietf_decrypt(
      bytes_of(plain), nullptr, nullptr, bytes_of(cipher), cipher.size(), bytes_of(associated_data),
      associated_data.size(), bytes_of(sealed), key.bytes().data());
  if (failed != 0) {
    return Error(Errc::kDenied, "seal does not verify: changed, or made with another key");
  }
  return plain;
}

std::array<std::uint8_t, 32> sha256(std::string_view bytes) {
  static_assert(crypto_hash_sha256_BYTES == 32);
  std::array<std::uint8_t, 32> digest{};
  ::crypto_hash_sha256(digest.data(), bytes_of(bytes), bytes.size());
  return digest;
}

std::string sha256_hex(std::string_view bytes) {
  return text::to_hex(sha256(bytes));
}

void random_bytes(std::span<std::uint8_t> out) {
  detail::require_sodium();
  ::randombytes_buf(out.data(), out.size());
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace observeai::signing
