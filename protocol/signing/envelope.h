// Signed messages in the manner of DSSE (github.com/secure-systems-lab/dsse, protocol.md):
// signatures cover PAE(type, payload), so a payload never passes as another type. Payload bytes are
// verified as received, parsed once afterwards and stored verbatim. The bytes of an envelope:
// wire/envelope_codec.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/signing/keys.h"

namespace observeai::signing {

inline constexpr std::size_t kMaxSignatures = 32;  // Root threshold plus approvers, with room

struct Signature {
  KeyId key_id;  // A hint: which key to try
  SignatureBytes bytes{};
  bool operator==(const Signature&) const = default;
};

struct SignedEnvelope {
  std::string type;  // "observeai/v1/root", ...
  std::string payload;
  std::vector<Signature> signatures;
  bool operator==(const SignedEnvelope&) const = default;
};

// Pre-authentication encoding: "DSSEv1 <len type> <type> <len payload> <payload>".
std::string pae(std::string_view type, std::string_view payload);

// Adds one signature; the caller sees to it that a key signs once (a second adds nothing).
void add_signature(SignedEnvelope& envelope, const SigningKeyPair& key);

// Returns the distinct trusted keys with a valid signature, ascending, when they are `threshold` or
// more. Unknown keys and signatures that do not verify are ignored; a key counts once however often
// it signed or is listed. kDenied: another type, too few; kLimit: more than kMaxSignatures;
// kInvalid: a threshold of 0, which would trust everybody.
Result<std::vector<VerifyKey>> verify(const SignedEnvelope& envelope,
                                      std::string_view expected_type, std::size_t threshold,
                                      std::span<const VerifyKey> trusted);

}  // namespace observeai::signing
