// Signed heads of the chain, read and believed.
#pragma once

#include <span>
#include <string_view>

#include "controlplane/model/records.h"
#include "protocol/base/result.h"
#include "protocol/signing/keys.h"

namespace observeai::controlplane::audit {

inline constexpr std::size_t kMaxHeadBytes = 4096;  // An envelope with one signature is below 300

// What an envelope says, verified or not. kCorrupt: no audit head; kLimit.
Result<wire::AuditHead> read_head(std::string_view envelope);
// The place in `keys` of the key that signed it. kDenied: none of them; kCorrupt, kLimit as above.
Result<std::size_t> signer_of_head(std::string_view envelope,
                                   std::span<const signing::VerifyKey> keys);

}  // namespace observeai::controlplane::audit
