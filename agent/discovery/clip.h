// Cutting foreign text to its limit.
#pragma once

#include <string>
#include <string_view>

namespace observeai::agent {

// The first `limit` bytes, less when that would split a UTF-8 character.
inline std::string clip_utf8(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end));
}

}  // namespace observeai::agent
