// Root metadata <-> bytes, and the verification of received root envelopes from bytes to trust.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/signing/root_metadata.h"

namespace observeai::wire {

// Deterministic; the payload of an envelope of type signing::kRootType.
std::string encode_root(const signing::RootMetadata& root);
// kCorrupt unless `bytes` is exactly encode_root() of its value. Applies no rule but the form: see
// signing::check_root.
Result<signing::RootMetadata> decode_root(std::string_view bytes);

// Expiry is reported, never fatal: an agent with an expired root goes on with telemetry and follows
// the next version when it comes.
struct VerifiedRoot {
  signing::RootMetadata root;
  bool expired = false;
};

// The first root of a chain: `envelope` has the pinned sha256 (64 lower-case hex digits, from the
// enrollment token) and is signed by its own threshold. kDenied when not.
Result<VerifiedRoot> verify_pinned_root(std::string_view envelope, std::string_view pinned_sha256,
                                        std::int64_t now_ms);
// The next one: version + 1, signed by the thresholds of `current` and of itself. kDenied when not.
Result<VerifiedRoot> verify_next_root(const signing::RootMetadata& current,
                                      std::string_view envelope, std::int64_t now_ms);

}  // namespace observeai::wire
