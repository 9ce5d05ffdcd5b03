// seal() with the nonce chosen by the caller. For golden files only: a nonce used twice with one
// key gives the plain text away.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "protocol/signing/sealing.h"

namespace observeai::signing::detail {

using SealNonce = std::array<std::uint8_t, 24>;

std::string seal_with_nonce(std::string_view plain, std::string_view associated_data,
                            const SealingKey& key, const SealNonce& nonce);

}  // namespace observeai::signing::detail
