// Secret keys at rest: three lines of text, mode 0600, written atomically.
//
//   -----BEGIN OBSERVEAI ED25519 SECRET KEY-----            also X25519; sealed with a passphrase:
//   base64( secret(32) || public(32) )                      "... ED25519 SEALED SECRET KEY" and
//   -----END OBSERVEAI ED25519 SECRET KEY-----              base64( salt(16) || nonce(24) || box )
//
// box = XSalsa20-Poly1305 of the same 64 bytes under Argon2id (3 passes, 256 MiB) of the
// passphrase; other parameters would get another label. The public half is there so that damage is
// noticed.
//
// Errors of load: kNotFound, kDenied (no permission; sealed and no or a wrong passphrase), kInvalid
// (another kind of key; a passphrase for a file that is not sealed), kCorrupt, kLimit (no 256 MiB).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/signing/keys.h"
#include "protocol/signing/sealing.h"

namespace observeai::signing {

using Passphrase = std::optional<std::string_view>;  // kInvalid when empty: say nullopt

// An existing file is replaced: who must not lose a key looks first.
Result<void> save_signing_key(const std::string& path, const SigningKeyPair& pair,
                              Passphrase passphrase = std::nullopt);
Result<SigningKeyPair> load_signing_key(const std::string& path,
                                        Passphrase passphrase = std::nullopt);

Result<void> save_key_agreement_pair(const std::string& path, const KeyAgreementPair& pair,
                                     Passphrase passphrase = std::nullopt);
Result<KeyAgreementPair> load_key_agreement_pair(const std::string& path,
                                                 Passphrase passphrase = std::nullopt);

}  // namespace observeai::signing
