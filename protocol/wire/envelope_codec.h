// SignedEnvelope <-> bytes. One value has one form: unknown, repeated or reordered fields are
// refused, so the sha256 of an envelope's bytes names it.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/signing/envelope.h"

namespace observeai::wire {

inline constexpr std::size_t kMaxEnvelopeBytes = 1U
                                                 << 20;  // One MQTT message, or a file of that size
inline constexpr std::size_t kMaxEnvelopeTypeBytes = 128;

std::string encode_envelope(const signing::SignedEnvelope& envelope);
// kLimit above kMaxEnvelopeBytes; kCorrupt for anything encode_envelope does not produce from a
// type of printable ASCII, well-formed key ids and at most signing::kMaxSignatures signatures.
// Verifies nothing.
Result<signing::SignedEnvelope> decode_envelope(std::string_view bytes);

}  // namespace observeai::wire
