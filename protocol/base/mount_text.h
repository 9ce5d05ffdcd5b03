// The escapes of the kernel's mount tables.
#pragma once

#include <string>
#include <string_view>

namespace observeai::text {

// "\040" (three octal digits) becomes its byte; everything else stays as it is.
std::string unescape_mount(std::string_view text);

}  // namespace observeai::text
