// The codec: one zstd frame with content size and checksum. Contexts are kept per thread.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::wire::detail {

// kLimit when `body` is above kMaxBodyBytes or the result above kMaxPackedBytes.
Result<std::string> compress(std::string_view body);
// kCorrupt: not exactly one frame, size unknown or above kMaxBodyBytes, damaged. Nothing is
// allocated before these checks.
Result<std::string> decompress(std::string_view packed);

}  // namespace observeai::wire::detail
