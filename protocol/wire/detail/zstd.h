// The codec: one zstd frame with content size and checksum. Contexts are kept per thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::wire::detail {

// Fast is for lines of text: on logs it gives the same size for 7/10 of the time; small packs numbers.
enum class Effort { kFast = 1, kSmall = 3 };  // zstd's levels

// kLimit when `body` is above kMaxBodyBytes or the result above kMaxPackedBytes.
// `ends`: where blocks end, each with statistics of its own. Ascending, the last one the body's size.
Result<std::string> compress(std::string_view body, Effort effort = Effort::kSmall,
                             std::span<const std::size_t> ends = {});
// kCorrupt: not exactly one frame, size unknown or above kMaxBodyBytes, damaged. Nothing is
// allocated before these checks.
Result<std::string> decompress(std::string_view packed);

}  // namespace observeai::wire::detail
