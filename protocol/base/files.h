// Whole-file helpers with the durability that keys, certificates and configuration need.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::files {

// At most `limit` bytes; kLimit when the file is longer, kNotFound, kDenied, kUnavailable.
Result<std::string> read(const std::string& path, std::size_t limit = 16U << 20);
// Temporary file in the same folder, fsync, rename, fsync of the folder: old or new, never half.
Result<void> write_atomic(const std::string& path, std::string_view bytes, unsigned mode);
// As mkdir -p; the last folder gets `mode`. Fine when it exists, but kDenied when it belongs to
// neither the caller nor root, or when others may write to it and `mode` would not let them.
Result<void> make_directories(const std::string& path, unsigned mode);
bool exists(const std::string& path);
// "cannot open /x: Permission denied" with the Errc that fits errno.
Error from_errno(std::string_view what, int error_number);

}  // namespace observeai::files
