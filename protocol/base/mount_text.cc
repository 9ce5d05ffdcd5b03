#include "protocol/base/mount_text.h"

namespace observeai::text {
namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

}  // namespace

std::string unescape_mount(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digits = text.substr(i + 1, 3);
    const bool escape = text[i] == '\\' && digits.size() == 3 && digits[0] <= '3' &&
                        is_octal(digits[0]) && is_octal(digits[1]) && is_octal(digits[2]);
    if (!escape) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
    i += 3;
  }
  return out;
}

}  // namespace observeai::text
