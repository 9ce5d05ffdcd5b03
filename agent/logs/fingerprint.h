// 64-bit fingerprints of file parts: SipHash-2-4 with a fixed key, so that a stored value means the
// same after a restart. They tell files apart; they protect nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace observeai::agent {

std::uint64_t fingerprint(std::string_view bytes);

// The function itself, for its published test vectors.
std::uint64_t sip_hash_2_4(std::uint64_t key0, std::uint64_t key1, std::string_view bytes);

}  // namespace observeai::agent
