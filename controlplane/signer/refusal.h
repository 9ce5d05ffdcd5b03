// Why the signer does not sign: a word of the executor's (wire/refusals.h) or one of its own, in front of
// a message for people. Scripts and tests look at the word.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/wire/refusals.h"

namespace observeai::controlplane::signer {

inline constexpr const char* kNoRoot = "no_root";  // No root metadata was told yet
inline constexpr const char* kRevoked = "revoked";
inline constexpr const char* kClock =
    "clock";  // issued_ms is not now; or the signer's own clock has jumped
inline constexpr const char* kUsedUp = "used_up";  // This approved intent was signed often enough
inline constexpr const char* kAuditKey = "audit_key";
inline constexpr const char* kAuditRewritten = "audit_rewritten";
inline constexpr const char* kAuditJump = "audit_jump";
inline constexpr const char* kRootRefused = "root_refused";

inline Error refusal(const char* word, std::string_view why) {
  return Error(Errc::kDenied, std::string(word) + ": " + std::string(why));
}

// The word in front of a refusal's message: "approval_missing".
inline std::string_view word_of(std::string_view message) {
  return message.substr(0, message.find(':'));
}

}  // namespace observeai::controlplane::signer
