// What a signer tells of itself: its public keys, which root it follows, what it signed and refused.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/signing/keys.h"

namespace observeai::controlplane::signer {

struct SignerStatus {
  signing::VerifyKey signer_key;
  signing::VerifyKey audit_key;
  std::uint64_t root_version = 0;  // 0: none told yet
  std::uint64_t audit_seq = 0;     // Highest signed
  // Since the start. Refusals by word: refusal.h and "rate".
  std::uint64_t signed_commands = 0;
  std::uint64_t signed_times = 0;
  std::map<std::string, std::uint64_t> refused;
  bool operator==(const SignerStatus&) const = default;
};

// JSON on one line. kCorrupt.
std::string encode_status(const SignerStatus& status);
Result<SignerStatus> decode_status(std::string_view text);

}  // namespace observeai::controlplane::signer
