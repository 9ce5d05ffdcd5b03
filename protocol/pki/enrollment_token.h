// The enrollment token: one shell-safe word that lets a host in and lets the host recognise the
// control plane before it says anything.
//
//   oai1 . <id> . <secret> . <server SPKI sha256> . <root metadata sha256>
//          [a-z0-9]{10}      each 32 bytes, base64url without padding (43 characters)
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::pki {

inline constexpr std::size_t kTokenIdLength = 10;

struct EnrollmentToken {
  std::string id;                         // Public: names the token in lists and audit entries
  std::array<std::uint8_t, 32> secret{};  // Never printed, logged or stored by the control plane
  std::string server_spki_sha256;         // Hex: the public key the control plane must show
  std::string root_metadata_sha256;       // Hex: of the root metadata the host will pin
};

// kInvalid, naming the part that is wrong but never repeating the secret. Surrounding white space is
// fine: tokens come from files and copied lines.
Result<EnrollmentToken> parse_token(std::string_view text);
std::string format_token(const EnrollmentToken& token);

// A new id and secret; the hashes stay empty.
EnrollmentToken generate_token();
bool is_token_id(std::string_view text);

}  // namespace observeai::pki
