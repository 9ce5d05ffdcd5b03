// P-256 private keys for TLS identities and for proving possession of one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::pki {

// Immutable and cheap to copy (shared); the secret is wiped with the last copy. Thread-safe.
class PrivateKey {
 public:
  static Result<PrivateKey> generate();
  // kCorrupt when there is no unencrypted private key in `pem`, kInvalid when it is not on P-256.
  static Result<PrivateKey> from_pem(std::string_view pem);
  // As from_pem; kDenied when the file may be read or written by others than its owner.
  static Result<PrivateKey> load(const std::string& path);

  Result<void> save(const std::string& path) const;  // PKCS#8 PEM, mode 0600, atomic
  std::string to_pem() const;
  std::string spki_sha256() const;                         // Hex; names the public key
  Result<std::string> sign(std::string_view bytes) const;  // ECDSA with SHA-256, DER

  struct Impl;  // Holds the OpenSSL key; private to this folder.
  const Impl& impl() const { return *impl_; }

 private:
  explicit PrivateKey(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

// Loads the key at `path`, or makes one there when there is none.
Result<PrivateKey> load_or_create_key(const std::string& path);
// kDenied when `path` may be read or written by others than its owner, with the command that fixes it.
Result<void> require_private_file(const std::string& path);

// From the system's generator; never fails (the program ends if the system has no randomness).
void random_bytes(std::span<std::uint8_t> out);

}  // namespace observeai::pki
